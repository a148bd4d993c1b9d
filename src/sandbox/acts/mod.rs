//! What a person can make happen at a simulated gateway: the buttons of the page and the JSON API of the tests.

mod back;
mod disputes;
mod pay;
mod repeats;

use std::sync::Arc;
use std::time::Duration;

use poem::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::book::{Payment, SentNotice, Status};
use super::notices;
use super::played::{About, Can, Played};
use super::simulator::Desk;

pub(super) use back::{NoticeOrder, refund_for_shop};

/// One act: its name in addresses, what the page writes on its button, and which gateways have it.
pub(super) struct Act {
    pub name: &'static str,
    pub label: &'static str,
    pub offered: fn(&Can) -> bool,
}

const fn act_of(name: &'static str, label: &'static str, offered: fn(&Can) -> bool) -> Act {
    Act { name, label, offered }
}

/// All acts, in the order of the page.
pub(super) const ACTS: [Act; 38] = [
    act_of("pay", "Pay", |_| true),
    act_of("pay-twice", "Pay twice", |_| true),
    act_of("pay-late", "Pay late", |_| true),
    act_of("wrong-amount", "Pay too little", |_| true),
    act_of("wrong-currency", "Pay in another currency", |can| can.other_currency),
    act_of("pend", "Pay by a slow method", |can| can.pend),
    act_of("decline", "Decline", |can| can.decline),
    act_of("expire", "Let it expire", |_| true),
    act_of("lose-notice", "Pay, lose the notice", |_| true),
    act_of("delay-notice", "Pay, delay the notice", |_| true),
    act_of("forge-notice", "Forge a notice", |_| true),
    act_of("probe-notice", "Probe the signature check", |can| can.probe),
    act_of("stale-pending", "Pay, then report an older “pending”", |can| can.pend),
    act_of("refund-first", "Pay and refund, report the refund first", |can| {
        can.report_refunds && !can.approve
    }),
    act_of("repeat-notice", "Repeat the last notice", |_| true),
    act_of("repeat-all", "Repeat all notices, shuffled", |_| true),
    act_of("hold-notices", "Hold notices back", |_| true),
    act_of("release-notices", "Release held notices, shuffled", |_| true),
    act_of("refund", "Refund", |_| true),
    act_of("refund-part", "Refund a part", |_| true),
    act_of("refund-slow", "Refund slowly", |can| can.slow_refunds),
    act_of("refund-sum-first", "Refund, report the sum first", |can| can.report_sum_apart),
    act_of("refund-sum-last", "Refund, report the sum last", |can| can.report_sum_apart),
    act_of("refund-sum-alone", "Refund, report the sum alone", |can| can.report_sum_alone),
    act_of("refund-disputed", "Refund what is disputed", |can| can.refund_disputed),
    act_of("finish-refund", "Finish a slow refund", |can| can.slow_refunds),
    act_of("fail-refund", "Fail a refund", |can| can.slow_refunds),
    act_of("stick-refund", "Let a slow refund get stuck", |can| can.abnormal_refunds),
    act_of("complete-refund", "Complete a refund that failed or got stuck", |can| {
        can.late_refunds || can.abnormal_refunds
    }),
    act_of("dispute", "Dispute", |can| can.dispute),
    act_of("dispute-part", "Dispute a part", |can| can.dispute),
    act_of("inquiry", "Ask before a dispute", |can| can.dispute),
    act_of("answer-dispute", "Answer the dispute", |can| can.dispute),
    act_of("escalate", "Turn the inquiry into a dispute", |can| can.dispute),
    act_of("dispute-won", "Dispute: won", |can| can.dispute),
    act_of("dispute-lost", "Dispute: lost", |can| can.dispute),
    act_of("dispute-withdrawn", "Dispute: withdrawn", |can| can.dispute),
    act_of("dispute-won-late", "Dispute: won after it was lost", |can| can.dispute),
];

