//! Questions about payments and the ways to pay.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::app::App;
use crate::base::ids::OrderId;
use crate::base::money::Currency;
use crate::infra::db::schema::{payment, refund};
use crate::payments::accounts::Account;
use crate::payments::gateway::Gateway;
use crate::payments::model::{Payment, Refund};

/// Seconds between two questions of a buyer about the same payment.
const CHECK_GAP: TimeDelta = TimeDelta::seconds(5);

/// A way to pay, and why it cannot be used for this amount if so.
pub struct Method<'a> {
    pub account: &'a Account,
    pub unavailable: Option<&'static str>,
}

/// The ways to pay, for an amount when it is known.
pub fn methods(app: &App, amount: Option<(i64, Currency)>) -> Vec<Method<'_>> {
    app.accounts
        .iter()
        .filter(|(account, gateway)| can_start(account, *gateway))
        .map(|(account, _)| Method {
            account,
            unavailable: amount.and_then(|(minor, currency)| unavailable(account, minor, currency)),
        })
        .collect()
}

/// Whether payments can be started at this account at all: one without an API only receives.
pub fn can_start(account: &Account, gateway: &dyn Gateway) -> bool {
    gateway.name() != "generic" || account.keys.api_url.is_some()
}

/// Why an account does not take an amount: a code of the payment errors.
pub fn unavailable(account: &Account, minor: i64, currency: Currency) -> Option<&'static str> {
    if !account.currencies.contains(&currency) {
        Some("CURRENCY_NOT_SUPPORTED")
    } else if account.policy.minimum.is_some_and(|least| minor < least) {
        Some("AMOUNT_BELOW_MINIMUM")
    } else if account.policy.maximum.is_some_and(|most| minor > most) {
        Some("AMOUNT_ABOVE_MAXIMUM")
    } else {
        None
    }
}

/// When the buyer may ask about this payment again; none when there is nothing to ask.
pub fn can_check_at(payment: &Payment, last: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
    payment.state.is_open().then(|| last.map_or(payment.started_at, |at| at + CHECK_GAP))
}

/// Payments of several orders, the first attempt first.
pub async fn list_payments(conn: &mut AsyncPgConnection, ids: &[OrderId]) -> QueryResult<Vec<Payment>> {
    payment::table
        .filter(payment::order_id.eq_any(ids))
        .order((payment::order_id, payment::attempt))
        .select(Payment::as_select())
        .load(conn)
        .await
}

/// Refunds of several orders, the first asked for first.
pub async fn list_refunds(conn: &mut AsyncPgConnection, ids: &[OrderId]) -> QueryResult<Vec<Refund>> {
    refund::table
        .filter(refund::order_id.eq_any(ids))
        .order((refund::order_id, refund::requested_at))
        .select(Refund::as_select())
        .load(conn)
        .await
}
