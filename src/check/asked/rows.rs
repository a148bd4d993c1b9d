//! What is written here of the payments that are asked about. Amounts are minor units.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Bool, Nullable, Text, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::RefundId;
use crate::base::money::{Currency, Money};
use crate::payments::gateways::gateway::PaymentRef;

#[derive(Clone, Debug, QueryableByName)]
pub(super) struct AskedRow {
    #[diesel(sql_type = Text)]
    pub id: String,
    #[diesel(sql_type = Text)]
    pub account_id: String,
    #[diesel(sql_type = Nullable<Text>)]
    pub gateway_number: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub gateway_reference: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub trade_no: Option<String>,
    #[diesel(sql_type = Text)]
    pub state: String,
    #[diesel(sql_type = BigInt)]
    pub expected_minor: i64,
    #[diesel(sql_type = Text)]
    pub expected_currency: String,
    #[diesel(sql_type = Nullable<BigInt>)]
    pub received_minor: Option<i64>,
    #[diesel(sql_type = Nullable<Text>)]
    pub received_currency: Option<String>,
    #[diesel(sql_type = BigInt)]
    pub refunded_minor: i64,
    /// A dispute about it has been decided here.
    #[diesel(sql_type = Bool)]
    pub decided: bool,
}

impl AskedRow {
    /// How its gateway knows it; none when the row itself is not readable.
    pub fn reference(&self) -> Option<PaymentRef<'_>> {
        Some(PaymentRef {
            number: self.gateway_number.as_deref().unwrap_or_default(),
            gateway_reference: self.gateway_reference.as_deref(),
            trade_no: self.trade_no.as_deref(),
            money: Money::new(self.expected_minor, Currency::parse(&self.expected_currency).ok()?),
        })
    }
}

const COLUMNS: &str = "select p.id::text as id, p.account_id, p.gateway_number, p.gateway_reference, p.trade_no, p.state,
    p.expected_minor, p.expected_currency, p.received_minor, p.received_currency, p.refunded_minor,
    exists (select 1 from dispute d where d.payment_id = p.id and d.state in ('won', 'lost', 'withdrawn')) as decided
  from payment p";

const MOVED: &str =
    " where p.account_id <> 'free' and (p.state in ('started', 'pending', 'unknown', 'disputed')
    or p.started_at >= $1 or p.captured_at >= $1 or p.closed_at >= $1
    or exists (select 1 from refund r where r.payment_id = p.id
      and (r.state in ('requested', 'pending', 'unknown') or r.requested_at >= $1 or r.succeeded_at >= $1))
    or exists (select 1 from dispute d where d.payment_id = p.id and (d.state = 'opened' or d.opened_at >= $1 or d.decided_at >= $1))
    or exists (select 1 from ledger_entry e where e.payment_id = p.id and e.created_at >= $1)
    or p.id in (select n.payment_id from notice n where n.payment_id is not null and n.received_at >= $1))
  order by p.id";

/// The payments that are open or moved since then.
pub(super) async fn list(conn: &mut AsyncPgConnection, since: DateTime<Utc>) -> QueryResult<Vec<AskedRow>> {
    sql_query(format!("{COLUMNS}{MOVED}")).bind::<Timestamptz, _>(since).load(conn).await
}

pub(super) async fn find(conn: &mut AsyncPgConnection, id: &str) -> QueryResult<Option<AskedRow>> {
    sql_query(format!("{COLUMNS} where p.id::text = $1"))
        .bind::<Text, _>(id)
        .get_result(conn)
        .await
        .optional()
}

/// A refund that its gateway can be asked about.
#[derive(Clone, Debug, QueryableByName)]
pub(super) struct RefundRow {
    #[diesel(sql_type = diesel::sql_types::Uuid)]
    pub id: RefundId,
    #[diesel(sql_type = Text)]
    pub state: String,
    #[diesel(sql_type = BigInt)]
    amount_minor: i64,
    #[diesel(sql_type = Text)]
    currency: Currency,
    #[diesel(sql_type = Nullable<Text>)]
    pub gateway_refund_id: Option<String>,
}

impl RefundRow {
    pub fn amount(&self) -> Money {
        Money::new(self.amount_minor, self.currency)
    }
}

/// The refunds of a payment that were asked for here, the newest first: gateways can be asked about them by our number.
pub(super) async fn list_refunds(
    conn: &mut AsyncPgConnection,
    payment: &str,
    most: i64,
) -> QueryResult<Vec<RefundRow>> {
    sql_query(
        "select id, state, amount_minor, currency, gateway_refund_id from refund
          where payment_id::text = $1 and origin <> 'gateway' and basis = 'refund'
            and state in ('pending', 'succeeded', 'failed') order by requested_at desc, id desc limit $2",
    )
    .bind::<Text, _>(payment)
    .bind::<BigInt, _>(most)
    .load(conn)
    .await
}
