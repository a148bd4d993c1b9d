//! SQL of messages and their attempts. The rows of messages belong to `infra/effects`, which writes them.

use diesel::QueryResult;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Integer, Nullable, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::base::ids::{OrderId, SuppressionId, UserId};
use crate::infra::db::schema::message;
use crate::infra::db::statement::Statement;
use crate::mail::model::{Address, Message};
use crate::mail::state::MessageState;

pub async fn lock(conn: &mut AsyncPgConnection, id: Uuid) -> QueryResult<Option<Message>> {
    message::table.find(id).select(Message::as_select()).for_update().first(conn).await.optional()
}

/// The order that a message is about.
pub async fn find_order(conn: &mut AsyncPgConnection, id: Uuid) -> QueryResult<Option<OrderId>> {
    let found = message::table.find(id).select(message::order_id).first::<Option<OrderId>>(conn);
    Ok(found.await.optional()?.flatten())
}

/// Messages of an order to its buyer's address that no server has taken and that have something to report.
pub async fn lock_unsent(
    conn: &mut AsyncPgConnection,
    order: OrderId,
    recipient: &str,
) -> QueryResult<Vec<Message>> {
    message::table
        .filter(message::order_id.eq(order))
        .filter(message::recipient.eq(recipient))
        .filter(message::state.ne_all([MessageState::Sent, MessageState::Failed]))
        .order(message::id)
        .select(Message::as_select())
        .for_update()
        .load(conn)
        .await
}

pub async fn insert_attempt(
    conn: &mut AsyncPgConnection,
    id: Uuid,
    attempt: i32,
    masked: &str,
) -> QueryResult<usize> {
    Statement::new("insert into message_attempt (message_id, attempt, recipient) values ($1, $2, $3)")
        .bind::<SqlUuid, _>(id)
        .bind::<Integer, _>(attempt)
        .bind::<Text, _>(masked)
        .execute(conn)
        .await
}

/// Attempts whose worker died: nobody knows whether the server took the message.
pub async fn advance_lost_attempts(conn: &mut AsyncPgConnection, id: Uuid) -> QueryResult<usize> {
    Statement::new(
        "update message_attempt set outcome = 'unknown', ended_at = app_now(), \
         reason = 'the worker went away' where message_id = $1 and outcome is null",
    )
    .bind::<SqlUuid, _>(id)
    .execute(conn)
    .await
}

pub async fn advance_attempt(
    conn: &mut AsyncPgConnection,
    id: Uuid,
    attempt: i32,
    outcome: &str,
    reason: Option<&str>,
) -> QueryResult<usize> {
    Statement::new(
        "update message_attempt set outcome = $1, reason = $2, ended_at = app_now() \
         where message_id = $3 and attempt = $4 and outcome is null",
    )
    .bind::<Text, _>(outcome)
    .bind::<Nullable<Text>, _>(reason)
    .bind::<SqlUuid, _>(id)
    .bind::<Integer, _>(attempt)
    .execute(conn)
    .await
}

/// A report of a mail service, to be written.
pub struct NewReport<'a> {
    pub id: Uuid,
    pub webhook_id: &'a str,
    pub kind: &'static str,
    pub permanent: bool,
    pub message_id: Option<Uuid>,
    pub email_normalised: Option<&'a str>,
    pub provider_id: Option<&'a str>,
    pub reason: Option<&'a str>,
}

/// 0 rows: it came before.
pub async fn insert_report(conn: &mut AsyncPgConnection, report: &NewReport<'_>) -> QueryResult<usize> {
    Statement::new(
        "insert into mail_report (id, webhook_id, kind, permanent, message_id, email_normalised, provider_id, reason) \
         values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (webhook_id) do nothing",
    )
    .bind::<SqlUuid, _>(report.id)
    .bind::<Text, _>(report.webhook_id)
    .bind::<Text, _>(report.kind)
    .bind::<Bool, _>(report.permanent)
    .bind::<Nullable<SqlUuid>, _>(report.message_id)
    .bind::<Nullable<Text>, _>(report.email_normalised)
    .bind::<Nullable<Text>, _>(report.provider_id)
    .bind::<Nullable<Text>, _>(report.reason)
    .execute(conn)
    .await
}

/// Suppresses an address. 0 rows: it is already.
pub async fn insert_suppression(
    conn: &mut AsyncPgConnection,
    id: SuppressionId,
    email_normalised: &str,
    cause: &str,
    reason: Option<&str>,
) -> QueryResult<usize> {
    Statement::new(
        "insert into mail_suppression (id, email_normalised, cause, reason) values ($1, $2, $3, $4) \
         on conflict (email_normalised) where lifted_at is null do nothing",
    )
    .bind::<SqlUuid, _>(id.0)
    .bind::<Text, _>(email_normalised)
    .bind::<Text, _>(cause)
    .bind::<Nullable<Text>, _>(reason)
    .execute(conn)
    .await
}

/// Lifts a suppression. 0 rows: it is not there, or was lifted.
pub async fn advance_lifted(
    conn: &mut AsyncPgConnection,
    id: SuppressionId,
    by: UserId,
    reason: &str,
) -> QueryResult<usize> {
    Statement::new(
        "update mail_suppression set lifted_at = app_now(), lifted_by = $1, lift_reason = $2 \
         where id = $3 and lifted_at is null",
    )
    .bind::<SqlUuid, _>(by.0)
    .bind::<Text, _>(reason)
    .bind::<SqlUuid, _>(id.0)
    .execute(conn)
    .await
}

/// Of each order that has mails to this address, in the order of their ids: one at least that is in this state, of the last
/// days.
pub async fn list_orders_of_address(
    conn: &mut AsyncPgConnection,
    email_normalised: &str,
    state: MessageState,
) -> QueryResult<Vec<Address>> {
    Statement::new(
        "select distinct o.id as order_id, o.email as recipient from ( \
           select id, email from orders where email_normalised = $1 \
           union select order_id, email from order_gift where email_normalised = $2) o join message m on m.order_id = o.id \
         where m.recipient = o.email and m.state = $3 and m.created_at > app_now() - interval '30 days' \
         order by o.id limit 200",
    )
    .bind::<Text, _>(email_normalised)
    .bind::<Text, _>(email_normalised)
    .bind::<Text, _>(state.as_str())
    .load(conn)
    .await
}

/// Messages of an order to an address in a state.
pub async fn lock_in_state(
    conn: &mut AsyncPgConnection,
    to: &Address,
    state: MessageState,
) -> QueryResult<Vec<Message>> {
    message::table
        .filter(message::order_id.eq(to.order_id))
        .filter(message::recipient.eq(&to.recipient))
        .filter(message::state.eq(state))
        .order(message::id)
        .select(Message::as_select())
        .for_update()
        .load(conn)
        .await
}
