//! Notices that were faster than their order, or that met a fault of ours, are tried again from the inbox.

use std::sync::Arc;

use futures::StreamExt;

use crate::base::outcome::{Fault, Outcome};
use crate::payments::kit::PaymentKit;
use crate::payments::notices::store::inbox::{self, Stored};
use crate::payments::notices::{raw, receive};
use crate::payments::report::{PaymentReport, Settled};

/// Notices tried in one sweep.
const AT_ONCE: i64 = 100;

/// Notices tried at the same time: one whose gateway is slow to say what it is checked with keeps no other waiting.
const TOGETHER: usize = 8;

/// Sweep: settles stored notices whose payment is there now. Their signatures are checked again, as of the time they
/// came. Returns how many changed something.
pub async fn sweep(kit: &PaymentKit) -> Outcome<usize> {
    let waiting = {
        let mut conn = kit.db.conn().await?;
        inbox::list_unhandled(&mut conn, AT_ONCE).await?
    };
    let tries = waiting.into_iter().map(|stored| async move {
        let id = stored.id;
        match attempt(kit, stored).await {
            Ok(applied) => usize::from(applied),
            Err(fault) => {
                tracing::warn!(%fault, notice = id, "a stored notice could not be settled");
                0
            }
        }
    });
    let applied: Vec<usize> = futures::stream::iter(tries).buffer_unordered(TOGETHER).collect().await;
    Ok(applied.into_iter().sum())
}

/// Whether it changed something. One that is still unknown stays as it is: another row each minute would add nothing new.
async fn attempt(kit: &PaymentKit, stored: Stored) -> Result<bool, Fault> {
    let Some((account, gateway)) = kit.accounts.find(&stored.account_id) else { return Ok(false) };
    let received = stored.received_at.timestamp();
    let restored = stored.kept().and_then(|kept| raw::restore(&kit.sealer, kept, received));
    let Some(raw) = restored else { return Ok(false) };
    let Ok(notice) = receive::authenticate(kit, &account, gateway.as_ref(), &raw).await? else {
        return Ok(false);
    };
    let report = PaymentReport::Notice { notice: Arc::new(notice), raw: Arc::new(raw), confirmed: None };
    Ok(matches!(kit.intake.settle(report).await?, Settled::Applied | Settled::Recorded))
}
