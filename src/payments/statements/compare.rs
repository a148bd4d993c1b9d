//! One line of a statement against the payment it speaks of, and against that payment's order and ledger. Where ours is
//! behind, the gateway is asked first; only what still differs then is a difference.

use diesel_async::AsyncPgConnection;
use serde_json::json;

use crate::app::App;
use crate::base::ids::{PaymentId, RefundId, SHOP};
use crate::base::money::Money;
use crate::base::outcome::{Fault, Outcome};
use crate::infra::tasks::{self, NewTask};
use crate::orders::model::Order;
use crate::orders::state::OrderState;
use crate::orders::store as orders;
use crate::payments::accounts::Account;
use crate::payments::ask;
use crate::payments::decide::received_currency;
use crate::payments::model::Payment;
use crate::payments::refunds::{RefundState, store as refunds, work};
use crate::payments::state::PaymentState;
use crate::payments::statements::model::{Kind, Line, NewDifference, Run};
use crate::payments::statements::store::{books, runs};
use crate::payments::store::attempts;
use crate::payments::store::slice::{self, Entry};

/// Kinds that a line itself can be in.
const OF_A_LINE: [Kind; 3] = [Kind::PaidThereOnly, Kind::AmountDiffers, Kind::RefundDiffers];

/// What comparing found.
struct Found {
    /// None: both sides agree. Else the kind and what we have, minor units.
    differs: Option<(Kind, Option<i64>)>,
    refund: Option<RefundId>,
}

/// Compares one line, in a transaction of its own that locks the order. Doing it twice changes nothing more.
pub async fn compare(app: &App, run: &Run, account: &Account, line: &Line) -> Outcome<()> {
    let payment_id = {
        let mut conn = app.db.conn().await?;
        books::find_payment(&mut conn, &run.account_id, line).await?
    };
    let Some(payment_id) = payment_id else {
        let kind = if line.is_refund() { Kind::RefundDiffers } else { Kind::PaidThereOnly };
        let mut tx = app.db.begin().await?;
        differ(&mut tx, app, run, line, kind, None, None).await?;
        runs::settle_line(&mut tx, line.id, false, None, None, false).await?;
        tx.commit().await?;
        return Ok(());
    };
    ask_where_behind(app, payment_id, line).await?;
    let mut tx = app.db.begin().await?;
    let gone = || Fault::bug("a payment of a statement is gone");
    let seen = attempts::find(&mut tx, payment_id).await?.ok_or_else(gone)?;
    let order = orders::lock(&mut tx, seen.order_id).await?.ok_or_else(gone)?;
    let payment = attempts::find(&mut tx, payment_id).await?.ok_or_else(gone)?;
    let line = &runs::lock_line(&mut tx, line.id).await?;
    if line.outcome.as_deref() == Some("matched") {
        return Ok(());
    }
    let found = if line.is_refund() {
        judge_refund(&mut tx, &payment, line).await?
    } else {
        judge_payment(&mut tx, &order, &payment, line).await?
    };
    match found.differs {
        Some((kind, here)) => differ(&mut tx, app, run, line, kind, Some(&payment), here).await?,
        None => agree(&mut tx, run, &payment, line, found.refund).await?,
    }
    let booked = book_fee(&mut tx, app, run, account, &payment, line).await?;
    let matched = found.differs.is_none();
    runs::settle_line(&mut tx, line.id, matched, Some(payment.id), found.refund, booked).await?;
    tx.commit().await?;
    Ok(())
}

/// A payment or refund that has not come as far here as the statement says is asked about.
async fn ask_where_behind(app: &App, payment_id: PaymentId, line: &Line) -> Outcome<()> {
    let (payment, refund) = {
        let mut conn = app.db.conn().await?;
        let Some(payment) = attempts::find(&mut conn, payment_id).await? else { return Ok(()) };
        let refund = match line.is_refund() {
            true => books::find_refund(&mut conn, payment_id, line).await?,
            false => None,
        };
        let refund = match refund {
            Some(id) => refunds::find(&mut conn, id).await?,
            None => None,
        };
        (payment, refund)
    };
    let behind = if line.is_refund() {
        refund.as_ref().is_none_or(|refund| refund.state != RefundState::Succeeded)
    } else {
        !payment.state.was_captured()
    };
    if !behind {
        return Ok(());
    }
    let asked = match refund {
        Some(refund) if refund.state.is_open() => work::work(app, refund.id).await,
        _ => ask::reconcile(app, &payment).await.map(drop),
    };
    if let Err(failure) = asked {
        tracing::warn!(?failure, payment = %payment.id, "a payment of a statement could not be asked about");
    }
    Ok(())
}

async fn judge_payment(
    conn: &mut AsyncPgConnection,
    order: &Order,
    payment: &Payment,
    line: &Line,
) -> Outcome<Found> {
    let here = payment.received_minor;
    let of = |differs| Found { differs, refund: None };
    if !payment.state.was_captured() {
        return Ok(of(Some((Kind::PaidThereOnly, None))));
    }
    if here != Some(line.amount_minor) || received_currency(payment) != line.currency {
        return Ok(of(Some((Kind::AmountDiffers, here))));
    }
    let ledger = books::sum_ledger(conn, payment.id).await?;
    let paid = matches!(order.state, OrderState::Paid | OrderState::Closed);
    if ledger != payment.kept_minor() || (payment.allocated && !paid) {
        return Ok(of(Some((Kind::AmountDiffers, Some(ledger + payment.refunded_minor)))));
    }
    Ok(of(None))
}

