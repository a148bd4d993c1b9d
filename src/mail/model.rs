//! Rows of messages and what their texts are made of.

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Uuid as SqlUuid};
use serde_json::Value;
use uuid::Uuid;

use crate::base::ids::{LineId, OrderId, SuppressionId, UnitId, UserId};
use crate::infra::db::schema::{mail_suppression, message};
use crate::mail::state::MessageState;

crate::text_column!(MessageState);

/// One message of the outbox.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = message, check_for_backend(diesel::pg::Pg))]
pub struct Message {
    pub id: Uuid,
    pub kind: String,
    pub subject: String,
    pub order_id: Option<OrderId>,
    pub user_id: Option<UserId>,
    pub recipient: String,
    pub locale: String,
    pub payload: Value,
    pub state: MessageState,
    pub message_id: String,
    /// All attempts so far, and those before a person had it sent again.
    pub attempts: i32,
    pub attempts_before: i32,
    pub created_at: DateTime<Utc>,
}

/// A line of an order as far as its mail names it.
#[derive(Clone, Debug, QueryableByName)]
pub struct MailLine {
    #[diesel(sql_type = SqlUuid)]
    pub id: LineId,
    #[diesel(sql_type = Text)]
    pub kind: String,
    #[diesel(sql_type = Text)]
    pub title: String,
    #[diesel(sql_type = Text)]
    pub variant_title: String,
    #[diesel(sql_type = Text)]
    pub mail_policy: String,
    /// Of a part: what its bundle is called.
    #[diesel(sql_type = Nullable<Text>)]
    pub bundle_title: Option<String>,
    /// Of what is sent: those that may leave the shop now.
    #[diesel(sql_type = Array<SqlUuid>)]
    pub units: Vec<UnitId>,
    #[diesel(sql_type = BigInt)]
    pub waiting: i64,
    /// Those of the waiting that only a person can deliver.
    #[diesel(sql_type = BigInt)]
    pub by_person: i64,
}

/// Where mails about an order went.
#[derive(Clone, Debug, QueryableByName)]
pub struct Address {
    #[diesel(sql_type = SqlUuid)]
    pub order_id: OrderId,
    #[diesel(sql_type = Text)]
    pub recipient: String,
}

/// An address that no mail is sent to, or was not for a time.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = mail_suppression, check_for_backend(diesel::pg::Pg))]
pub struct Suppression {
    pub id: SuppressionId,
    pub email_normalised: String,
    pub cause: String,
    /// What the service or the mail server said, with addresses masked.
    pub reason: Option<String>,
    pub created_at: DateTime<Utc>,
    pub lifted_at: Option<DateTime<Utc>>,
    pub lifted_by: Option<UserId>,
    pub lift_reason: Option<String>,
}
