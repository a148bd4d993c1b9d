//! Messages to people as rows, written in the transaction that gives the reason for them (D3). A row names what the
//! mail is about; the text is made when it is sent, so that no key is ever stored with it.

use diesel::QueryResult;
use diesel::sql_types::{Array, BigInt, Integer, Jsonb, Nullable, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;
use uuid::Uuid;

use crate::base::clock::Clock;
use crate::base::ids::{MessageId, OrderId, UserId};
use crate::infra::db::statement::Statement;
use crate::infra::effects::jobs::{self, NewJob, Payload, payloads};
use crate::infra::effects::record::Record;

payloads! {
    /// Sends one message.
    "message.send" pub struct SendMessage { message: MessageId, }
}

/// A kind of message, which is the name of its text. Declared with [`message_kinds!`].
pub trait MessageKind {
    const KIND: &'static str;
    /// What the text needs beside the order or person: ids and numbers only.
    type Payload: Record;

    /// A message to this address. One message of a kind exists per `subject`.
    fn to(recipient: &str, locale: &str, subject: String, payload: Self::Payload) -> NewMessage {
        NewMessage {
            kind: Self::KIND,
            subject,
            order_id: None,
            user_id: None,
            recipient: recipient.to_owned(),
            locale: locale.to_owned(),
            payload: payload.stored(),
        }
    }
}

/// Declares the messages of a feature: `"noun_verbed" Type(Record)`.
#[macro_export]
macro_rules! message_kinds {
    ($($(#[doc = $doc:literal])* $kind:literal $name:ident($payload:ty);)*) => {$(
        $(#[doc = $doc])*
        pub struct $name;

        impl $crate::infra::effects::messages::MessageKind for $name {
            const KIND: &'static str = $kind;
            type Payload = $payload;
        }
    )*};
}
pub use crate::message_kinds;

/// A message to be sent.
#[derive(Clone, Debug)]
pub struct NewMessage {
    kind: &'static str,
    subject: String,
    order_id: Option<OrderId>,
    user_id: Option<UserId>,
    recipient: String,
    locale: String,
    payload: Value,
}

impl NewMessage {
    pub fn of_order(mut self, id: impl Into<Option<OrderId>>) -> Self {
        self.order_id = id.into();
        self
    }

    pub fn of_user(mut self, id: impl Into<Option<UserId>>) -> Self {
        self.user_id = id.into();
        self
    }
}

const ENQUEUE: &str = "insert into message (id, kind, subject, order_id, user_id, recipient, locale, payload, message_id) \
    select id, kind, subject, order_id, user_id, recipient, locale, payload, id || '@dispense' \
    from unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::jsonb[]) \
      as added(id, kind, subject, order_id, user_id, recipient, locale, payload) \
    order by kind, subject on conflict (kind, subject) do nothing";

/// Writes the messages and the jobs that send them, two statements in all. A message that exists already is left as
/// it is; its second job finds nothing to do.
pub async fn enqueue(
    mut conn: &AsyncPgConnection,
    clock: &Clock,
    messages: &[NewMessage],
) -> diesel::QueryResult<()> {
    if messages.is_empty() {
        return Ok(());
    }
    let ids: Vec<MessageId> = messages.iter().map(|_| MessageId(clock.uuid())).collect();
    let jobs: Vec<NewJob> = ids.iter().map(|id| SendMessage { message: *id }.job()).collect();
    let rows = Statement::new(ENQUEUE)
        .bind::<Array<SqlUuid>, _>(ids.iter().map(|id| id.0).collect::<Vec<_>>())
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

/// What a Message-ID has in place of a domain before the first attempt.
const NO_DOMAIN: &str = "@dispense";

/// The Message-ID with the sender's domain. One that has a domain keeps it, whoever the sender is now: repeats are the same mail.
pub fn of_domain(message_id: &str, domain: &str) -> String {
    match message_id.strip_suffix(NO_DOMAIN) {
        Some(local) => format!("{local}@{domain}"),
        None => message_id.to_owned(),
    }
}

/// Begins the next attempt, under this Message-ID. `before`: state and attempts. 0 rows: somebody else did.
pub async fn advance_started(
    conn: &mut AsyncPgConnection,
    id: Uuid,
    before: (&'static str, i32),
    message_id: &str,
) -> QueryResult<usize> {
    Statement::new(
        "update message set state = 'sending', attempts = attempts + 1, message_id = $1 \
         where id = $2 and state = $3 and attempts = $4",
    )
    .bind::<Text, _>(message_id)
    .bind::<SqlUuid, _>(id)
    .bind::<Text, _>(before.0)
    .bind::<Integer, _>(before.1)
    .execute(conn)
    .await
}

/// Keeps what a repeat of the message must know of its first attempt.
pub async fn keep<P: Record>(conn: &mut AsyncPgConnection, id: Uuid, payload: &P) -> QueryResult<usize> {
    Statement::new("update message set payload = $1 where id = $2")
        .bind::<Jsonb, _>(payload.stored())
        .bind::<SqlUuid, _>(id)
        .execute(conn)
        .await
}

/// Ends what the given attempt began. 0 rows: a later attempt has begun or the message goes elsewhere, and this one's end
/// counts for nothing.
pub async fn advance(
    conn: &mut AsyncPgConnection,
    id: Uuid,
    attempt: i32,
    from: &'static str,
    to: &'static str,
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

/// What came back needs a person. 0 rows: it is not a sent message any more.
pub async fn advance_bounced(conn: &mut AsyncPgConnection, id: Uuid) -> QueryResult<usize> {
    Statement::new(
        "update message set state = 'needs_attention', sent_at = null, bounced_at = app_now() \
         where id = $1 and state = 'sent'",
    )
    .bind::<SqlUuid, _>(id)
    .execute(conn)
    .await
}

/// Sends a message that was not sent yet to another address than it was written for. Nothing of it was there before: what
/// its attempts had in them counts for nothing.
pub async fn advance_recipient(
    conn: &mut AsyncPgConnection,
    id: Uuid,
    from: &'static str,
    recipient: &str,
) -> QueryResult<usize> {
    Statement::new(
        "update message set recipient = $1, payload = payload - 'pieces' where id = $2 and state = $3",
    )
    .bind::<Text, _>(recipient)
    .bind::<SqlUuid, _>(id)
    .bind::<Text, _>(from)
    .execute(conn)
    .await
}

/// Puts a message back into the queue with a fresh number of attempts, perhaps to a corrected address. Elsewhere it is another mail:
/// what is reported of the one before says nothing about this one, and neither does what it had in it.
pub async fn advance_again(
    conn: &mut AsyncPgConnection,
    id: Uuid,
    from: &'static str,
    recipient: Option<&str>,
) -> QueryResult<usize> {
    Statement::new(
        "update message set state = 'queued', attempts_before = attempts, bounced_at = null, \
         message_id = case when $1 <> recipient then id || '.' || attempts || '@dispense' else message_id end, \
         payload = case when $1 <> recipient then payload - 'pieces' else payload end, \
         recipient = coalesce($1, recipient) where id = $2 and state = $3",
    )
    .bind::<Nullable<Text>, _>(recipient)
    .bind::<SqlUuid, _>(id)
    .bind::<Text, _>(from)
    .execute(conn)
    .await
}

/// Jobs for messages that wait for some minutes and have none: the row was written by hand, or its job was lost. A
/// dead job is a person's, and counts as one.
pub async fn add_missing_jobs(conn: &mut AsyncPgConnection, limit: i64) -> QueryResult<usize> {
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
