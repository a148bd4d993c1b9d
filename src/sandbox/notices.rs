//! Notices on their way to the shop: signed afresh for each attempt, sent until the shop says success or the limit
//! is reached.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::book::{Attempt, Payment, SentNotice, Side};
use super::signing::{fresh_id, stripe_header, webhook_header};
use super::simulator::Desk;
use super::{generic, stripe};
use crate::infra::outbound::{Method, Request};

/// How long the shop may take to answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// What a notice is about.
#[derive(Clone, Copy, Debug)]
pub(super) enum About<'a> {
    Paid(&'a str),
    Pending,
    Closed,
    Failed,
    /// The sum of a trade's refunds has changed.
    Refunded(&'a str),
    /// One refund has moved, by its id.
    Refund(&'a str),
    Disputed(&'a str),
}

/// Makes a notice, not yet sent; none where the gateway has no such message.
pub(super) fn make(desk: &Desk, payment: &Payment, about: About<'_>) -> Option<SentNotice> {
    let now = desk.clock.unix();
    let (id, event, target) = match payment.side {
        Side::Stripe => {
            let id = fresh_id("evt_");
            let event = stripe::event(desk, payment, about, &id, now)?;
            (id, event, desk.stripe_notify_url())
        }
        Side::Generic => (fresh_id("msg_"), generic::event(payment, about, now)?, payment.notify_url.clone()),
    };
    Some(SentNotice {
        id,
        payment: payment.id.clone(),
        side: payment.side,
        kind: event.0.to_owned(),
        body: event.1,
        target,
        state: "sending".to_owned(),
        attempts: Vec::new(),
    })
}

/// Writes the notices down and sends them one after the other, each until it was taken.
pub(super) fn send(desk: &Arc<Desk>, notices: Vec<SentNotice>) {
    let ids: Vec<String> = notices.iter().map(|n| n.id.clone()).collect();
    desk.change(|book| book.notices.extend(notices));
    let desk = desk.clone();
    tokio::spawn(async move {
        for id in ids {
            tokio::select! {
                () = deliver(&desk, &id) => {}
                () = desk.stopping() => return,
            }
        }
    });
}

/// Writes a notice down that will never arrive.
pub(super) fn lose(desk: &Desk, notices: Vec<SentNotice>) {
    let lost = notices.into_iter().map(|n| SentNotice { state: "lost".into(), ..n });
    desk.change(|book| book.notices.extend(lost));
}

/// Goes on with what was on its way when the simulator was stopped.
pub(super) fn resume(desk: &Arc<Desk>) {
    let waiting = desk.read(|book| {
        book.notices.iter().filter(|n| n.state == "sending").map(|n| n.id.clone()).collect::<Vec<_>>()
    });
    for id in waiting {
        let desk = desk.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = deliver(&desk, &id) => {}
                () = desk.stopping() => {}
            }
        });
    }
}

/// Sends a notice once more under its own id; answers its last attempt.
pub(super) async fn repeat(desk: &Desk, id: &str) -> Option<Attempt> {
    let notice = desk.read(|book| book.notices.iter().find(|n| n.id == id).cloned())?;
    Some(attempt(desk, &notice).await)
}

async fn deliver(desk: &Desk, id: &str) {
    let gaps = &desk.retry_gaps;
    for turn in 0..=gaps.len() {
        let Some(notice) = desk.read(|book| book.notices.iter().find(|n| n.id == id).cloned()) else {
            return;
        };
        let answer = attempt(desk, &notice).await;
        let taken = answer.status.is_some_and(|status| (200..300).contains(&status));
        let gap = gaps.get(turn);
        let state = match (taken, gap) {
            (true, _) => "delivered",
            (false, Some(_)) => "sending",
            (false, None) => "given_up",
        };
        desk.change(|book| {
            if let Some(notice) = book.notices.iter_mut().find(|n| n.id == id) {
                notice.state = state.to_owned();
            }
        });
        match gap {
            Some(gap) if !taken => tokio::time::sleep(*gap).await,
            _ => return,
        }
    }
}

/// One attempt, written down with its answer.
async fn attempt(desk: &Desk, notice: &SentNotice) -> Attempt {
    let at = desk.clock.unix();
    let result = match (&notice.target, headers(desk, notice, at)) {
        (Some(url), Some(headers)) => {
            let request = Request {
                method: Method::Post,
                url: url.clone(),
                headers,
                body: notice.body.clone().into_bytes(),
                timeout: PATIENCE,
                largest_answer: 64 * 1024,
            };
            desk.outbound.call(request).await.map_err(|e| e.to_string())
        }
        _ => Err("nobody told where to send it".into()),
    };
    let answer = match result {
        Ok(answer) => {
            let text = String::from_utf8_lossy(&answer.body).chars().take(200).collect();
            Attempt { at, status: Some(answer.status), answer: text }
        }
        Err(error) => Attempt { at, status: None, answer: error },
    };
    desk.change(|book| {
        let details = json!({ "notice": notice.id, "kind": notice.kind, "status": answer.status });
        book.write("notice_attempt", &notice.payment, at, details);
        if let Some(kept) = book.notices.iter_mut().find(|n| n.id == notice.id) {
            kept.attempts.push(answer.clone());
        }
    });
    answer
}

fn headers(desk: &Desk, notice: &SentNotice, at: i64) -> Option<Vec<(String, String)>> {
    let pair = |name: &str, value: String| (name.to_owned(), value);
    let mut headers = vec![pair("content-type", "application/json; charset=utf-8".into())];
    match notice.side {
        Side::Stripe => {
            let secret = desk.stripe.as_ref()?.secret.expose();
            headers.push(pair("stripe-signature", stripe_header(secret, at, &notice.body)));
        }
        Side::Generic => {
            let secret = desk.generic.as_ref()?.secret.expose();
            let signature = webhook_header(secret, &notice.id, at, notice.body.as_bytes());
            headers.push(pair("webhook-id", notice.id.clone()));
            headers.push(pair("webhook-timestamp", at.to_string()));
            headers.push(pair("webhook-signature", signature));
        }
    }
    Some(headers)
}
