//! What a statement says against the payment it is about, and against that payment's order and ledger. Where ours is
//! behind, the gateway is asked first; only what still differs then is a difference.

use diesel_async::AsyncPgConnection;

use crate::base::ids::PaymentId;
use crate::base::money::Money;
use crate::base::outcome::{Fault, Outcome};
use crate::infra::effects::tasks as queue;
use crate::orders::model::Order;
use crate::orders::state::OrderState;
use crate::orders::store as orders;
use crate::payments::accounts::Account;
use crate::payments::attempts::ask;
use crate::payments::attempts::store as attempts;
use crate::payments::gateways::gateway::Stated;
use crate::payments::kit::PaymentKit;
use crate::payments::model::Payment;
use crate::payments::notices::decide::received_currency;
use crate::payments::refunds::{Refund, RefundState, store as refunds, work};
use crate::payments::statements::fees;
use crate::payments::statements::model::{Fact, Kind, NewDifference, Run};
use crate::payments::statements::refunds::{self as claims, RefundClaim};
use crate::payments::statements::store::{books, facts};
use crate::payments::tasks;

/// Kinds that a fact itself can be in.
const OF_A_FACT: [Kind; 4] = [Kind::PaidThereOnly, Kind::AmountDiffers, Kind::RefundDiffers, Kind::NotBooked];

/// Facts that comparing one can make worth another look: the one that gave a refund up, the one that came back.
const MOST_TOGETHER: usize = 8;

/// In what both sides disagree, and what we have, minor units.
type Differs = Option<(Kind, Option<i64>)>;

/// Compares one fact, in a transaction of its own that locks the order. Doing it twice changes nothing more.
pub async fn compare(kit: &PaymentKit, run: &Run, account: &Account, seen: &Fact) -> Outcome<()> {
    let payment_id = {
        let mut conn = kit.db.conn().await?;
        books::find_payment(&mut conn, &run.account_id, seen).await?
    };
    if let Some(payment_id) = payment_id {
        ask_where_behind(kit, payment_id, seen).await?;
    }
    let mut tx = kit.db.begin().await?;
    let subject = match payment_id {
        Some(id) => Some(lock_payment(&mut tx, id).await?),
        None => None,
    };
    let mut left = vec![seen.id];
    for _ in 0..MOST_TOGETHER {
        let Some(id) = left.pop() else { break };
        // It may have been corrected, settled or found to be one with another meanwhile.
        let Some(fact) = facts::lock(&mut tx, id).await? else { continue };
        match &subject {
            _ if !fact.is_open() => {}
            Some((order, payment)) => {
                left.extend(settle(&mut tx, kit, run, account, order, payment, fact).await?)
            }
            None => {
                let kind =
                    if fact.stated == Stated::Payment { Kind::PaidThereOnly } else { Kind::RefundDiffers };
                differ(&mut tx, kit, run, &fact, kind, None, None).await?;
                facts::settle(&mut tx, fact.id, false, None, None, None).await?;
            }
        }
    }
    crate::fault_point!("statement.settled");
    tx.commit().await?;
    crate::fault_point!("statement.compared");
    Ok(())
}

async fn lock_payment(conn: &mut AsyncPgConnection, id: PaymentId) -> Outcome<(Order, Payment)> {
    let gone = || Fault::bug("a payment of a statement is gone");
    let seen = attempts::find(conn, id).await?.ok_or_else(gone)?;
    let order = orders::lock(conn, seen.order_id).await?.ok_or_else(gone)?;
    let payment = attempts::find(conn, id).await?.ok_or_else(gone)?;
    Ok((order, payment))
}