async fn judge_refund(conn: &mut AsyncPgConnection, payment: &Payment, line: &Line) -> Outcome<Found> {
    let refund = match books::find_refund(conn, payment.id, line).await? {
        Some(id) => refunds::find(conn, id).await?.filter(|refund| refund.state == RefundState::Succeeded),
        None => None,
    };
    let Some(refund) = refund else {
        // Money that a lost dispute took has no refund of its own, and some gateways tell the sum of all refunds.
        let lost = payment.state == PaymentState::Lost && line.amount_minor <= payment.refunded_minor;
        let unnamed = line.refund_id.is_none() && line.gateway_refund_id.is_none();
        let sum = unnamed && line.amount_minor == payment.refunded_minor;
        let differs = (!lost && !sum).then_some((Kind::RefundDiffers, None));
        return Ok(Found { differs, refund: None });
    };
    let same = refund.amount_minor == line.amount_minor && refund.currency == line.currency;
    let differs = (!same).then_some((Kind::RefundDiffers, Some(refund.amount_minor)));
    Ok(Found { differs, refund: Some(refund.id) })
}

async fn differ(
    conn: &mut AsyncPgConnection,
    app: &App,
    run: &Run,
    line: &Line,
    kind: Kind,
    payment: Option<&Payment>,
    here: Option<i64>,
) -> Outcome<()> {
    let new = NewDifference {
        kind,
        subject: line.subject(),
        order_id: payment.map(|p| p.order_id),
        payment_id: payment.map(|p| p.id),
        there_minor: Some(line.amount_minor),
        here_minor: here,
        currency: line.currency,
    };
    // What it was before it was this is no longer so.
    let others: Vec<Kind> = OF_A_LINE.into_iter().filter(|other| *other != kind).collect();
    books::end_differences(conn, &run.account_id, &new.subject, &others).await?;
    write_down(conn, app, run, &new).await
}

/// Writes a difference down; a new one that a person must see becomes a task.
pub(super) async fn write_down(
    conn: &mut AsyncPgConnection,
    app: &App,
    run: &Run,
    new: &NewDifference,
) -> Outcome<()> {
    if !books::insert_difference(conn, run, new).await? {
        return Ok(());
    }
    metrics::counter!("dispense_statement_differences_total", "account" => run.account_id.clone(), "kind" => new.kind.as_str())
        .increment(1);
    let Some(kind) = new.kind.task() else { return Ok(()) };
    let money = |minor: Option<i64>| minor.map(|minor| Money::new(minor, new.currency).to_string());
    let task = NewTask {
        id: app.clock.uuid(),
        kind,
        subject: format!("{}:{}", run.account_id, new.subject),
        order_id: new.order_id,
        payment_id: new.payment_id,
        line_id: None,
        body: json!({
            "account": run.account_id, "day": run.day.to_string(), "subject": new.subject,
            "there": money(new.there_minor), "here": money(new.here_minor),
        }),
    };
    tasks::open(conn, &[task]).await?;
    Ok(())
}

async fn agree(
    conn: &mut AsyncPgConnection,
    run: &Run,
    payment: &Payment,
    line: &Line,
    refund: Option<RefundId>,
) -> Outcome<()> {
    books::end_differences(conn, &run.account_id, &line.subject(), &OF_A_LINE).await?;
    let (here, kind) = match refund {
        Some(refund) => (refund.to_string(), Kind::RefundDiffers),
        None => (payment.id.to_string(), Kind::PaidHereOnly),
    };
    books::end_differences(conn, &run.account_id, &here, &[kind]).await?;
    Ok(())
}

/// Books what the gateway kept of money that is here, once, and tells when it is not what the policy expects. Answers
/// whether it was booked now.
async fn book_fee(
    conn: &mut AsyncPgConnection,
    app: &App,
    run: &Run,
    account: &Account,
    payment: &Payment,
    line: &Line,
) -> Outcome<bool> {
    let ours = payment.received_minor.is_some() && received_currency(payment) == line.currency;
    let Some(fee) = line.fee_minor.filter(|_| ours && !line.fee_booked) else { return Ok(false) };
    if books::is_booked_elsewhere(conn, line.id).await? {
        return Ok(false);
    }
    books::add_fee(conn, payment.id, fee).await?;
    if fee != 0 {
        let kept = Entry {
            transaction_id: app.clock.uuid(),
            book: "fees",
            account_id: payment.account_id.clone(),
            order_id: payment.order_id,
            payment_id: payment.id,
            line_id: None,
            seller_id: SHOP,
            amount_minor: fee,
            currency: line.currency,
            refund_id: None,
            dispute_id: None,
        };
        let gone = Entry { book: "gateway", amount_minor: -fee, ..kept.clone() };
        slice::insert_entries(conn, &[kept, gone]).await?;
    }
    let expected = account.policy.fees.get(line.currency.as_str()).map(|policy| policy.of(line.amount_minor));
    // Gateways round in their own ways: one minor unit is no difference.
    if let Some(expected) = expected.filter(|expected| !line.is_refund() && (expected - fee).abs() > 1) {
        let new = NewDifference {
            kind: Kind::FeeDiffers,
            subject: line.subject(),
            order_id: Some(payment.order_id),
            payment_id: Some(payment.id),
            there_minor: Some(fee),
            here_minor: Some(expected),
            currency: line.currency,
        };
        write_down(conn, app, run, &new).await?;
    }
    Ok(true)
}
