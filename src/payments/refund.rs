//! Money back: asked for by staff, done by the gateway, and with it the goods' way back, in one transaction (P9).

use diesel_async::AsyncPgConnection;
use serde_json::json;

use crate::app::App;
use crate::base::ids::{LineId, PaymentId, RefundId, SellerId, UnitId};
use crate::base::outcome::{Fault, Outcome};
use crate::fulfilment::revoke::revoke;
use crate::fulfilment::tell::Told;
use crate::infra::events::NewEvent;
use crate::infra::outbox::NewMessage;
use crate::infra::tasks::NewTask;
use crate::orders;
use crate::payments::decide::{Case, News, SeenRefund};
use crate::payments::ledger;
use crate::payments::model::Payment;
use crate::payments::state::{RefundChange, RefundState};
use crate::payments::store::refunds::{self, NewRefundRow};
use crate::payments::store::slice;

/// Writes one decided movement of a refund or a lost dispute: its row, the ledger, and what it takes back. The
/// payment's own row is written already.
pub async fn write_news(
    conn: &mut AsyncPgConnection,
    app: &App,
    case: &Case,
    news: &News,
    told: &mut Told,
) -> Outcome<()> {
    match news {
        News::Refunded { payment_id, refund, amount_minor, all } => {
            let payment = payment_of(case, *payment_id)?;
            refunded(conn, app, case, payment, refund, *amount_minor, *all, told).await
        }
        News::RefundMoved { refund_id, change, gateway_refund_id } => {
            moved(conn, case, *refund_id, *change, gateway_refund_id.as_deref(), told).await
        }
        News::DisputeLost { payment_id, amount_minor } => {
            let payment = payment_of(case, *payment_id)?;
            write_ledger(conn, app, payment, *amount_minor, None).await?;
            if payment.allocated {
                revoke(conn, case.order_id, None, "gateway").await?;
            }
            Ok(())
        }
        News::Captured { .. } | News::Task { .. } | News::Event { .. } => Ok(()),
    }
}

fn payment_of(case: &Case, id: PaymentId) -> Result<&Payment, Fault> {
    let found = case.payments.iter().map(|t| &t.row).find(|p| p.id == id);
    found.ok_or_else(|| Fault::bug("a decided refund without its payment"))
}

#[allow(clippy::too_many_arguments)]
async fn refunded(
    conn: &mut AsyncPgConnection,
    app: &App,
    case: &Case,
    payment: &Payment,
    seen: &SeenRefund,
    amount: i64,
    all: bool,
    told: &mut Told,
) -> Outcome<()> {
    let (id, named) = match seen {
        SeenRefund::Ours { refund_id, gateway_refund_id } => {
            let row = refunds::lock(conn, *refund_id).await?.ok_or_else(|| Fault::bug("a refund is gone"))?;
            let after = row.state.after(RefundChange::Succeed).map_err(|e| Fault::bug(e.to_string()))?;
            refunds::advance(conn, &row, after, gateway_refund_id.as_deref(), None, None).await?;
            (*refund_id, Some(refunds::list_units(conn, *refund_id).await?))
        }
        SeenRefund::AtGateway { gateway_refund_id } => {
            let id = RefundId(app.clock.uuid());
            refunds::insert(conn, &seen_at_gateway(case, payment, id, amount, gateway_refund_id.clone()))
                .await?;
            (id, None)
        }
    };
    write_ledger(conn, app, payment, amount, Some(id)).await?;
    if payment.allocated {
        take_back(conn, app, case, payment, id, named, all, told).await?;
    }
    let body = json!({ "payment": payment.id.0, "amount_minor": amount });
    told.events.push(NewEvent::shop("refund.succeeded", id.0, "gateway", body).of_order(case.order_id));
    if let Some(message) = refund_mail(conn, app, case, id).await? {
        told.messages.push(message);
    }
    Ok(())
}

