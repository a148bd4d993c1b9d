//! Notices on their way to the shop: signed afresh for each attempt, sent on their gateway's own schedule (on a fast
//! clock) until the shop says success or the gateway would give up.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::book::{Attempt, Payment, SentNotice};
use super::played::About;
use super::simulator::Desk;
use crate::infra::outbound::Request;

/// How long the shop may take to answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// Makes a notice, not yet sent; none where the gateway has no such message.
pub(super) fn make(desk: &Desk, payment: &Payment, about: About<'_>) -> Option<SentNotice> {
    let draft = desk.side(&payment.side)?.draft(desk, payment, about, desk.clock.unix())?;
    Some(SentNotice {
        id: draft.id,
        payment: payment.id.clone(),
        side: payment.side.clone(),
        kind: draft.kind,
        body: draft.body,
        target: draft.target,
        forged: false,
        probe: false,
        state: "sending".to_owned(),
        made_at: desk.clock.unix(),
        attempts: Vec::new(),
    })
}

/// Writes the notices down and sends them one after the other, each until it was taken.
pub(super) fn send(desk: &Arc<Desk>, notices: Vec<SentNotice>) {
    send_later(desk, notices, Duration::ZERO);
}

/// The same after a while. Those of payments whose notices are kept back wait for [`release`].
pub(super) fn send_later(desk: &Arc<Desk>, notices: Vec<SentNotice>, delay: Duration) {
    let ids = desk.change(|book| {
        let mut going = Vec::new();
        for mut notice in notices {
            let holding = book.payments.iter().any(|p| p.id == notice.payment && p.holding);
            if holding && !notice.forged {
                notice.state = "held".into();
            } else {
                going.push(notice.id.clone());
            }
            book.notices.push(notice);
        }
        going
    });
    if ids.is_empty() {
        return;
    }
    background(desk, async move |desk| {
        tokio::time::sleep(delay).await;
        for id in ids {
            deliver(&desk, &id, 0).await;
        }
    });
}

/// Sends these one after the other, each once; what was not taken goes its own way after that, so that no notice waits
/// for another to be believed.
pub(super) fn release(desk: &Arc<Desk>, ids: Vec<String>) {
    ids.iter().for_each(|id| enter(desk, id, "sending"));
    background(desk, async move |desk| {
        for id in ids {
            let Some(notice) = find(&desk, &id) else { continue };
            if attempt(&desk, &notice).await {
                enter(&desk, &id, "delivered");
            } else {
                background(&desk, async move |desk| deliver(&desk, &id, 1).await);
            }
        }
    });
}

/// Goes on beside everything else until the simulator is stopped.
pub(super) fn background<F>(desk: &Arc<Desk>, work: impl FnOnce(Arc<Desk>) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let (desk, working) = (desk.clone(), work(desk.clone()));
    tokio::spawn(async move {
        tokio::select! {
            () = working => {}
            () = desk.stopping() => {}
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
    waiting.iter().for_each(|id| repeat(desk, id));
}

/// Sends a notice once more under its own id, until it was taken.
pub(super) fn repeat(desk: &Arc<Desk>, id: &str) {
    enter(desk, id, "sending");
    let id = id.to_owned();
    background(desk, async move |desk| deliver(&desk, &id, 0).await);
}

fn enter(desk: &Desk, id: &str, state: &str) {
    desk.change(|book| {
        if let Some(notice) = book.notices.iter_mut().find(|n| n.id == id) {
            notice.state = state.to_owned();
        }
    });
}

/// The gateway's own notices about a payment that were sent, in the order in which they were made.
pub(super) fn of(desk: &Desk, payment: &str) -> Vec<SentNotice> {
    let sent = |n: &&SentNotice| n.payment == payment && !n.forged && n.state != "held";
    desk.read(|book| book.notices.iter().filter(sent).cloned().collect())
}

fn find(desk: &Desk, id: &str) -> Option<SentNotice> {
    desk.read(|book| book.notices.iter().find(|n| n.id == id).cloned())
}

/// All attempts of a notice from this turn on; the gap before a later turn is waited for first.
async fn deliver(desk: &Desk, id: &str, first: usize) {
    let Some(notice) = find(desk, id) else { return };
    let gaps = desk.side(&notice.side).map(|side| side.gaps()).unwrap_or_default();
    if let Some(gap) = first.checked_sub(1).and_then(|before| gaps.get(before)) {
        tokio::time::sleep(desk.fast(*gap)).await;
    }
    for turn in first..=gaps.len() {
        let taken = attempt(desk, &notice).await;
        let gap = gaps.get(turn);
        let state = match (notice.forged, taken, gap) {
            // Whoever forges does not come back.
            (true, ..) => "forged",
            (false, true, _) => "delivered",
            (false, false, Some(_)) => "sending",
            (false, false, None) => "given_up",
        };
        enter(desk, id, state);
        match gap {
            Some(gap) if state == "sending" => tokio::time::sleep(desk.fast(*gap)).await,
            _ => return,
        }
    }
}

/// One attempt, recorded with its answer. Whether the gateway is content with it.
async fn attempt(desk: &Desk, notice: &SentNotice) -> bool {
    let at = desk.clock.unix();
    let side = desk.side(&notice.side);
    let result = match side.as_ref().and_then(|side| side.letter(desk, notice, at)) {
        Some(letter) => {
            let request = Request {
                method: letter.method,
                url: letter.url,
                headers: letter.headers,
                body: letter.body,
                timeout: PATIENCE,
                largest_answer: 64 * 1024,
            };
            desk.outbound.call(request).await.map_err(|e| e.to_string())
        }
        None => Err("no address to send it to is known".into()),
    };
    let taken = matches!((&side, &result), (Some(side), Ok(answer)) if side.took(answer));
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
            kept.attempts.push(answer);
        }
    });
    taken
}
