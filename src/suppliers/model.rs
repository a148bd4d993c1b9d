//! Rows of suppliers and purchases. Secrets are in them sealed, texts that were bought are in the vault.

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::{
    BigInt, Bytea, Double, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::base::ids::{KeyId, OrderId, SellerId, SupplierId, SupplierPurchaseId, UnitId, VariantId};
use crate::suppliers::state::PurchaseState;

crate::text_column!(PurchaseState, SupplierState);

/// Whether anything is bought there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SupplierState {
    Active,
    Paused,
}

impl SupplierState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::Paused].into_iter().find(|state| state.as_str() == text)
    }
}

/// Names of the fields that are sent, JSON pointers (RFC 6901) to those of the answer, and the words for its states.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromSqlRow, AsExpression)]
#[diesel(sql_type = Jsonb)]
#[serde(default)]
pub struct Mapping {
    /// Names in the request.
    pub request_id: String,
    pub product: String,
    pub max_price: String,
    pub currency: String,
    pub callback_url: String,
    /// Pointers into the answer. `texts` leads to one text or to a list of them.
    pub answer_request_id: String,
    pub answer_state: String,
    pub answer_texts: String,
    pub answer_price: String,
    pub answer_currency: String,
    pub answer_reference: String,
    pub answer_reason: String,
    /// Words of the answer's state.
    pub delivered: Vec<String>,
    pub pending: Vec<String>,
    pub refused: Vec<String>,
}

impl FromSql<Jsonb, Pg> for Mapping {
    fn from_sql(bytes: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(serde_json::from_value(<Value as FromSql<Jsonb, Pg>>::from_sql(bytes)?)?)
    }
}

impl ToSql<Jsonb, Pg> for Mapping {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        <Value as ToSql<Jsonb, Pg>>::to_sql(&serde_json::to_value(self)?, &mut out.reborrow())
    }
}

/// A connection to a supplier.
#[derive(Clone, Debug, QueryableByName)]
pub struct Supplier {
    #[diesel(sql_type = SqlUuid)]
    pub id: SupplierId,
    #[diesel(sql_type = SqlUuid)]
    pub seller_id: SellerId,
    #[diesel(sql_type = Text)]
    pub name: String,
    /// Where purchases are sent.
    #[diesel(sql_type = Text)]
    pub url: String,
    /// Where one asks about them: contains `{request_id}`.
    #[diesel(sql_type = Nullable<Text>)]
    pub status_url: Option<String>,
    /// Of all its prices.
    #[diesel(sql_type = Text)]
    pub currency: String,
    #[diesel(sql_type = Integer)]
    pub timeout_seconds: i32,
    #[diesel(sql_type = Jsonb)]
    pub mapping: Mapping,
    #[diesel(sql_type = Text)]
    pub state: SupplierState,
    /// Why the program itself paused it; an open code.
    #[diesel(sql_type = Nullable<Text>)]
    pub paused_for: Option<String>,
    #[diesel(sql_type = SqlUuid)]
    pub(super) data_key_id: Uuid,
    #[diesel(sql_type = Bytea)]
    pub(super) secret: Vec<u8>,
    #[diesel(sql_type = Nullable<Bytea>)]
    pub(super) old_secret: Option<Vec<u8>>,
    /// Until when the secret before signs and verifies too.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub old_secret_until: Option<DateTime<Utc>>,
    /// Failed calls in a row.
    #[diesel(sql_type = Integer)]
    pub failures: i32,
    /// Nothing is sent before this time.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub open_until: Option<DateTime<Utc>>,
    /// Grows with each edit.
    #[diesel(sql_type = Integer)]
    pub version: i32,
    #[diesel(sql_type = Timestamptz)]
    pub created_at: DateTime<Utc>,
}

/// Where pieces of a variant are bought, and for how much at most.
#[derive(Clone, Debug, QueryableByName)]
pub struct PricedOffer {
    #[diesel(sql_type = SqlUuid)]
    pub variant_id: VariantId,
    #[diesel(sql_type = SqlUuid)]
    pub supplier_id: SupplierId,
    /// The first is asked first.
    #[diesel(sql_type = Integer)]
    pub position: i32,
    /// What the supplier calls it.
    #[diesel(sql_type = Text)]
    pub product: String,
    /// Minor units of the supplier's currency.
    #[diesel(sql_type = BigInt)]
    pub max_price_minor: i64,
    #[diesel(sql_type = Text)]
    pub currency: String,
}

/// One piece that is bought for one unit.
#[derive(Clone, Debug, QueryableByName)]
pub struct Purchase {
    #[diesel(sql_type = SqlUuid)]
    pub id: SupplierPurchaseId,
    #[diesel(sql_type = SqlUuid)]
    pub seller_id: SellerId,
    #[diesel(sql_type = SqlUuid)]
    pub supplier_id: SupplierId,
    #[diesel(sql_type = SqlUuid)]
    pub order_id: OrderId,
    #[diesel(sql_type = SqlUuid)]
    pub unit_id: UnitId,
    #[diesel(sql_type = SqlUuid)]
    pub variant_id: VariantId,
    /// Grows when a person has all suppliers tried again.
    #[diesel(sql_type = Integer)]
    pub round: i32,
    /// What it is called at the supplier.
    #[diesel(sql_type = Text)]
    pub request_id: String,
    #[diesel(sql_type = Text)]
    pub product: String,
    /// Minor units.
    #[diesel(sql_type = BigInt)]
    pub max_price_minor: i64,
    #[diesel(sql_type = Text)]
    pub currency: String,
    #[diesel(sql_type = Text)]
    pub state: PurchaseState,
    /// Calls made: purchases and questions.
    #[diesel(sql_type = Integer)]
    pub calls: i32,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub sent_at: Option<DateTime<Utc>>,
    /// Seconds until it is to be looked at again, by the database's clock; none are left when it is due.
    #[diesel(sql_type = Double)]
    pub wait: f64,
    #[diesel(sql_type = Nullable<Text>)]
    pub reference: Option<String>,
    /// Why it was refused, quarantined or abandoned; an open code.
    #[diesel(sql_type = Nullable<Text>)]
    pub reason: Option<String>,
    /// What was paid, minor units; none when the supplier does not say.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub price_minor: Option<i64>,
    /// What was bought.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub key_id: Option<KeyId>,
    #[diesel(sql_type = Timestamptz)]
    pub created_at: DateTime<Utc>,
}
