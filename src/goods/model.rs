//! What a seller promises with a piece, as one column of variants and, as it was when it was bought, of order lines.

use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::Jsonb;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The terms of a piece. Each kind of goods keeps those that it knows; none is without limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromSqlRow, AsExpression)]
#[diesel(sql_type = Jsonb)]
#[serde(default)]
pub struct Terms {
    /// How often each file may be downloaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub download_limit: Option<i32>,
    /// For how many days files may be downloaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_days: Option<i32>,
    /// Whether later versions belong to the purchase.
    pub updates_included: bool,
    /// For how many days a piece that does not work is replaced; none: the seller does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warranty_days: Option<i32>,
    /// How often a piece is replaced under warranty at most; none: as often as its seller likes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replacement_limit: Option<i32>,
    /// How many pieces of a shared secret are sold at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sale_cap: Option<i32>,
    /// Whether it is sold while none of its suppliers answers.
    #[serde(skip_serializing_if = "is_true")]
    pub sold_while_down: bool,
    /// Whether the seller's own software asks for its keys: each is then a licence for devices.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub licensing: bool,
    /// On how many devices a licence is used at once; none: on any number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activation_limit: Option<i32>,
}

fn is_true(value: &bool) -> bool {
    *value
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            download_limit: None,
            access_days: None,
            updates_included: true,
            warranty_days: None,
            replacement_limit: None,
            sale_cap: None,
            sold_while_down: true,
            licensing: false,
            activation_limit: None,
        }
    }
}

impl FromSql<Jsonb, Pg> for Terms {
    fn from_sql(bytes: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(serde_json::from_value(<Value as FromSql<Jsonb, Pg>>::from_sql(bytes)?)?)
    }
}

impl ToSql<Jsonb, Pg> for Terms {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        <Value as ToSql<Jsonb, Pg>>::to_sql(&serde_json::to_value(self)?, &mut out.reborrow())
    }
}
