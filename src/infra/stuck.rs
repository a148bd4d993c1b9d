//! Rows that a sweep cannot work on. Each row's failure is its own: it is put off, for longer each time, the others go on,
//! and after some failures in a row it is put before a person.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, Double, Integer, Text, Timestamptz};
use diesel::{QueryResult, QueryableByName};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::base::outcome::{Failure, Fault, Outcome};
use crate::infra::db::statement::Statement;
use crate::infra::effects::record::record;
use crate::infra::effects::tasks::{self, TaskKind, task_kinds};
use crate::infra::kit::Kit;

record! {
    pub struct StuckRow {
        /// The sweep's name, as metrics have it.
        sweep: String,
        /// What it works on: an id, or an account's name.
        row: String,
        /// Failures in a row when this was opened.
        failures: i32,
    }
}

task_kinds! {
    /// Tasks of sweeps.
    pub const TASKS = [
        /// A sweep fails at this row again and again; the log has the reason. It ends by itself when the sweep succeeds.
        "row_stuck" RowStuck(String, StuckRow),
    ];
}

/// Failures in a row after which a person is notified.
const PATIENCE: i32 = 4;

/// Whether a row is put off now. `$sweep` and `$subject` are SQL: the sweep's name and the row's text.
macro_rules! is_put_off {
    ($sweep:literal, $subject:literal) => {
        concat!(
            "exists (select 1 from stuck_row s where s.sweep = '",
            $sweep,
            "' and s.subject = ",
            $subject,
            " and s.next_at > app_now())"
        )
    };
}
pub(crate) use is_put_off;

/// What a sweep's row is called.
pub struct RowName {
    /// As SQL has it: an id's text.
    pub subject: String,
    /// As people read it: a public id.
    pub public: String,
}

impl RowName {
    /// That of a row with an id.
    pub fn of(id: Uuid, public: impl ToString) -> Self {
        Self { subject: id.to_string(), public: public.to_string() }
    }
}

/// Works on rows one after the other and returns how much changed in all. One that fails is put off and does not keep the
/// others from their turn. Only a database that gives no connection ends it early.
pub async fn each<T, F>(
    kit: &Kit,
    sweep: &'static str,
    rows: Vec<T>,
    name: impl Fn(&T) -> RowName,
    work: impl Fn(T) -> F,
) -> Outcome<usize>
where
    F: Future<Output = Outcome<usize>> + Send,
{
    if rows.is_empty() {
        return Ok(0);
    }
    let names: Vec<RowName> = rows.iter().map(name).collect();
    let subjects: Vec<&str> = names.iter().map(|name| name.subject.as_str()).collect();
    let before = list(&mut *kit.db.conn().await?, sweep, &subjects).await?;
    let now = kit.clock.now();
    let mut changed = 0;
    for (row, name) in rows.into_iter().zip(&names) {
        let stuck = before.get(&name.subject);
        if stuck.is_some_and(|next_at| *next_at > now) {
            continue;
        }
        match work(row).await {
            Ok(count) => {
                changed += count;
                if stuck.is_some() {
                    release(kit, sweep, name).await?;
                }
            }
            Err(Failure::Fault(fault @ Fault::Overloaded(_))) => return Err(fault.into()),
            Err(failure) => {
                tracing::warn!(
                    sweep,
                    row = name.public,
                    ?failure,
                    "a sweep could not work on a row; it is put off"
                );
                put_off(kit, sweep, name).await?;
            }
        }
    }
    Ok(changed)
}

#[derive(QueryableByName)]
struct PutOffRow {
    #[diesel(sql_type = Text)]
    subject: String,
    #[diesel(sql_type = Timestamptz)]
    next_at: DateTime<Utc>,
}

/// Until when those of these rows are put off that have failed.
async fn list(
    conn: &mut AsyncPgConnection,
    sweep: &str,
    subjects: &[&str],
) -> QueryResult<HashMap<String, DateTime<Utc>>> {
    let rows: Vec<PutOffRow> =
        Statement::new("select subject, next_at from stuck_row where sweep = $1 and subject = any($2)")
            .bind::<Text, _>(sweep)
            .bind::<Array<Text>, _>(subjects)
            .load(conn)
            .await?;
    Ok(rows.into_iter().map(|row| (row.subject, row.next_at)).collect())
}

#[derive(QueryableByName)]
struct Failures {
    #[diesel(sql_type = Integer)]
    failures: i32,
}

/// A minute, then five, then half an hour, then two hours.
const PUT_OFF: &str = "insert into stuck_row as s (sweep, subject, name, failures, next_at)
  values ($1, $2, $3, 1, app_now() + interval '1 minute')
  on conflict (sweep, subject) do update set failures = least(s.failures + 1, 1000000),
    next_at = app_now() + case s.failures when 1 then interval '5 minutes' when 2 then interval '30 minutes'
      else interval '2 hours' end
  returning failures";

async fn put_off(kit: &Kit, sweep: &str, name: &RowName) -> Result<(), Fault> {
    let mut tx = kit.db.begin().await?;
    let row: Failures = Statement::new(PUT_OFF)
        .bind::<Text, _>(sweep)
        .bind::<Text, _>(&name.subject)
        .bind::<Text, _>(&name.public)
        .get_result(&mut tx)
        .await?;
    if row.failures == PATIENCE {
        let body = StuckRow { sweep: sweep.into(), row: name.public.clone(), failures: row.failures };
        tasks::open(&tx, &kit.clock, &[RowStuck::open(of_task(sweep, &name.public), body)]).await?;
    }
    tx.commit().await
}

async fn release(kit: &Kit, sweep: &str, name: &RowName) -> Result<(), Fault> {
    let mut tx = kit.db.begin().await?;
    Statement::new("delete from stuck_row where sweep = $1 and subject = $2")
        .bind::<Text, _>(sweep)
        .bind::<Text, _>(&name.subject)
        .execute(&mut tx)
        .await?;
    tasks::resolve(&tx, &[RowStuck::over(of_task(sweep, &name.public))], "system").await?;
    tx.commit().await
}

fn of_task(sweep: &str, row: &str) -> String {
    format!("{sweep}:{row}")
}

#[derive(QueryableByName)]
struct Forgotten {
    #[diesel(sql_type = Text)]
    sweep: String,
    #[diesel(sql_type = Text)]
    name: String,
}

/// Rows that no sweep has come to for this long: somebody else has seen to them, and their tasks end.
const FORGOTTEN: f64 = 86_400.0;

/// Sweep: forgets what no sweep comes to any more. Returns how many.
pub async fn sweep(kit: &Kit) -> Outcome<usize> {
    let mut tx = kit.db.begin().await?;
    let rows: Vec<Forgotten> = Statement::new(
        "delete from stuck_row where next_at < app_now() - make_interval(secs => $1) returning sweep, name",
    )
    .bind::<Double, _>(FORGOTTEN)
    .load(&mut tx)
    .await?;
    let over: Vec<_> = rows.iter().map(|row| RowStuck::over(of_task(&row.sweep, &row.name))).collect();
    tasks::resolve(&tx, &over, "system").await?;
    tx.commit().await?;
    Ok(rows.len())
}
