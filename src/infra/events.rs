//! What happened, written in the transaction in which it happened.

use diesel::sql_types::{Array, Jsonb, Nullable, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;
use uuid::Uuid;

use crate::base::ids::{OrderId, SHOP, SellerId};
use crate::infra::db::statement::Statement;

/// A fact to be recorded. `kind` is `noun.verbed`; `body` holds ids, states and numbers, never personal data or
/// secrets, because the audit chain keeps it for ever.
#[derive(Clone, Debug)]
pub struct NewEvent {
    pub seller_id: SellerId,
    pub kind: &'static str,
    pub object_id: Uuid,
    pub order_id: Option<OrderId>,
    pub actor: String,
    pub body: Value,
}

impl NewEvent {
    /// An event of the shop itself.
    pub fn shop(
        kind: &'static str,
        object_id: impl Into<Uuid>,
        actor: impl Into<String>,
        body: Value,
    ) -> Self {
        Self { seller_id: SHOP, kind, object_id: object_id.into(), order_id: None, actor: actor.into(), body }
    }

    pub fn of_order(mut self, order_id: OrderId) -> Self {
        self.order_id = Some(order_id);
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
