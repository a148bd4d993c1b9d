//! Staff has stored notices judged again: verified with today's keys as of the time they came, and settled. For those
//! that a wrong key, a wrong account or a fault of ours kept from being believed.

use std::sync::Arc;

use std::time::Duration;

use futures::StreamExt;
use tokio::time::{Instant, timeout_at};

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::SHOP;
use crate::base::outcome::{Failure, Fault, Outcome, Refusal};
use crate::infra::effects::events::{self, Event};
use crate::payments::events::{Replayed, ShopEvent};
use crate::payments::kit::PaymentKit;
use crate::payments::notices::store::inbox::{self, Stored};
use crate::payments::notices::{raw, receive};
use crate::payments::report::Settled;

/// Notices at once.
pub const MOST: usize = 100;

/// Judged at the same time: each may have to ask its gateway.
const TOGETHER: usize = 16;

/// Those that take longer together are left for another time.
const PATIENCE: Duration = Duration::from_secs(8);

/// Judges notices again, each by itself; the result says what became of it, as a verdict of the inbox. Replaying one
/// that was handled changes nothing. Refusals: `FORBIDDEN`, `INVALID`; of one notice `NOT_FOUND`,
/// `NOTICE_NOT_VERIFIABLE`, `UNAVAILABLE`.
pub async fn replay(
    kit: &PaymentKit,
    actor: &Actor,
    ids: &[i64],
) -> Outcome<Vec<Result<&'static str, Refusal>>> {
    if !actor.is_staff() {
        return Err(Refusal::new(ErrorCode::Forbidden, "replaying notices is for staff").into());
    }
    if ids.len() > MOST {
        return Err(Refusal::new(ErrorCode::Invalid, format!("at most {MOST} notices at once"))
            .at(["ids"])
            .into());
    }
    let stored = {
        let mut conn = kit.db.conn().await?;
        inbox::list(&mut conn, ids).await?
    };
    let end = Instant::now() + PATIENCE;
    let stored = stored.into_iter().map(|one| async move {
        let id = one.id;
        let judged = timeout_at(end, judge(kit, actor, one)).await;
        (id, judged.unwrap_or_else(|_| Err(unavailable().into())))
    });
    let mut judged: Vec<(i64, Outcome<&'static str>)> =
        futures::stream::iter(stored).buffer_unordered(TOGETHER).collect().await;
    let mut results = Vec::with_capacity(ids.len());
    for id in ids {
        // An id that is named twice is judged once.
        let place = judged.iter().position(|(judged, _)| judged == id);
        results.push(match place.map(|place| judged.swap_remove(place).1) {
            Some(Ok(verdict)) => Ok(verdict),
            Some(Err(Failure::Refused(refusal))) => Err(*refusal),
            Some(Err(Failure::Fault(fault))) => {
                tracing::warn!(%fault, notice = id, "a notice could not be replayed");
                Err(unavailable())
            }
            None => Err(Refusal::new(ErrorCode::NotFound, "there is no such notice")),
        });
    }
    Ok(results)
}

fn unavailable() -> Refusal {
    Refusal::new(ErrorCode::Unavailable, "the gateway or the database did not answer in time").retry_after(5)
}

async fn judge(kit: &PaymentKit, actor: &Actor, stored: Stored) -> Outcome<&'static str> {
    let unverifiable = |text: String| Refusal::new(ErrorCode::NoticeNotVerifiable, text);
    let (id, account_id, received) = (stored.id, stored.account_id.clone(), stored.received_at.timestamp());
    let gone = || unverifiable("what came is not kept any more".into());
    let raw = stored.kept().and_then(|kept| raw::restore(&kit.sealer, kept, received)).ok_or_else(gone)?;
    let (account, gateway) = kit
        .accounts
        .find(&account_id)
        .ok_or_else(|| unverifiable(format!("account {account_id} is not configured")))?;
    let notice = receive::authenticate(kit, &account, gateway.as_ref(), &raw)
        .await
        .map_err(|_| unavailable())?
        .map_err(|refusal| unverifiable(format!("{}: {}", refusal.stage.as_str(), refusal.reason)))?;
    let settled = receive::settle(kit, &Arc::new(notice), &Arc::new(raw)).await?;
    if matches!(settled, Settled::Confirm(_) | Settled::AskWhose) {
        return Err(unavailable().into());
    }
    note(kit, actor, id, settled.verdict()).await?;
    Ok(settled.verdict())
}

/// Writes down that somebody of the shop did this.
async fn note(kit: &PaymentKit, actor: &Actor, id: i64, verdict: &'static str) -> Result<(), Fault> {
    let replayed = Replayed { notice: id, verdict: verdict.into() };
    let event = ShopEvent::NoticeReplayed(SHOP, replayed).by(actor.label());
    events::append(&*kit.db.conn().await?, &[event]).await?;
    kit.bell.ring();
    Ok(())
}
