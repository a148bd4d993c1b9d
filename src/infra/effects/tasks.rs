//! The manual queue: trouble that only a person can end. The same trouble twice is one open row.

use diesel::QueryableByName;
use diesel::sql_types::{Array, Jsonb, Nullable, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;
use uuid::Uuid;

use crate::base::clock::Clock;
use crate::base::ids::{LineId, OrderId, PaymentId, TaskId, UserId};
use crate::infra::db::statement::Statement;
use crate::infra::effects::events::{self, Event};
use crate::infra::effects::record::{Field, FieldDoc, Record};

/// A kind of task. Declared with [`task_kinds!`].
pub trait TaskKind {
    const KIND: &'static str;
    /// What distinguishes one trouble of the kind from another.
    type Subject: Field;
    /// What is known about it; never a secret.
    type Body: Record;

    /// A task of this kind.
    fn open(subject: Self::Subject, body: Self::Body) -> NewTask {
        NewTask {
            id: None,
            kind: Self::KIND,
            subject: subject_text(&subject),
            order_id: None,
            payment_id: None,
            line_id: None,
            body: body.stored(),
        }
    }

    /// That this trouble is over.
    fn over(subject: Self::Subject) -> Over {
        Over { kind: Self::KIND, subject: subject_text(&subject) }
    }
}

/// A subject as it is stored.
fn subject_text(subject: &impl Field) -> String {
    match subject.stored() {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// A kind of task, for the documentation and for readers of stored tasks.
#[derive(Clone, Copy, Debug)]
pub struct TaskDoc {
    pub kind: &'static str,
    pub doc: &'static str,
    /// What the subject is.
    pub subject: fn() -> String,
    pub fields: &'static [FieldDoc],
    /// The public form of a stored subject; none when it is not of this kind.
    pub public_subject: fn(&str) -> Option<String>,
    /// The public form of a stored body; none when it is not of this kind.
    pub public_body: fn(&Value) -> Option<Value>,
}

/// The public form of a stored subject.
pub fn public_subject<T: Field>(stored: &str) -> Option<String> {
    let text = Value::String(stored.to_owned());
    let read = T::read(Some(&text)).or_else(|| T::read(serde_json::from_str(stored).ok().as_ref()))?;
    Some(match read.public() {
        Value::String(text) => text,
        other => other.to_string(),
    })
}

/// Declares the tasks of a feature: `"noun_trouble" Type(Subject, Record)`, and the list of them.
#[macro_export]
macro_rules! task_kinds {
    ($(#[doc = $list_doc:literal])* pub const $list:ident = [
        $($(#[doc = $doc:literal])* $kind:literal $name:ident($subject:ty, $body:ty),)*
    ];) => {
        $(
            $(#[doc = $doc])*
            pub struct $name;

            impl $crate::infra::effects::tasks::TaskKind for $name {
                const KIND: &'static str = $kind;
                type Subject = $subject;
                type Body = $body;
            }
        )*

        $(#[doc = $list_doc])*
        pub const $list: &[$crate::infra::effects::tasks::TaskDoc] = &[$(
            $crate::infra::effects::tasks::TaskDoc {
                kind: $kind,
                doc: concat!($($doc),*),
                subject: <$subject as $crate::infra::effects::record::Field>::form,
                fields: <$body as $crate::infra::effects::record::Record>::FIELDS,
                public_subject: $crate::infra::effects::tasks::public_subject::<$subject>,
                public_body: |body| {
                    let body = <$body as $crate::infra::effects::record::Record>::read(body)?;
                    Some($crate::infra::effects::record::Record::public(&body))
                },
            },
        )*];
    };
}
pub use crate::task_kinds;

/// A task to be opened.
#[derive(Clone, Debug)]
pub struct NewTask {
    id: Option<TaskId>,
    pub kind: &'static str,
    pub subject: String,
    pub order_id: Option<OrderId>,
    payment_id: Option<PaymentId>,
    line_id: Option<LineId>,
    body: Value,
}

impl NewTask {
    /// With an id that the caller had to know before.
    pub fn with_id(mut self, id: TaskId) -> Self {
        self.id = Some(id);
        self
    }

    pub fn of_order(mut self, id: impl Into<Option<OrderId>>) -> Self {
        self.order_id = id.into();
        self
    }

    pub fn of_payment(mut self, id: impl Into<Option<PaymentId>>) -> Self {
        self.payment_id = id.into();
        self
    }

    pub fn of_line(mut self, id: LineId) -> Self {
        self.line_id = Some(id);
        self
    }
}

/// A trouble that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Over {
    kind: &'static str,
    subject: String,
}

crate::record! {
    pub struct OfTask {
        /// The task's kind.
        task_kind: String,
    }

    pub struct Ended {
        /// The task's kind.
        task_kind: String,
        /// Whether a person wrote what was done; without one it ended by itself.
        noted: bool,
    }
}

crate::event_kinds! {
    /// Events of tasks.
    pub enum TaskEvent {
        /// Trouble that a person has to end.
        "task.opened" Opened(TaskId, OfTask),
        /// Somebody works on it.
        "task.taken" Taken(TaskId, OfTask),
        /// Nobody works on it any more.
        "task.released" Released(TaskId, OfTask),
        /// It is over.
        "task.resolved" Resolved(TaskId, Ended),
    }
}

/// A task that a statement has just opened or ended.
#[derive(QueryableByName)]
struct Changed {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    order_id: Option<Uuid>,
}

const OPEN: &str = "insert into task (id, kind, subject, order_id, payment_id, line_id, body) \
    select * from unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::uuid[], $6::uuid[], $7::jsonb[]) \
      as added(id, kind, subject, order_id, payment_id, line_id, body) \
    order by kind, subject on conflict do nothing returning id, kind, order_id";

/// Opens the tasks; those whose subject is open already are left as they are. Returns how many were opened.
pub async fn open(
    mut conn: &AsyncPgConnection,
    clock: &Clock,
    tasks: &[NewTask],
) -> diesel::QueryResult<usize> {
    if tasks.is_empty() {
        return Ok(0);
    }
    let opened: Vec<Changed> = Statement::new(OPEN)
        .bind::<Array<SqlUuid>, _>(
            tasks.iter().map(|t| t.id.map_or_else(|| clock.uuid(), |id| id.0)).collect::<Vec<_>>(),
        )
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
        .load(&mut conn)
        .await?;
    let event = |task: Changed| {
        let order = task.order_id.map(OrderId);
        TaskEvent::Opened(TaskId(task.id), OfTask { task_kind: task.kind }).by("system").of_order(order)
    };
    events::append(conn, &opened.into_iter().map(event).collect::<Vec<_>>()).await
}

const RESOLVE: &str = "update task t set state = 'resolved', resolved_at = app_now(), taken_by = null
    from unnest($1::text[], $2::text[]) as w (kind, subject)
    where t.kind = w.kind and t.subject = w.subject and t.state <> 'resolved' returning t.id, t.kind, t.order_id";

/// Ends tasks whose trouble is over. Returns how many were open.
pub async fn resolve(mut conn: &AsyncPgConnection, over: &[Over], actor: &str) -> diesel::QueryResult<usize> {
    if over.is_empty() {
        return Ok(0);
    }
    let ended: Vec<Changed> = Statement::new(RESOLVE)
        .bind::<Array<Text>, _>(over.iter().map(|o| o.kind).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(over.iter().map(|o| o.subject.as_str()).collect::<Vec<_>>())
        .load(&mut conn)
        .await?;
    let event = |task: Changed| {
        let order = task.order_id.map(OrderId);
        let ended = Ended { task_kind: task.kind, noted: false };
        TaskEvent::Resolved(TaskId(task.id), ended).by(actor).of_order(order)
    };
    events::append(conn, &ended.into_iter().map(event).collect::<Vec<_>>()).await
}

const ADVANCE: &str = "update task set state = w.after, taken_by = w.taken_by,
    resolved_at = case when w.after = 'resolved' then app_now() end
  from (select $1::uuid as id, $2::text as before, $3::text as after, $4::uuid as taken_by) w
  where task.id = w.id and task.state = w.before";

/// Moves a task from the state it was locked in.
pub async fn advance(
    conn: &mut AsyncPgConnection,
    id: TaskId,
    before: &'static str,
    after: &'static str,
    taken_by: Option<UserId>,
) -> diesel::QueryResult<usize> {
    Statement::new(ADVANCE)
        .bind::<SqlUuid, _>(id.0)
        .bind::<Text, _>(before)
        .bind::<Text, _>(after)
        .bind::<Nullable<SqlUuid>, _>(taken_by.map(|u| u.0))
        .execute(conn)
        .await
}
