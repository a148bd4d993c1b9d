//! Rows of orders, lines and units.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde_json::Value;

use crate::base::ids::{ApiClientId, LineId, OrderId, ProductId, SellerId, UnitId, UserId, VariantId};
use crate::base::money::{Currency, Money};
use crate::goods::Terms;
use crate::infra::db::schema::{order_line, orders, unit};
use crate::orders::state::OrderState;
use crate::orders::unit::UnitState;
use crate::text_column;

text_column!(OrderState, UnitState);

/// One order. Amounts are minor units of `currency`.
#[derive(Clone, Debug, Queryable, Selectable, QueryableByName)]
#[diesel(table_name = orders, check_for_backend(diesel::pg::Pg))]
pub struct Order {
    pub id: OrderId,
    pub number: String,
    pub state: OrderState,
    pub currency: Currency,
    pub subtotal_minor: i64,
    pub discount_minor: i64,
    pub total_minor: i64,
    pub user_id: Option<UserId>,
    pub email: Option<String>,
    pub email_normalised: Option<String>,
    /// The buyer's mailbox as limits see it, and whether its reader signed in with it or typed a mailed code.
    pub mailbox: Option<String>,
    pub mailbox_proven: bool,
    /// Some line has a limit per buyer.
    pub limited: bool,
    pub locale: String,
    pub api_client_id: Option<ApiClientId>,
    pub reference: Option<String>,
    pub metadata: Value,
    pub access_generation: i32,
    pub placed_at: DateTime<Utc>,
    pub pay_by: DateTime<Utc>,
    pub paid_at: Option<DateTime<Utc>>,
    pub delivered_at: Option<DateTime<Utc>>,
    pub cancelled_at: Option<DateTime<Utc>>,
    pub closed_at: Option<DateTime<Utc>>,
}

impl Order {
    pub fn total(&self) -> Money {
        Money::new(self.total_minor, self.currency)
    }
}

/// One line, as it was when it was bought. That of a bundle has no units: those are its parts'.
#[derive(Clone, Debug, Queryable, Selectable, QueryableByName)]
#[diesel(table_name = order_line, check_for_backend(diesel::pg::Pg))]
pub struct Line {
    pub id: LineId,
    pub seller_id: SellerId,
    pub order_id: OrderId,
    /// Of a part: the line of the bundle.
    pub parent_line_id: Option<LineId>,
    pub position: i32,
    pub product_id: ProductId,
    pub variant_id: VariantId,
    pub title: String,
    pub variant_title: String,
    pub kind: String,
    pub quantity: i32,
    pub partial_delivery: bool,
    pub mail_policy: String,
    pub unit_minor: i64,
    pub discount_minor: i64,
    pub total_minor: i64,
    pub currency: Currency,
    pub locale: String,
    /// What was promised when it was bought.
    pub terms: Terms,
    /// Until when keys were held for it when it was placed; none: none were.
    pub reserved_until: Option<DateTime<Utc>>,
    /// Of a part: how many pieces of it were in one bundle.
    pub part_quantity: Option<i32>,
}

/// One piece sold.
#[derive(Clone, Debug, Queryable, Selectable, QueryableByName)]
#[diesel(table_name = unit, check_for_backend(diesel::pg::Pg))]
pub struct Unit {
    pub id: UnitId,
    pub seller_id: SellerId,
    pub order_id: OrderId,
    pub line_id: LineId,
    pub variant_id: VariantId,
    pub unit_no: i32,
    pub state: UnitState,
    pub total_minor: i64,
    pub assigned_at: Option<DateTime<Utc>>,
    pub waiting_since: Option<DateTime<Utc>>,
    pub revealed_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    pub superseded_by: Option<UnitId>,
}
