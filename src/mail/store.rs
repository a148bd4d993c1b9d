//! SQL of messages and their attempts.

use diesel::QueryResult;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Nullable, Text, Uuid as SqlUuid};
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

/// Begins the next attempt. 0 rows: somebody else did.
pub async fn advance_started(conn: &mut AsyncPgConnection, message: &Message) -> QueryResult<usize> {
    Statement::new(
        "update message set state = 'sending', attempts = attempts + 1 \
         where id = $1 and state = $2 and attempts = $3",
    )
    .bind::<SqlUuid, _>(message.id)
    .bind::<Text, _>(message.state)
    .bind::<Integer, _>(message.attempts)
    .execute(conn)
    .await
}

/// Ends what the given attempt began. 0 rows: a later attempt has begun or the message goes elsewhere, and this one's end
/// counts for nothing.
pub async fn advance(
    conn: &mut AsyncPgConnection,
    id: Uuid,
    attempt: i32,
    from: MessageState,
    to: MessageState,
) -> QueryResult<usize> {
    Statement::new(
        "update message set state = $1, sent_at = case when $2 = 'sent' then app_now() end \
         where id = $3 and state = $4 and attempts = $5",
    )
    .bind::<Text, _>(to)
    .bind::<Text, _>(to)
    .bind::<SqlUuid, _>(id)
    .bind::<Text, _>(from)
    .bind::<Integer, _>(attempt)
    .execute(conn)
    .await
}

/// Puts a message back into the queue with a fresh number of attempts, perhaps to a corrected address.
pub async fn advance_again(
    conn: &mut AsyncPgConnection,
    id: Uuid,
    from: MessageState,
    recipient: Option<&str>,
) -> QueryResult<usize> {
    Statement::new(
        "update message set state = 'queued', attempts_before = attempts, recipient = coalesce($1, recipient) \
         where id = $2 and state = $3",
    )
    .bind::<Nullable<Text>, _>(recipient)
    .bind::<SqlUuid, _>(id)
    .bind::<Text, _>(from)
    .execute(conn)
    .await
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

/// Jobs for messages that wait for some minutes and have none: the row was written by hand, or its job was lost. A
/// dead job is a person's, and counts as one.
pub async fn insert_missing_jobs(conn: &mut AsyncPgConnection, limit: i64) -> QueryResult<usize> {
    Statement::new(
        "insert into job (kind, dedupe_key, payload) \
         select 'message.send', m.id::text, jsonb_build_object('message', m.id) from message m \
         where m.state in ('queued', 'sending') and m.created_at < app_now() - interval '10 minutes' \
           and not exists (select 1 from job j where j.kind = 'message.send' and j.dedupe_key = m.id::text \
             and j.state <> 'done') \
         order by m.created_at limit $1 on conflict do nothing",
    )
    .bind::<BigInt, _>(limit)
    .execute(conn)
    .await
}
