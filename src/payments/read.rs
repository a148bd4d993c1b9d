//! Questions about payments and the ways to pay.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::error_code::ErrorCode;
use crate::base::ids::{LineId, OrderId, PaymentId};
use crate::base::money::{Currency, Money};
use crate::base::page::{Page, PageArgs};
use crate::infra::db::schema::{payment, refund};
use crate::infra::db::statement::Statement;
use crate::infra::db::total;
use crate::payments::accounts::store::{Paused, PausedAccount};
use crate::payments::accounts::{Account, Spoken};
use crate::payments::gateways::gateway::{ActionKind, Gateway};
use crate::payments::kit::PaymentKit;
use crate::payments::model::Payment;
use crate::payments::notices::raw::KeptBody;
use crate::payments::notices::store::inbox;
use crate::payments::refunds::Refund;

/// Seconds between two questions of a buyer about the same payment.
const CHECK_GAP: TimeDelta = TimeDelta::seconds(5);

/// A way to pay, and why it cannot be used for this amount if so.
pub struct Method {
    pub account: Arc<Account>,
    pub gateway: Arc<dyn Gateway>,
    /// What it may ask of a client.
    pub actions: &'static [ActionKind],
    pub unavailable: Option<ErrorCode>,
    /// Staff has paused it.
    pub pause: Option<PausedAccount>,
}

/// The ways to pay, for an amount when it is known; what staff has paused is not available.
pub fn methods(kit: &PaymentKit, amount: Option<(i64, Currency)>, paused: &Paused) -> Vec<Method> {
    let of = |(account, gateway): Spoken| {
        let actions = startable(&account, gateway.as_ref())?;
        let pause = paused.get(&account.id).cloned();
        let mut method = Method { account, gateway, actions, unavailable: None, pause };
        let refused = amount.and_then(|(minor, currency)| method.refuses(Money::new(minor, currency)));
        method.unavailable = refused.or(method.pause.as_ref().map(|_| ErrorCode::MethodNotAvailable));
        Some(method)
    };
    kit.accounts.iter().filter_map(of).collect()
}

/// One way to pay by its account's id; whether it is paused is not read.
pub fn method(kit: &PaymentKit, id: &str) -> Option<Method> {
    let (account, gateway) = kit.accounts.find(id)?;
    let actions = startable(&account, gateway.as_ref())?;
    Some(Method { account, gateway, actions, unavailable: None, pause: None })
}

/// What starting at this account may ask of a client; none when nothing can be started: one that is retired or has no
/// API only receives.
fn startable(account: &Account, gateway: &dyn Gateway) -> Option<&'static [ActionKind]> {
    Some(gateway.abilities(&account.keys).actions).filter(|actions| !account.retired && !actions.is_empty())
}