/// Compares a fact, books its fee, records both. Answers the facts that have to be looked at again.
async fn settle(
    conn: &mut AsyncPgConnection,
    kit: &PaymentKit,
    run: &Run,
    account: &Account,
    order: &Order,
    payment: &Payment,
    fact: Fact,
) -> Outcome<Vec<i64>> {
    let mut again = Vec::new();
    let (fact, refund) = match fact.stated {
        Stated::Payment | Stated::RefundSum => (fact, None),
        Stated::Refund | Stated::RefundFailed => {
            let RefundClaim { fact, refund, released } = claims::claim(conn, payment, fact).await?;
            again.extend(released);
            if fact.stated == Stated::RefundFailed
                && let Some(booked) = same_refund(conn, run, &fact, Stated::Refund).await?
            {
                facts::release(conn, booked.id).await?;
                again.push(booked.id);
            }
            (fact, refund)
        }
    };
    let differs = match fact.stated {
        Stated::Payment => judge_payment(conn, order, payment, &fact).await?,
        Stated::RefundSum => judge_sum(payment, &fact),
        Stated::Refund | Stated::RefundFailed => {
            judge_refund(conn, run, payment, &fact, refund.as_ref()).await?
        }
    };
    match differs {
        Some((kind, here)) => differ(conn, kit, run, &fact, kind, Some(payment), here).await?,
        None => agree(conn, run, payment, &fact, refund.as_ref()).await?,
    }
    let booked = fees::book(conn, kit, run, account, payment, &fact).await?;
    let refund_id = refund.as_ref().map(|refund| refund.id);
    facts::settle(conn, fact.id, differs.is_none(), Some(payment.id), refund_id, booked).await?;
    Ok(again)
}

async fn same_refund(
    conn: &mut AsyncPgConnection,
    run: &Run,
    fact: &Fact,
    stated: Stated,
) -> Outcome<Option<Fact>> {
    Ok(facts::find_same_refund(conn, &run.account_id, fact, stated.as_str()).await?)
}

/// A payment or refund that has not come as far here as the statement says is asked about.
async fn ask_where_behind(kit: &PaymentKit, payment_id: PaymentId, fact: &Fact) -> Outcome<()> {
    let (payment, refund) = {
        let mut conn = kit.db.conn().await?;
        let Some(payment) = attempts::find(&mut conn, payment_id).await? else { return Ok(()) };
        let refund = match fact.stated.is_one_refund() {
            true => books::find_refund(&mut conn, payment_id, fact).await?,
            false => None,
        };
        let refund = match refund {
            Some(found) => refunds::find(&mut conn, found.id).await?,
            None => None,
        };
        (payment, refund)
    };
    let succeeded = refund.as_ref().map(|refund| refund.state == RefundState::Succeeded);
    let behind = match fact.stated {
        Stated::Payment => !payment.state.was_captured(),
        Stated::Refund => succeeded != Some(true),
        Stated::RefundFailed => succeeded == Some(true),
        Stated::RefundSum => gone(&payment) != fact.amount_minor,
    };
    if !behind {
        return Ok(());
    }
    let asked = match refund {
        Some(refund) if refund.state.is_open() => work::work(kit, refund.id).await,
        _ => ask::reconcile(kit, &payment).await.map(drop),
    };
    if let Err(failure) = asked {
        tracing::warn!(?failure, payment = %payment.id, "a payment of a statement could not be asked about");
    }
    Ok(())
}

/// What went back of a payment or was lost, minor units.
fn gone(payment: &Payment) -> i64 {
    payment.received_minor.unwrap_or(0) - payment.kept_minor()
}

async fn judge_payment(
    conn: &mut AsyncPgConnection,
    order: &Order,
    payment: &Payment,
    fact: &Fact,
) -> Outcome<Differs> {
    let here = payment.received_minor;
    if !payment.state.was_captured() {
        return Ok(Some((Kind::PaidThereOnly, None)));
    }
    if here != Some(fact.amount_minor) || received_currency(payment) != fact.currency {
        return Ok(Some((Kind::AmountDiffers, here)));
    }
    let ledger = books::sum_ledger(conn, payment.id).await?;
    let paid = matches!(order.state, OrderState::Paid | OrderState::Closed);
    if ledger != payment.kept_minor() || (payment.allocated && !paid) {
        return Ok(Some((Kind::AmountDiffers, Some(ledger + gone(payment)))));
    }
    Ok(None)
}

fn judge_sum(payment: &Payment, fact: &Fact) -> Differs {
    let same = gone(payment) == fact.amount_minor && received_currency(payment) == fact.currency;
    (!same).then(|| (Kind::RefundDiffers, Some(gone(payment))))
}

