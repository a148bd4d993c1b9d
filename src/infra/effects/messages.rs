//! Messages to people as rows, written in the transaction that gives the reason for them (D3). A row names what is to
//! be told; the text is made when it is sent, so that no key ever lies in the outbox.

use diesel::sql_types::{Array, Jsonb, Nullable, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;
use uuid::Uuid;

use crate::base::ids::{MessageId, OrderId, UserId};
use crate::infra::db::statement::Statement;
use crate::infra::effects::jobs::{self, NewJob, Payload, payloads};

payloads! {
    /// Sends one message.
    "message.send" pub struct SendMessage { message: MessageId, }
}

/// A message to be sent. `kind` is a name of a mail text (`order_delivered`); one message of a kind exists per
/// `subject`.
#[derive(Clone, Debug)]
pub struct NewMessage {
    pub id: Uuid,
    pub kind: &'static str,
    pub subject: String,
    pub order_id: Option<OrderId>,
    pub user_id: Option<UserId>,
    pub recipient: String,
    pub locale: String,
    /// What the text needs beside the order or person: ids only.
    pub payload: Value,
}

const ENQUEUE: &str = "insert into message (id, kind, subject, order_id, user_id, recipient, locale, payload, message_id) \
    select id, kind, subject, order_id, user_id, recipient, locale, payload, id || '@dispense' \
    from unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::jsonb[]) \
      as added(id, kind, subject, order_id, user_id, recipient, locale, payload) \
    order by kind, subject on conflict (kind, subject) do nothing";

/// Writes the messages and the jobs that send them, two statements in all. A message that exists already is left as
/// it is; its second job finds nothing to do.
pub async fn enqueue(mut conn: &AsyncPgConnection, messages: &[NewMessage]) -> diesel::QueryResult<()> {
    if messages.is_empty() {
        return Ok(());
    }
    let jobs: Vec<NewJob> = messages.iter().map(send_job).collect();
    let rows = Statement::new(ENQUEUE)
        .bind::<Array<SqlUuid>, _>(messages.iter().map(|m| m.id).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(messages.iter().map(|m| m.kind).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(messages.iter().map(|m| m.subject.as_str()).collect::<Vec<_>>())
        .bind::<Array<Nullable<SqlUuid>>, _>(
            messages.iter().map(|m| m.order_id.map(|o| o.0)).collect::<Vec<_>>(),
        )
        .bind::<Array<Nullable<SqlUuid>>, _>(
            messages.iter().map(|m| m.user_id.map(|u| u.0)).collect::<Vec<_>>(),
        )
        .bind::<Array<Text>, _>(messages.iter().map(|m| m.recipient.as_str()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(messages.iter().map(|m| m.locale.as_str()).collect::<Vec<_>>())
        .bind::<Array<Jsonb>, _>(messages.iter().map(|m| m.payload.clone()).collect::<Vec<_>>())
        .execute(&mut conn);
    futures::try_join!(rows, jobs::add(conn, &jobs))?;
    Ok(())
}

fn send_job(message: &NewMessage) -> NewJob {
    SendMessage { message: MessageId(message.id) }.job()
}
