//! The manual queue: trouble that only a person can end. The same trouble twice is one open row.

use diesel::sql_types::{Array, Jsonb, Nullable, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;
use uuid::Uuid;

use crate::base::ids::{LineId, OrderId, PaymentId};
use crate::infra::db::statement::Statement;

/// A task for a person. `kind` is an open code (`payment_wrong_amount`); `subject` tells one trouble from another.
#[derive(Clone, Debug)]
pub struct NewTask {
    pub id: Uuid,
    pub kind: &'static str,
    pub subject: String,
    pub order_id: Option<OrderId>,
    pub payment_id: Option<PaymentId>,
    pub line_id: Option<LineId>,
    pub body: Value,
}

const OPEN: &str = "insert into task (id, kind, subject, order_id, payment_id, line_id, body) \
    select * from unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::uuid[], $6::uuid[], $7::jsonb[]) \
      as added(id, kind, subject, order_id, payment_id, line_id, body) \
    order by kind, subject on conflict do nothing";

/// Opens the tasks; those whose subject is open already are left as they are.
pub async fn open(mut conn: &AsyncPgConnection, tasks: &[NewTask]) -> diesel::QueryResult<usize> {
    if tasks.is_empty() {
        return Ok(0);
    }
    Statement::new(OPEN)
        .bind::<Array<SqlUuid>, _>(tasks.iter().map(|t| t.id).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(tasks.iter().map(|t| t.kind).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(tasks.iter().map(|t| t.subject.as_str()).collect::<Vec<_>>())
        .bind::<Array<Nullable<SqlUuid>>, _>(
            tasks.iter().map(|t| t.order_id.map(|o| o.0)).collect::<Vec<_>>(),
        )
        .bind::<Array<Nullable<SqlUuid>>, _>(
            tasks.iter().map(|t| t.payment_id.map(|p| p.0)).collect::<Vec<_>>(),
        )
        .bind::<Array<Nullable<SqlUuid>>, _>(tasks.iter().map(|t| t.line_id.map(|l| l.0)).collect::<Vec<_>>())
        .bind::<Array<Jsonb>, _>(tasks.iter().map(|t| t.body.clone()).collect::<Vec<_>>())
        .execute(&mut conn)
        .await
}

const RESOLVE: &str = "update task t set state = 'resolved', resolved_at = app_now(), taken_by = null
    from unnest($1::text[], $2::text[]) as w (kind, subject)
    where t.kind = w.kind and t.subject = w.subject and t.state <> 'resolved'";

/// Ends tasks that came to nothing by themselves: pairs of kind and subject.
pub async fn resolve(
    mut conn: &AsyncPgConnection,
    over: &[(&'static str, String)],
) -> diesel::QueryResult<usize> {
    if over.is_empty() {
        return Ok(0);
    }
    Statement::new(RESOLVE)
        .bind::<Array<Text>, _>(over.iter().map(|o| o.0).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(over.iter().map(|o| o.1.as_str()).collect::<Vec<_>>())
        .execute(&mut conn)
        .await
}
