//! SQL of messages and their attempts. The rows of messages belong to `infra/effects`, which writes them.

use diesel::QueryResult;
use diesel::prelude::*;
use diesel::sql_types::{Integer, Nullable, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::base::ids::OrderId;
use crate::infra::db::schema::message;
use crate::infra::db::statement::Statement;
use crate::mail::model::Message;
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
