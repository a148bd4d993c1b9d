//! SQL of the manual queue and of the shop's health.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

use crate::base::ids::{LineId, OrderId, PaymentId, TaskId, UnitId, UserId, VariantId};
use crate::base::page::{Page, PageArgs};
use crate::goods;
use crate::infra::db::schema::task;
use crate::infra::db::statement::Statement;
use crate::infra::db::total;
use crate::operations::state::TaskState;
use crate::orders::holds::unit_is_held;
use crate::text_column;

text_column!(TaskState);

/// A task of the manual queue.
#[derive(Clone, Debug, Queryable, Selectable, QueryableByName)]
#[diesel(table_name = task, check_for_backend(diesel::pg::Pg))]
pub struct Task {
    pub id: TaskId,
    /// Open code.
    pub kind: String,
    /// Distinguishes one trouble from another.
    pub subject: String,
    pub order_id: Option<OrderId>,
    pub payment_id: Option<PaymentId>,
    pub line_id: Option<LineId>,
    pub body: Value,
    pub state: TaskState,
    pub taken_by: Option<UserId>,
    pub created_at: DateTime<Utc>,
    pub resolved_at: Option<DateTime<Utc>>,
}

/// What a list of tasks is narrowed to; empty parts narrow nothing.
#[derive(Clone, Debug, Default)]
pub struct TaskFilter {
    pub kinds: Vec<String>,
    pub states: Vec<TaskState>,
}

/// Sort values of a task.
pub fn task_keys(task: &Task) -> Vec<String> {
    vec![task.created_at.timestamp_micros().to_string(), task.id.0.to_string()]
}

/// The tasks, the oldest first: what waits longest is looked at first.
pub async fn list_tasks(
    conn: &mut AsyncPgConnection,
    filter: &TaskFilter,
    args: &PageArgs,
) -> QueryResult<Page<Task>> {
    let mut query = Statement::new("select t.* from task t where true");
    narrow(&mut query, filter);
    let place = args.from.as_deref().and_then(|keys| {
        let [at, id] = keys else { return None };
        let at = DateTime::from_timestamp_micros(at.parse().ok()?)?;
        Some((at, id.parse::<uuid::Uuid>().ok()?))
    });
    let (compare, direction) = if args.backwards { ("<", "desc") } else { (">", "asc") };
    if let Some((at, id)) = place {
        query.push(&format!(" and (t.created_at, t.id) {compare} (")).push_bind::<Timestamptz, _>(at);
        query.push(", ").push_bind::<SqlUuid, _>(id).push(")");
    }
    query.push(&format!(" order by t.created_at {direction}, t.id {direction} limit "));
    query.push_bind::<BigInt, _>(args.size + 1);
    Ok(Page::cut(query.load(conn).await?, args))
}

/// How many such tasks there are; none above 10,000.
pub async fn count_tasks(conn: &mut AsyncPgConnection, filter: &TaskFilter) -> QueryResult<Option<i64>> {
    let mut query = Statement::new("select 1 from task t where true");
    narrow(&mut query, filter);
    total::count(conn, query).await
}

fn narrow(query: &mut Statement<'static>, filter: &TaskFilter) {
    if !filter.kinds.is_empty() {
        query.push(" and t.kind = any(").push_bind::<Array<Text>, _>(filter.kinds.clone()).push(")");
    }
    if !filter.states.is_empty() {
        let states: Vec<&'static str> = filter.states.iter().map(|s| s.as_str()).collect();
        query.push(" and t.state = any(").push_bind::<Array<Text>, _>(states).push(")");
    }
}

pub async fn find_task(conn: &mut AsyncPgConnection, id: TaskId) -> QueryResult<Option<Task>> {
    task::table.find(id).select(Task::as_select()).first(conn).await.optional()
}

pub(super) async fn lock_task(conn: &mut AsyncPgConnection, id: TaskId) -> QueryResult<Option<Task>> {
    task::table.find(id).select(Task::as_select()).for_update().first(conn).await.optional()
}

/// A piece that is to be delivered.
#[derive(QueryableByName)]
pub(super) struct Waiting {
    #[diesel(sql_type = SqlUuid)]
    pub id: UnitId,
    #[diesel(sql_type = SqlUuid)]
    pub variant_id: VariantId,
    #[diesel(sql_type = Text)]
    pub state: crate::orders::UnitState,
    #[diesel(sql_type = Text)]
    kind: String,
    /// Whether its variant has something to deliver.
    #[diesel(sql_type = Bool)]
    pub ready: bool,
    /// Whether a refund, a dispute or money that is gone holds it.
    #[diesel(sql_type = Bool)]
    pub held: bool,
}

impl Waiting {
    /// It is bought at a supplier.
    pub fn is_bought(&self) -> bool {
        goods::supply(&self.kind) == Some(goods::Supply::Supplier)
    }
}

/// Pieces by their ids.
pub(super) async fn list_waiting(conn: &mut AsyncPgConnection, ids: &[UnitId]) -> QueryResult<Vec<Waiting>> {
    let mut query = Statement::new(concat!(
        "select u.id, u.variant_id, u.state, v.kind, ",
        unit_is_held!(),
        " as held, "
    ));
    query.push(&goods::ready("v", "1"));
    query.push(" as ready from unit u join variant v on v.id = u.variant_id where u.id = any(");
    query.push_bind::<Array<SqlUuid>, _>(ids.iter().map(|id| id.0).collect::<Vec<_>>());
    query.push(") order by u.id");
    query.load(conn).await
}

/// How the shop does beside what waits in it.
#[derive(Clone, Debug, QueryableByName)]
pub struct Health {
    #[diesel(sql_type = BigInt)]
    pub payments_unknown: i64,
    #[diesel(sql_type = BigInt)]
    pub last_seq: i64,
}

const HEALTH: &str = "select
    (select count(*) from payment where state = 'unknown') as payments_unknown,
    (select coalesce(max(seq), 0) from event_seq) as last_seq";

/// What of the shop's health [`waiting`](crate::operations::waiting) does not say.
pub async fn health(conn: &mut AsyncPgConnection) -> QueryResult<Health> {
    Statement::new(HEALTH).get_result(conn).await
}