fn seen_at_gateway(
    case: &Case,
    payment: &Payment,
    id: RefundId,
    amount: i64,
    gateway_refund_id: Option<String>,
) -> NewRefundRow {
    NewRefundRow {
        id,
        order_id: case.order_id,
        payment_id: payment.id,
        state: RefundState::Succeeded,
        amount_minor: amount,
        currency: crate::payments::decide::received_currency(payment),
        reason: None,
        origin: "gateway",
        gateway_refund_id,
        requested_by: None,
    }
}

/// Named units lose their goods; a full refund takes all; a partial one whose units nobody named goes to a person
/// unless it was asked for here as an amount alone.
#[allow(clippy::too_many_arguments)]
async fn take_back(
    conn: &mut AsyncPgConnection,
    app: &App,
    case: &Case,
    payment: &Payment,
    id: RefundId,
    named: Option<Vec<UnitId>>,
    all: bool,
    told: &mut Told,
) -> Outcome<()> {
    match named {
        Some(units) if !units.is_empty() => {
            revoke(conn, case.order_id, Some(&units), "system").await?;
        }
        Some(_) | None if all => {
            revoke(conn, case.order_id, None, "system").await?;
        }
        Some(_) => {}
        None => told.tasks.push(NewTask {
            id: app.clock.uuid(),
            kind: "refund_units_unknown",
            subject: id.0.to_string(),
            order_id: Some(case.order_id),
            payment_id: Some(payment.id),
            line_id: None,
            body: json!({ "refund": id.to_string() }),
        }),
    }
    Ok(())
}

async fn refund_mail(
    conn: &mut AsyncPgConnection,
    app: &App,
    case: &Case,
    id: RefundId,
) -> Outcome<Option<NewMessage>> {
    let Some(order) = orders::store::find(conn, case.order_id).await? else { return Ok(None) };
    Ok(order.email.clone().map(|recipient| NewMessage {
        id: app.clock.uuid(),
        kind: "refund_made",
        subject: id.0.to_string(),
        order_id: Some(order.id),
        user_id: order.user_id,
        recipient,
        locale: order.locale,
        payload: json!({ "refund": id.0 }),
    }))
}

/// The ledger of money that went back: off the named units' lines, else spread over what the payment's lines have
/// left.
async fn write_ledger(
    conn: &mut AsyncPgConnection,
    app: &App,
    payment: &Payment,
    amount: i64,
    refund: Option<RefundId>,
) -> Outcome<()> {
    let shares = refunds::list_shares(conn, payment.id).await?;
    let named = match refund {
        Some(id) => refunds::list_unit_lines(conn, id).await?,
        None => Vec::new(),
    };
    let exact = named.iter().map(|n| n.1).sum::<i64>() == amount;
    let weights: Vec<(LineId, SellerId, i64)> = shares
        .iter()
        .map(|share| {
            let of_line = named.iter().find(|n| n.0 == share.line_id).map_or(0, |n| n.1);
            (share.line_id, share.seller_id, if exact { of_line } else { share.left_minor })
        })
        .collect();
    slice::insert_entries(conn, &ledger::give_back(&app.clock, payment, amount, &weights)).await?;
    Ok(())
}

async fn moved(
    conn: &mut AsyncPgConnection,
    case: &Case,
    id: RefundId,
    change: RefundChange,
    gateway_refund_id: Option<&str>,
    told: &mut Told,
) -> Outcome<()> {
    let Some(row) = refunds::lock(conn, id).await? else { return Ok(()) };
    let Ok(after) = row.state.after(change) else { return Ok(()) };
    if after == row.state {
        return Ok(());
    }
    refunds::advance(conn, &row, after, gateway_refund_id, None, None).await?;
    let kind = if after == RefundState::Failed { "refund.failed" } else { "refund.pending" };
    told.events.push(NewEvent::shop(kind, id.0, "gateway", json!({})).of_order(case.order_id));
    Ok(())
}
