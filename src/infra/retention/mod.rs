//! What leaves by age, so that no table grows for ever. Each feature says what of its own leaves and when: a [`Rule`] beside
//! its SQL. The worker goes through all of them (`worker/retention.rs`): rows in batches, each a transaction of its own, and
//! partitions of months whole. What is killed half-way goes on at the next round, and two at once do the same work once.

pub mod own;
mod store;

use chrono::{DateTime, Utc};
use metrics::{counter, gauge};
use tracing::{info, warn};

use crate::base::outcome::Fault;
use crate::config::Config;
use crate::infra::db::errors::is_lock_timeout;
use crate::infra::kit::Kit;

/// Rows deleted in one transaction.
const BATCH: i64 = 1_000;

/// What of a table leaves.
pub struct Rule {
    /// The table; two rules of one table have the same days.
    pub table: &'static str,
    /// For how long it is kept.
    pub days: fn(&Config) -> i64,
    pub leaves: Leaves,
}

/// How it leaves.
#[derive(Clone, Copy)]
pub enum Leaves {
    /// Rows. `delete` deletes those older than `$1` days, at most `$2`, and answers their `count`; `oldest` answers the time
    /// of the oldest row that will leave one day. Made by [`old_rows`].
    Rows { delete: &'static str, oldest: &'static str },
    /// Months of a partitioned table, and what its DEFAULT partition has. `oldest` as above.
    Months { oldest: &'static str },
}

/// [`Leaves::Rows`] of a table by its key, the column with the time from which days are counted, and which rows leave at all.
/// An index of that column over those rows is needed: where nothing is due, it is looked at once.
macro_rules! old_rows {
    ($table:literal, $key:literal, $column:literal, $when:literal) => {
        $crate::infra::retention::Leaves::Rows {
            delete: concat!(
                "with past as materialized (select app_now() - make_interval(days => $1) as past, $2::bigint as most), \
                 gone as (delete from ",
                $table,
                " where (",
                $key,
                ") in (select ",
                $key,
                " from ",
                $table,
                " where ",
                $when,
                " and ",
                $column,
                " < (select past from past) order by ",
                $column,
                " limit (select most from past) for update skip locked) returning 1) \
                 select count(*) as count from gone"
            ),
            oldest: concat!("select min(", $column, ") as oldest from ", $table, " where ", $when),
        }
    };
}
pub(crate) use old_rows;

/// Goes through the rules once: at most one batch of rows and one partition of each. Answers how many rows and partitions left.
/// One that fails is reported and does not keep the others from leaving.
pub async fn round(kit: &Kit, rules: &[&Rule]) -> Result<usize, Fault> {
    store::note_rules(&mut *kit.db.conn().await?, &days(kit, rules)).await?;
    let (mut gone, mut failed) = (0, None);
    for rule in rules {
        match leave(kit, rule).await {
            Ok(count) => gone += count,
            Err(fault) => {
                warn!(table = rule.table, error = %fault, "what is old could not be deleted");
                failed = Some(fault);
            }
        }
    }
    match failed {
        // The others go on in the same sweep.
        Some(fault) if gone == 0 => Err(fault),
        Some(_) | None => Ok(gone),
    }
}

/// The days of each table once.
fn days(kit: &Kit, rules: &[&Rule]) -> Vec<(&'static str, i32)> {
    let mut days: Vec<(&str, i32)> = rules.iter().map(|rule| (rule.table, days_of(kit, rule))).collect();
    days.sort_unstable();
    days.dedup();
    days
}

fn days_of(kit: &Kit, rule: &Rule) -> i32 {
    i32::try_from((rule.days)(&kit.config)).unwrap_or(i32::MAX)
}

async fn leave(kit: &Kit, rule: &Rule) -> Result<usize, Fault> {
    let days = days_of(kit, rule);
    let mut conn = kit.db.conn().await?;
    let (rows, oldest) = match rule.leaves {
        Leaves::Rows { delete, oldest } => (store::delete(&mut conn, delete, days, BATCH).await?, oldest),
        Leaves::Months { oldest } => {
            drop(conn);
            let dropped = drop_month(kit, rule.table, days).await?;
            conn = kit.db.conn().await?;
            let rows = store::delete_from_default(&mut conn, rule.table, days, BATCH).await?;
            if dropped {
                return Ok(rows + 1);
            }
            (rows, oldest)
        }
    };
    if rows > 0 {
        counter!("dispense_retention_rows_total", "table" => rule.table).increment(rows as u64);
        return Ok(rows);
    }
    // Nothing is due: what is left is as old as it gets.
    let oldest = store::find_oldest(&mut conn, oldest).await?;
    gauge!("dispense_retention_oldest_seconds", "table" => rule.table).set(age(kit, oldest));
    Ok(0)
}

fn age(kit: &Kit, oldest: Option<DateTime<Utc>>) -> f64 {
    oldest.map_or(0.0, |at| (kit.clock.now() - at).num_seconds().max(0) as f64)
}

/// Drops the oldest partition that is due. Whoever uses the table is waited for a second: a month more or less is nothing, and
/// those who wait behind this are sales.
async fn drop_month(kit: &Kit, table: &'static str, days: i32) -> Result<bool, Fault> {
    let mut tx = kit.db.begin().await?;
    let dropped = match store::drop_old_partition(&mut tx, table, days).await {
        Err(error) if is_lock_timeout(&error) => {
            info!(table, "a partition is in use and is dropped later");
            return Ok(false);
        }
        other => other?,
    };
    let Some(name) = dropped else { return Ok(false) };
    crate::fault_point!("retention.dropped");
    tx.commit().await?;
    info!(partition = name, "dropped a partition: what was in it is older than it is kept");
    counter!("dispense_retention_partitions_total", "table" => table).increment(1);
    Ok(true)
}