/// The parameters of an act, in the gateway's own integers.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Input {
    pub amount: Option<i64>,
    pub currency: Option<String>,
    /// How long `delay-notice` waits; 20 s unless given.
    pub delay_ms: Option<u64>,
    /// Which capture a refund or a dispute is about; the newest that it can be about unless given.
    pub trade_no: Option<String>,
    /// Which refund, by the gateway's or the shop's id; the newest that it can be unless given.
    pub refund: Option<String>,
    /// Which dispute; the newest that it can be unless given.
    pub dispute: Option<String>,
    /// Why the buyer disputes, in the gateway's own terms.
    pub reason: Option<String>,
    /// Which notice `repeat-notice` repeats; the last unless given.
    pub notice: Option<String>,
    /// How a refund is reported, where the gateway has more than one way.
    pub report: NoticeOrder,
    /// Decides the order in which notices are shuffled.
    pub seed: Option<u64>,
}

pub(super) struct ActRefusal {
    pub status: StatusCode,
    pub message: String,
}

type Acted = Result<Vec<SentNotice>, ActRefusal>;

fn refuse<T>(status: StatusCode, message: impl Into<String>) -> Result<T, ActRefusal> {
    Err(ActRefusal { status, message: message.into() })
}

fn conflict<T>(message: impl Into<String>) -> Result<T, ActRefusal> {
    refuse(StatusCode::CONFLICT, message)
}

/// Does it, records it and lets the notices go. Answers the payment as it is then and the ids of the notices.
pub(super) fn act(desk: &Arc<Desk>, id: &str, name: &str, input: &Input) -> Result<Value, ActRefusal> {
    let now = desk.clock.unix();
    let Some(payment) = desk.change(|book| book.payment(id, now).cloned()) else {
        return refuse(StatusCode::NOT_FOUND, "no such payment");
    };
    let (Some(side), Some(known)) = (desk.side(&payment.side), ACTS.iter().find(|act| act.name == name))
    else {
        return refuse(StatusCode::NOT_FOUND, "no such act");
    };
    if !(known.offered)(&side.can()) {
        return conflict(format!("{} has nothing like this", side.title()));
    }
    let deed = Deed { desk, side: &*side, payment: &payment, input, now };
    let notices = match name {
        "refund" | "refund-part" | "refund-slow" | "refund-sum-first" | "refund-sum-last"
        | "refund-sum-alone" | "refund-disputed" => deed.refund(name)?,
        "finish-refund" => deed.finish_refund()?,
        "fail-refund" => deed.fail_refund()?,
        "stick-refund" => deed.stick_refund()?,
        "complete-refund" => deed.complete_refund()?,
        "dispute" | "dispute-part" | "inquiry" | "answer-dispute" | "escalate" | "dispute-won"
        | "dispute-lost" | "dispute-withdrawn" | "dispute-won-late" => deed.dispute(name)?,
        "repeat-notice" => deed.repeat()?,
        "repeat-all" => deed.repeat_all()?,
        "hold-notices" => deed.hold()?,
        "release-notices" => deed.release()?,
        "expire" | "decline" | "pend" => deed.without_money(name)?,
        _ => deed.pay(name)?,
    };
    let ids: Vec<String> = notices.iter().map(|n| n.id.clone()).collect();
    let delay = if name == "delay-notice" { input.delay_ms.unwrap_or(20_000) } else { 0 };
    notices::send_later(desk, notices, Duration::from_millis(delay));
    let payment = desk.change(|book| book.payment(&payment.id, now).cloned());
    Ok(json!({ "payment": payment, "notices": ids }))
}

/// One act on its way.
struct Deed<'a> {
    desk: &'a Arc<Desk>,
    side: &'a dyn Played,
    payment: &'a Payment,
    input: &'a Input,
    now: i64,
}

impl Deed<'_> {
    fn about(&self, about: About<'_>) -> Option<SentNotice> {
        report(self.desk, &self.payment.id, about)
    }
}

/// A notice about a payment as it is now.
pub(super) fn report(desk: &Desk, id: &str, about: About<'_>) -> Option<SentNotice> {
    let payment = desk.read(|book| book.payments.iter().find(|p| p.id == id).cloned())?;
    notices::make(desk, &payment, about)
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
    report(desk, &payment.id, say)
}
