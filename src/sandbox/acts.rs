//! What a person can make happen at the simulated gateway: the buttons of the page and the JSON API of the tests.

use std::sync::Arc;

use poem::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::book::{Capture, Payment, Refund, SentNotice, Side, Status};
use super::notices::{self, About};
use super::signing::fresh_id;
use super::simulator::Desk;

/// All acts with what the page writes on their buttons.
pub(super) const ACTS: [(&str, &str); 13] = [
    ("pay", "Pay"),
    ("pay-twice", "Pay twice"),
    ("pay-late", "Pay late (after closing)"),
    ("wrong-amount", "Pay a wrong amount"),
    ("wrong-currency", "Pay in a wrong currency"),
    ("lose-notice", "Pay, lose the notice"),
    ("pend", "Pay by a slow method"),
    ("decline", "Decline"),
    ("expire", "Let it expire"),
    ("refund", "Refund"),
    ("finish-refund", "Finish a slow refund"),
    ("dispute", "Dispute"),
    ("repeat-notice", "Send the last notice again"),
];

/// What an act may be told, in the gateway's own integers.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Input {
    pub amount: Option<i64>,
    pub currency: Option<String>,
}

pub(super) struct ActRefusal {
    pub status: StatusCode,
    pub message: String,
}

fn refuse<T>(status: StatusCode, message: impl Into<String>) -> Result<T, ActRefusal> {
    Err(ActRefusal { status, message: message.into() })
}

/// Does it, writes it down and lets the notices go. Answers the payment as it is then and the ids of the notices.
pub(super) fn act(desk: &Arc<Desk>, id: &str, act: &str, input: &Input) -> Result<Value, ActRefusal> {
    let now = desk.clock.unix();
    let Some(payment) = desk.change(|book| book.payment(id, now).cloned()) else {
        return refuse(StatusCode::NOT_FOUND, "no such payment");
    };
    let open = matches!(payment.status, Status::Open | Status::Pending);
    let must_be_open = || match open {
        true => Ok(()),
        false => refuse(StatusCode::CONFLICT, "this payment is not open; `pay-late` pays it all the same"),
    };
    let amount = input.amount.unwrap_or(payment.amount);
    let mut notices = Vec::new();
    match act {
        "pay" => {
            must_be_open()?;
            notices.extend(paid(desk, &payment, amount, &payment.currency));
        }
        "pay-twice" => {
            let first = payment
                .captures
                .is_empty()
                .then(|| paid(desk, &payment, amount, &payment.currency))
                .flatten();
            // Each goes its own way, as two payments would.
            notices::send(desk, first.into_iter().collect());
            notices.extend(paid(desk, &payment, amount, &payment.currency));
        }
        "pay-late" => {
            if open {
                notices.extend(enter(desk, &payment, Status::Closed, About::Closed));
            }
            notices.extend(paid(desk, &payment, amount, &payment.currency));
        }
        "wrong-amount" => {
            must_be_open()?;
            let wrong = input.amount.unwrap_or(if amount > 1 { amount - 1 } else { amount + 1 });
            notices.extend(paid(desk, &payment, wrong, &payment.currency));
        }
        "wrong-currency" => {
            must_be_open()?;
            let other = if payment.currency == "USD" { "EUR" } else { "USD" };
            let wrong = input.currency.as_deref().unwrap_or(other).to_ascii_uppercase();
            notices.extend(paid(desk, &payment, amount, &wrong));
        }
        "lose-notice" => {
            must_be_open()?;
            notices::lose(desk, paid(desk, &payment, amount, &payment.currency).into_iter().collect());
        }
        "pend" => {
            must_be_open()?;
            notices.extend(enter(desk, &payment, Status::Pending, About::Pending));
        }
        "decline" => {
            must_be_open()?;
            notices.extend(enter(desk, &payment, Status::Failed, About::Failed));
        }
        "expire" => {
            must_be_open()?;
            notices.extend(enter(desk, &payment, Status::Closed, About::Closed));
        }
        "refund" => notices.extend(give_back(desk, &payment, input.amount)?),
        "finish-refund" => notices.extend(finish_refund(desk, &payment)?),
        "dispute" => {
            let (Side::Stripe, Some(capture)) = (payment.side, payment.captures.last()) else {
                return refuse(StatusCode::CONFLICT, "nothing that can be disputed here");
            };
            desk.change(|book| {
                book.write("disputed", &payment.id, now, json!({ "trade_no": capture.trade_no }));
                if let Some(payment) = book.payment(&payment.id, now) {
                    payment.disputed = true;
                }
            });
            notices.extend(about(desk, &payment.id, About::Disputed(&capture.trade_no)));
        }
        "repeat-notice" => {
            let last = desk.read(|book| book.notices.iter().rev().find(|n| n.payment == payment.id).cloned());
            let Some(last) = last else { return refuse(StatusCode::CONFLICT, "no notice was sent yet") };
            let again = desk.clone();
            tokio::spawn(async move { notices::repeat(&again, &last.id).await });
        }
        _ => return refuse(StatusCode::NOT_FOUND, "no such act"),
    }
    let ids: Vec<String> = notices.iter().map(|n| n.id.clone()).collect();
    notices::send(desk, notices);
    let payment = desk.change(|book| book.payment(&payment.id, now).cloned());
    Ok(json!({ "payment": payment, "notices": ids }))
}