async fn judge_refund(
    conn: &mut AsyncPgConnection,
    run: &Run,
    payment: &Payment,
    fact: &Fact,
    refund: Option<&Refund>,
) -> Outcome<Differs> {
    let came_back = fact.stated == Stated::RefundFailed
        || same_refund(conn, run, fact, Stated::RefundFailed).await?.is_some();
    let succeeded = refund.filter(|refund| refund.state == RefundState::Succeeded);
    if came_back {
        return Ok(succeeded.map(|refund| (Kind::RefundDiffers, Some(refund.amount_minor))));
    }
    if let Some(refund) = succeeded {
        let same = refund.amount_minor == fact.amount_minor && refund.currency == fact.currency;
        return Ok((!same).then_some((Kind::RefundDiffers, Some(refund.amount_minor))));
    }
    if refund.is_some() || fact.amount_minor <= 0 || received_currency(payment) != fact.currency {
        return Ok(Some((Kind::RefundDiffers, None)));
    }
    // No refund here has its id. Money that went back all the same was reported as a sum, or taken by a dispute.
    let untold = gone(payment) - books::sum_identified(conn, payment.id).await?;
    let others = books::sum_unknown_here(conn, &run.account_id, fact).await?;
    let stated = fact.amount_minor.saturating_add(others);
    Ok((stated > untold).then_some((Kind::RefundDiffers, None)))
}

async fn differ(
    conn: &mut AsyncPgConnection,
    kit: &PaymentKit,
    run: &Run,
    fact: &Fact,
    kind: Kind,
    payment: Option<&Payment>,
    here: Option<i64>,
) -> Outcome<()> {
    let new = NewDifference {
        kind,
        subject: fact.subject(),
        order_id: payment.map(|p| p.order_id),
        payment_id: payment.map(|p| p.id),
        there_minor: Some(fact.amount_minor),
        here_minor: here,
        currency: fact.currency,
        why: None,
    };
    // What it was before it was this is no longer so.
    let others: Vec<Kind> = OF_A_FACT.into_iter().filter(|other| *other != kind).collect();
    books::end_differences(conn, &run.account_id, &new.subject, &others).await?;
    write_down(conn, kit, run, &new).await
}

/// A fact that cannot be compared or booked: a difference for a person, and no reason to leave the others.
pub async fn give_up(kit: &PaymentKit, run: &Run, fact: &Fact, why: String) -> Outcome<()> {
    tracing::error!(why, run = %run.id, subject = fact.subject(), "a line of a statement could not be booked");
    let mut tx = kit.db.begin().await?;
    let Some(fact) = facts::lock(&mut tx, fact.id).await? else { return Ok(()) };
    let new = NewDifference {
        kind: Kind::NotBooked,
        subject: fact.subject(),
        order_id: None,
        payment_id: None,
        there_minor: Some(fact.amount_minor),
        here_minor: None,
        currency: fact.currency,
        why: Some(why),
    };
    write_down(&mut tx, kit, run, &new).await?;
    facts::settle(&mut tx, fact.id, false, None, fact.our_refund, None).await?;
    tx.commit().await?;
    Ok(())
}

/// Writes a difference down; a new one that a person must see becomes a task.
pub(super) async fn write_down(
    conn: &mut AsyncPgConnection,
    kit: &PaymentKit,
    run: &Run,
    new: &NewDifference,
) -> Outcome<()> {
    if !books::insert_difference(conn, run, new).await? {
        return Ok(());
    }
    metrics::counter!("dispense_statement_differences_total", "account" => run.account_id.clone(), "kind" => new.kind.as_str())
        .increment(1);
    let Some(made) = new.kind.task() else { return Ok(()) };
    let money = |minor: Option<i64>| minor.map(|minor| Money::new(minor, new.currency).to_string());
    let body = tasks::Difference {
        account: run.account_id.clone(),
        day: run.day.to_string(),
        subject: new.subject.clone(),
        there: money(new.there_minor),
        here: money(new.here_minor),
        why: new.why.clone(),
    };
    let task = made(format!("{}:{}", run.account_id, new.subject), body);
    let task = task.of_order(new.order_id).of_payment(new.payment_id);
    queue::open(conn, &kit.clock, &[task]).await?;
    Ok(())
}

async fn agree(
    conn: &mut AsyncPgConnection,
    run: &Run,
    payment: &Payment,
    fact: &Fact,
    refund: Option<&Refund>,
) -> Outcome<()> {
    // A line may have named it in another way when it was found to differ.
    let names = [Some(fact.subject()), fact.refund_id.clone(), fact.gateway_refund_id.clone()];
    for subject in names.into_iter().flatten() {
        books::end_differences(conn, &run.account_id, &subject, &OF_A_FACT).await?;
    }
    let (here, kind) = match refund {
        Some(refund) => (refund.id.to_string(), Kind::RefundDiffers),
        None => (payment.id.to_string(), Kind::PaidHereOnly),
    };
    books::end_differences(conn, &run.account_id, &here, &[kind]).await?;
    Ok(())
}