impl Method {
    /// Why it does not take an amount: a code of the payment errors.
    pub fn refuses(&self, money: Money) -> Option<ErrorCode> {
        let account = &self.account;
        let unit = self.gateway.unit(money.currency).filter(|_| account.currencies.contains(&money.currency));
        let Some(unit) = unit else { return Some(ErrorCode::CurrencyNotSupported) };
        if account.policy.minimum.is_some_and(|least| money.minor < least) {
            Some(ErrorCode::AmountBelowMinimum)
        } else if account.policy.maximum.is_some_and(|most| money.minor > most) {
            Some(ErrorCode::AmountAboveMaximum)
        } else if unit.units(money).is_none() {
            Some(ErrorCode::AmountNotSupported)
        } else {
            None
        }
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

/// Refunds of several orders, the first asked for first. A sum that known refunds explain by now is no refund.
pub async fn list_refunds(conn: &mut AsyncPgConnection, ids: &[OrderId]) -> QueryResult<Vec<Refund>> {
    refund::table
        .filter(refund::order_id.eq_any(ids))
        .filter(refund::amount_minor.gt(0))
        .order((refund::order_id, refund::requested_at))
        .select(Refund::as_select())
        .load(conn)
        .await
}

/// By the ledger, which spreads every refund and lost dispute over the lines it falls on, so that lines sum to the order.
const REFUNDED_LINES: &str = "select e.line_id, sum(e.amount_minor)::bigint as minor from ledger_entry e \
    join payment p on p.id = e.payment_id and p.allocated \
    where e.payment_id in (select id from payment where order_id = any($1::uuid[])) and e.book = 'sales' \
      and (e.refund_id is not null or e.dispute_id is not null) \
    group by e.line_id having sum(e.amount_minor) <> 0";

#[derive(QueryableByName)]
struct RefundedLine {
    #[diesel(sql_type = SqlUuid)]
    line_id: LineId,
    #[diesel(sql_type = BigInt)]
    minor: i64,
}

/// What was given back or lost of each line of several orders; lines of which nothing was are left out.
pub async fn list_refunded_lines(
    conn: &mut AsyncPgConnection,
    ids: &[OrderId],
) -> QueryResult<Vec<(LineId, i64)>> {
    let rows: Vec<RefundedLine> = Statement::new(REFUNDED_LINES)
        .bind::<Array<SqlUuid>, _>(ids.iter().map(|id| id.0).collect::<Vec<_>>())
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(|row| (row.line_id, row.minor)).collect())
}

/// A notice as the inbox keeps it, for staff.
#[derive(Clone, Debug, QueryableByName)]
pub struct NoticeRow {
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    #[diesel(sql_type = Text)]
    pub account_id: String,
    #[diesel(sql_type = Nullable<Text>)]
    pub event_key: Option<String>,
    #[diesel(sql_type = Text)]
    pub verdict: String,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub order_id: Option<OrderId>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub payment_id: Option<PaymentId>,
    /// Which of the account's secrets, counted from 1.
    #[diesel(sql_type = Nullable<SmallInt>)]
    pub verified_by: Option<i16>,
    #[diesel(sql_type = Nullable<Text>)]
    pub reason: Option<String>,
    #[diesel(sql_type = Timestamptz)]
    pub received_at: DateTime<Utc>,
    /// How often its event came again without a row of its own.
    #[diesel(sql_type = BigInt)]
    pub repeats: i64,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub repeated_at: Option<DateTime<Utc>>,
}

/// Rows of the inbox, with how often their event came again.
macro_rules! notices {
    ($which:literal) => {
        concat!(
            "select n.*, coalesce(r.count, 0) as repeats, r.last_at as repeated_at from notice n \
             left join notice_repeat r on r.account_id = n.account_id and r.event_key = n.event_key where ",
            $which
        )
    };
}

/// What a list of notices is narrowed to; empty parts narrow nothing.
#[derive(Clone, Debug, Default)]
pub struct NoticeFilter {
    pub accounts: Vec<String>,
    pub verdicts: Vec<String>,
    /// About the order of this number.
    pub order_number: Option<String>,
    pub event_key: Option<String>,
    /// Received at this moment or later, and before that one.
    pub from: Option<DateTime<Utc>>,
    pub until: Option<DateTime<Utc>>,
}

/// The inbox, the newest first. The cursor's only key is the row's number.
pub async fn list_notices(
    conn: &mut AsyncPgConnection,
    filter: &NoticeFilter,
    args: &PageArgs,
) -> QueryResult<Page<NoticeRow>> {
    let mut query = Statement::new(notices!("true"));
    narrow(&mut query, filter);
    let (compare, direction) = if args.backwards { (">", "asc") } else { ("<", "desc") };
    let from = args.from.as_deref().and_then(|keys| keys.iter().next()?.parse::<i64>().ok());
    if let Some(from) = from {
        query.push(&format!(" and n.id {compare} ")).push_bind::<BigInt, _>(from);
    }
    query.push(&format!(" order by n.id {direction} limit ")).push_bind::<BigInt, _>(args.size + 1);
    Ok(Page::cut(query.load(conn).await?, args))
}

/// How many such notices there are; none above 10,000.
pub async fn count_notices(conn: &mut AsyncPgConnection, filter: &NoticeFilter) -> QueryResult<Option<i64>> {
    let mut query = Statement::new("select 1 from notice n where true");
    narrow(&mut query, filter);
    total::count(conn, query).await
}

fn narrow(query: &mut Statement<'static>, filter: &NoticeFilter) {
    if !filter.accounts.is_empty() {
        query.push(" and n.account_id = any(").push_bind::<Array<Text>, _>(filter.accounts.clone()).push(")");
    }
    if !filter.verdicts.is_empty() {
        query.push(" and n.verdict = any(").push_bind::<Array<Text>, _>(filter.verdicts.clone()).push(")");
    }
    if let Some(number) = &filter.order_number {
        query
            .push(" and n.order_id = (select o.id from orders o where o.number = ")
            .push_bind::<Text, _>(number.clone())
            .push(")");
    }
    if let Some(key) = &filter.event_key {
        query.push(" and n.event_key = ").push_bind::<Text, _>(key.clone());
    }
    if let Some(from) = filter.from {
        query.push(" and n.received_at >= ").push_bind::<Timestamptz, _>(from);
    }
    if let Some(until) = filter.until {
        query.push(" and n.received_at < ").push_bind::<Timestamptz, _>(until);
    }
}

/// Rows of the inbox by their numbers, in any order.
pub async fn list_notices_by_ids(conn: &mut AsyncPgConnection, ids: &[i64]) -> QueryResult<Vec<NoticeRow>> {
    Statement::new(notices!("n.id = any($1::bigint[])"))
        .bind::<Array<BigInt>, _>(ids.to_vec())
        .load(conn)
        .await
}

/// What is kept of notices, card numbers masked, by their numbers; those whose bytes have left are missing.
pub async fn list_kept(conn: &mut AsyncPgConnection, ids: &[i64]) -> QueryResult<Vec<(i64, KeptBody)>> {
    let stored = inbox::list(conn, ids).await?;
    Ok(stored.into_iter().filter_map(|one| Some((one.id, one.kept()?))).collect())
}

const OF_TRADE: &str = "select distinct p.order_id from gateway_account a
    join payment p on p.account_id = a.id and p.trade_no = $1";

#[derive(QueryableByName)]
struct OfTrade {
    #[diesel(sql_type = SqlUuid)]
    order_id: OrderId,
}

/// The orders that were paid by the trade of this number, at whichever account.
pub async fn list_orders_of_trade(conn: &mut AsyncPgConnection, trade_no: &str) -> QueryResult<Vec<OrderId>> {
    let rows: Vec<OfTrade> = Statement::new(OF_TRADE).bind::<Text, _>(trade_no).load(conn).await?;
    Ok(rows.into_iter().map(|row| row.order_id).collect())
}