fn about(desk: &Desk, id: &str, about: About<'_>) -> Option<SentNotice> {
    let payment = desk.read(|book| book.payments.iter().find(|p| p.id == id).cloned())?;
    notices::make(desk, &payment, about)
}

fn paid(desk: &Desk, payment: &Payment, amount: i64, currency: &str) -> Option<SentNotice> {
    let now = desk.clock.unix();
    let capture: Capture = desk.change(|book| book.capture(&payment.id, amount, currency, now))?;
    about(desk, &payment.id, About::Paid(&capture.trade_no))
}

/// Puts a payment into a state without money. Also what a call of the API does when it closes one.
pub(super) fn enter(desk: &Desk, payment: &Payment, status: Status, say: About<'_>) -> Option<SentNotice> {
    let now = desk.clock.unix();
    desk.change(|book| {
        book.write("state", &payment.id, now, json!({ "to": status }));
        if let Some(payment) = book.payment(&payment.id, now) {
            payment.status = status;
        }
    });
    about(desk, &payment.id, say)
}

/// What the shop is told when a refund has moved: of the one refund, and of the sum.
pub(super) fn refund_notices(desk: &Desk, payment: &str, refund: &Refund) -> Vec<SentNotice> {
    let one = about(desk, payment, About::Refund(&refund.id));
    let sum = (refund.status == "succeeded").then(|| about(desk, payment, About::Refunded(&refund.trade_no)));
    one.into_iter().chain(sum.flatten()).collect()
}

/// A refund made at the gateway, without the shop.
fn give_back(desk: &Desk, payment: &Payment, amount: Option<i64>) -> Result<Vec<SentNotice>, ActRefusal> {
    let Some(capture) = payment.captures.iter().rev().find(|c| payment.refundable(c) > 0) else {
        return refuse(StatusCode::CONFLICT, "nothing is left to refund");
    };
    let left = payment.refundable(capture);
    let amount = amount.unwrap_or(left);
    if amount < 1 || amount > left {
        return refuse(StatusCode::CONFLICT, format!("at most {left} can be refunded"));
    }
    let refund = Refund {
        id: fresh_id(if payment.side == Side::Stripe { "re_" } else { "gr_" }),
        refund_id: None,
        trade_no: capture.trade_no.clone(),
        amount,
        status: "succeeded".into(),
        metadata: Default::default(),
        at: desk.clock.unix(),
    };
    desk.change(|book| book.refund(&payment.id, refund.clone()));
    Ok(refund_notices(desk, &payment.id, &refund))
}

fn finish_refund(desk: &Desk, payment: &Payment) -> Result<Vec<SentNotice>, ActRefusal> {
    let finished = desk.change(|book| {
        let payment = book.payments.iter_mut().find(|p| p.id == payment.id)?;
        let refund = payment.refunds.iter_mut().find(|r| r.status == "pending")?;
        refund.status = "succeeded".into();
        let (id, refund) = (payment.id.clone(), refund.clone());
        book.write("refund_finished", &id, refund.at, json!({ "refund": refund.id }));
        Some(refund)
    });
    match finished {
        Some(refund) => Ok(refund_notices(desk, &payment.id, &refund)),
        None => refuse(StatusCode::CONFLICT, "no refund is on its way"),
    }
}
