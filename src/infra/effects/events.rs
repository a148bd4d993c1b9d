//! What happened, written in the transaction in which it happened. Each feature declares its kinds of events with
//! [`event_kinds!`]: an enum whose variants hold the object's id and a record of ids, states and numbers, never personal data or
//! secrets, because the audit chain keeps it for ever.

use diesel::sql_types::{Array, Jsonb, Nullable, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;
use uuid::Uuid;

use crate::base::ids::{OrderId, SHOP, SellerId};
use crate::infra::db::statement::Statement;
use crate::infra::effects::record::FieldDoc;
use crate::infra::sequence::Numbered;

/// A kind of event, for the documentation and for readers of stored events.
#[derive(Clone, Copy, Debug)]
pub struct EventKind {
    /// `noun.verbed`.
    pub kind: &'static str,
    pub doc: &'static str,
    /// The prefix of the object's public id.
    pub object: &'static str,
    pub fields: &'static [FieldDoc],
    /// The public form of a stored body; none when it is not of this kind.
    pub public: fn(&Value) -> Option<Value>,
}

/// Who may see events of a kind beside those that this sees. Staff sees all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Audience {
    /// Nobody else.
    Staff,
    /// Also the seller whose they are.
    Seller,
    /// Also the API client whose order they are about.
    Client,
}

/// All kinds of events, which are gathered above the features: for features that pass events on.
#[derive(Clone, Copy)]
pub struct KnownEvents {
    /// The kinds that this audience sees.
    pub seen_by: fn(Audience) -> &'static [&'static str],
    /// The public form of a stored event.
    pub public: fn(&Numbered) -> Value,
}

/// The events of one feature. Implemented by [`event_kinds!`].
pub trait Event: Sized {
    const KINDS: &'static [EventKind];

    fn kind(&self) -> &'static str;

    fn object_id(&self) -> Uuid;

    /// The order that the object is, when it is one.
    fn order_id(&self) -> Option<OrderId>;

    fn body(&self) -> Value;

    /// A stored event as what it was; none for those of other features.
    fn read(kind: &str, object_id: Uuid, body: &Value) -> Option<Self>;

    /// As a row of the shop itself, done by `actor`.
    fn by(self, actor: impl Into<String>) -> NewEvent {
        NewEvent {
            seller_id: SHOP,
            kind: self.kind(),
            object_id: self.object_id(),
            order_id: self.order_id(),
            actor: actor.into(),
            body: self.body(),
        }
    }
}

/// Declares the events of a feature: `"noun.verbed" Variant(ObjectId, Record)`.
#[macro_export]
macro_rules! event_kinds {
    ($(#[doc = $doc:literal])* pub enum $name:ident {
        $($(#[doc = $event_doc:literal])* $kind:literal $variant:ident($object:ty, $body:ty),)*
    }) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub enum $name { $($(#[doc = $event_doc])* $variant($object, $body),)* }

        impl $crate::infra::effects::events::Event for $name {
            const KINDS: &'static [$crate::infra::effects::events::EventKind] = &[$(
                $crate::infra::effects::events::EventKind {
                    kind: $kind,
                    doc: concat!($($event_doc),*),
                    object: <$object>::PREFIX,
                    fields: <$body as $crate::infra::effects::record::Record>::FIELDS,
                    public: |body| {
                        let body = <$body as $crate::infra::effects::record::Record>::read(body)?;
                        Some($crate::infra::effects::record::Record::public(&body))
                    },
                },
            )*];

            fn kind(&self) -> &'static str {
                match self { $(Self::$variant(..) => $kind,)* }
            }

            fn object_id(&self) -> uuid::Uuid {
                match self { $(Self::$variant(object, _) => object.0,)* }
            }

            fn order_id(&self) -> Option<$crate::base::ids::OrderId> {
                let order = match self { $(Self::$variant(object, _) => {
                    (<$object>::PREFIX == $crate::base::ids::OrderId::PREFIX).then_some(object.0)
                })* };
                order.map($crate::base::ids::OrderId)
            }

            fn body(&self) -> serde_json::Value {
                match self {
                    $(Self::$variant(_, body) => $crate::infra::effects::record::Record::stored(body),)*
                }
            }

            fn read(kind: &str, object_id: uuid::Uuid, body: &serde_json::Value) -> Option<Self> {
                match kind {
                    $($kind => {
                        let body = <$body as $crate::infra::effects::record::Record>::read(body)?;
                        Some(Self::$variant(<$object>::from(object_id), body))
                    })*
                    _ => None,
                }
            }
        }
    };
}
pub use crate::event_kinds;

/// An event to be recorded.
#[derive(Clone, Debug)]
pub struct NewEvent {
    seller_id: SellerId,
    kind: &'static str,
    object_id: Uuid,
    order_id: Option<OrderId>,
    actor: String,
    body: Value,
}

impl NewEvent {
    pub fn of_order(mut self, order_id: impl Into<Option<OrderId>>) -> Self {
        self.order_id = order_id.into();
        self
    }

    pub fn of_seller(mut self, seller_id: SellerId) -> Self {
        self.seller_id = seller_id;
        self
    }
}

const APPEND: &str = "insert into event (seller_id, kind, object_id, order_id, actor, body) \
    select * from unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::text[], $6::jsonb[])";

/// Appends the events in order, in one statement. Their sequence numbers come after the commit.
pub async fn append(mut conn: &AsyncPgConnection, events: &[NewEvent]) -> diesel::QueryResult<usize> {
    if events.is_empty() {
        return Ok(0);
    }
    Statement::new(APPEND)
        .bind::<Array<SqlUuid>, _>(events.iter().map(|e| e.seller_id.0).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(events.iter().map(|e| e.kind).collect::<Vec<_>>())
        .bind::<Array<SqlUuid>, _>(events.iter().map(|e| e.object_id).collect::<Vec<_>>())
        .bind::<Array<Nullable<SqlUuid>>, _>(
            events.iter().map(|e| e.order_id.map(|o| o.0)).collect::<Vec<_>>(),
        )
        .bind::<Array<Text>, _>(events.iter().map(|e| e.actor.as_str()).collect::<Vec<_>>())
        .bind::<Array<Jsonb>, _>(events.iter().map(|e| e.body.clone()).collect::<Vec<_>>())
        .execute(&mut conn)
        .await
}
