//! A key as its licence, and the devices it is used on.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use serde_json::Value;

use crate::base::ids::{ActivationId, KeyId, LineId, OrderId, ProductId, SellerId, UnitId, VariantId};
use crate::goods::Terms;
use crate::orders::{OrderState, UnitState};
use crate::vault::state::KeyState;

/// A key with everything that says whether it is good now.
#[derive(Clone, Debug, QueryableByName)]
pub struct LicenceRow {
    #[diesel(sql_type = SqlUuid)]
    pub key_id: KeyId,
    #[diesel(sql_type = SqlUuid)]
    pub seller_id: SellerId,
    #[diesel(sql_type = SqlUuid)]
    pub product_id: ProductId,
    #[diesel(sql_type = SqlUuid)]
    pub variant_id: VariantId,
    #[diesel(sql_type = Text)]
    pub key_state: KeyState,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub expires_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub sold_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub unit_id: Option<UnitId>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub order_id: Option<OrderId>,
    #[diesel(sql_type = Nullable<Text>)]
    pub unit_state: Option<UnitState>,
    #[diesel(sql_type = Nullable<Text>)]
    pub order_state: Option<OrderState>,
    #[diesel(sql_type = Nullable<Text>)]
    pub hold: Option<String>,
    /// The order's money went to the buyer by a dispute.
    #[diesel(sql_type = Bool)]
    pub is_lost: bool,
    /// The terms as they were when it was bought.
    #[diesel(sql_type = Nullable<Jsonb>)]
    pub bought: Option<Terms>,
    /// The terms as the seller offers them at this moment.
    #[diesel(sql_type = Jsonb)]
    pub offered: Terms,
    /// On how many devices it is used.
    #[diesel(sql_type = BigInt)]
    pub used: i64,
    #[diesel(sql_type = Timestamptz)]
    pub now: DateTime<Utc>,
    /// Its use on the device that was asked about.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    activation_id: Option<ActivationId>,
    #[diesel(sql_type = Nullable<Text>)]
    name: Option<String>,
    #[diesel(sql_type = Nullable<Jsonb>)]
    metadata: Option<Value>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    activated_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    last_seen_at: Option<DateTime<Utc>>,
}

impl LicenceRow {
    /// On how many devices it may be used at once; none: on any number. What was bought counts, so that a limit that the
    /// seller sets later binds later buyers alone.
    pub fn limit(&self) -> Option<i32> {
        self.bought.as_ref().and_then(|terms| terms.activation_limit)
    }

    pub fn is_full(&self) -> bool {
        self.limit().is_some_and(|limit| self.used >= i64::from(limit))
    }

    /// Whether that a device asked is to be written: at most once an hour.
    pub(super) fn is_due_to_be_seen(&self) -> bool {
        self.last_seen_at.is_some_and(|seen| seen + TimeDelta::hours(1) <= self.now)
    }

    /// That the device asked was written, if not by this question then by one at the same time.
    pub(super) fn seen(&mut self, at: Option<DateTime<Utc>>) -> DateTime<Utc> {
        *self.last_seen_at.insert(at.unwrap_or(self.now))
    }

    /// Its use on the device that was asked about; none: it is not active there.
    pub fn activation(&self) -> Option<Activation> {
        Some(Activation {
            id: self.activation_id?,
            unit_id: self.unit_id?,
            name: self.name.clone()?,
            metadata: self.metadata.clone()?,
            activated_at: self.activated_at?,
            last_seen_at: self.last_seen_at?,
        })
    }
}

/// A device on which a licence is used.
#[derive(Clone, Debug, PartialEq, QueryableByName)]
pub struct Activation {
    #[diesel(sql_type = SqlUuid)]
    pub id: ActivationId,
    #[diesel(sql_type = SqlUuid)]
    pub unit_id: UnitId,
    /// The device's name, as people read it.
    #[diesel(sql_type = Text)]
    pub name: String,
    /// What the software keeps with it.
    #[diesel(sql_type = Jsonb)]
    pub metadata: Value,
    #[diesel(sql_type = Timestamptz)]
    pub activated_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    pub last_seen_at: DateTime<Utc>,
}

/// Whose an activation is.
#[derive(Clone, Copy, Debug, QueryableByName)]
pub struct Owned {
    #[diesel(sql_type = SqlUuid)]
    pub id: ActivationId,
    #[diesel(sql_type = SqlUuid)]
    pub key_id: KeyId,
    #[diesel(sql_type = SqlUuid)]
    pub unit_id: UnitId,
    #[diesel(sql_type = SqlUuid)]
    pub line_id: LineId,
    #[diesel(sql_type = SqlUuid)]
    pub order_id: OrderId,
    #[diesel(sql_type = SqlUuid)]
    pub seller_id: SellerId,
}

/// The seller of a product.
#[derive(QueryableByName)]
pub(super) struct SellerRow {
    #[diesel(sql_type = SqlUuid)]
    pub seller_id: SellerId,
}

/// When a device was last seen.
#[derive(QueryableByName)]
pub(super) struct SeenRow {
    #[diesel(sql_type = Timestamptz)]
    pub last_seen_at: DateTime<Utc>,
}

/// An activation by its id alone.
#[derive(QueryableByName)]
pub(super) struct ActivationRow {
    #[diesel(sql_type = SqlUuid)]
    pub id: ActivationId,
}
