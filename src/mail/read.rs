//! What the texts need to know.

use diesel::sql_types::{Array, Bool, Text, Uuid as SqlUuid};
use diesel::{QueryResult, QueryableByName};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::base::ids::{GrantId, LineId, OrderId, RefundId, TaskId};
use crate::infra::db::statement::Statement;
use crate::mail::model::MailLine;

const LINES: &str = "\
    select l.id, l.kind, l.title, l.variant_title, l.mail_policy, \
      (select bundle.title from order_line bundle where bundle.id = l.parent_line_id) as bundle_title, \
      array(select u.id from unit u where u.line_id = l.id and u.superseded_by is null order by u.unit_no) as units, \
      (select count(*) from unit u where u.line_id = l.id and u.superseded_by is null \
        and u.state in ('awaiting_stock', 'awaiting_supplier', 'awaiting_person')) as waiting, \
      (select count(*) from unit u where u.line_id = l.id and u.superseded_by is null \
        and u.state = 'awaiting_person') as by_person \
    from order_line l where l.order_id = $1 and ($2 or l.id = any($3)) order by l.position";

/// Lines of an order with all their units; a bundle is its parts. `only` empty: all lines.
pub async fn list_lines(
    conn: &mut AsyncPgConnection,
    order: OrderId,
    only: &[Uuid],
) -> QueryResult<Vec<MailLine>> {
    Statement::new(LINES)
        .bind::<SqlUuid, _>(order.0)
        .bind::<Bool, _>(only.is_empty())
        .bind::<Array<SqlUuid>, _>(only)
        .load(conn)
        .await
}

#[derive(QueryableByName)]
pub struct RefundFacts {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    pub amount_minor: i64,
    #[diesel(sql_type = Text)]
    pub currency: String,
}

pub async fn get_refund(conn: &mut AsyncPgConnection, id: RefundId) -> QueryResult<RefundFacts> {
    Statement::new("select amount_minor, currency from refund where id = $1")
        .bind::<SqlUuid, _>(id.0)
        .get_result(conn)
        .await
}

/// An open task, as far as its mail needs it.
#[derive(QueryableByName)]
pub struct OpenTask {
    #[diesel(sql_type = SqlUuid)]
    pub id: TaskId,
    #[diesel(sql_type = Text)]
    pub kind: String,
    #[diesel(sql_type = diesel::sql_types::Nullable<SqlUuid>)]
    pub order_id: Option<OrderId>,
}

pub async fn find_open_task(conn: &mut AsyncPgConnection, id: TaskId) -> QueryResult<Option<OpenTask>> {
    let rows: Vec<OpenTask> =
        Statement::new("select t.id, t.kind, t.order_id from task t where t.id = $1 and t.state = 'open'")
            .bind::<SqlUuid, _>(id.0)
            .load(conn)
            .await?;
    Ok(rows.into_iter().next())
}

/// Open tasks of the last days without their mail.
pub async fn list_unmailed_tasks(conn: &mut AsyncPgConnection) -> QueryResult<Vec<OpenTask>> {
    Statement::new(
        "select t.id, t.kind, t.order_id from task t \
         where t.state = 'open' and t.created_at > app_now() - interval '3 days' \
           and not exists (select 1 from message m where m.kind = 'task_opened' \
             and m.subject = t.id::text) \
         order by t.created_at limit 100",
    )
    .load(conn)
    .await
}

#[derive(QueryableByName)]
pub struct GrantLine {
    #[diesel(sql_type = SqlUuid)]
    pub id: GrantId,
    #[diesel(sql_type = SqlUuid)]
    pub line_id: LineId,
}

/// Which line each grant of an order belongs to.
pub async fn list_grant_lines(conn: &mut AsyncPgConnection, order: OrderId) -> QueryResult<Vec<GrantLine>> {
    Statement::new("select id, line_id from download_grant where order_id = $1")
        .bind::<SqlUuid, _>(order.0)
        .load(conn)
        .await
}
