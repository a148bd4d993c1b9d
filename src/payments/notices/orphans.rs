//! Notices that were faster than their order, or that met a fault of ours, are tried again from the inbox.

use std::sync::Arc;

use crate::base::outcome::{Fault, Outcome};
use crate::payments::kit::PaymentKit;
use crate::payments::notices::store::inbox;
use crate::payments::notices::{raw, receive};
use crate::payments::report::{PaymentReport, Settled};

/// Sweep: settles stored notices whose payment is there now. Their signatures are checked again, as of the time they
/// came. Returns how many changed something.
pub async fn sweep(kit: &PaymentKit) -> Outcome<usize> {
    let waiting = {
        let mut conn = kit.db.conn().await?;
        inbox::list_unhandled(&mut conn, 100).await?
    };
    let mut applied = 0;
    for stored in waiting {
        let Some((account, gateway)) = kit.accounts.find(&stored.account_id) else { continue };
        let received = stored.received_at.timestamp();
        let id = stored.id;
        let restored = stored.kept().and_then(|kept| raw::restore(&kit.sealer, kept, received));
        let Some(raw) = restored else { continue };
        let Ok(notice) = receive::authenticate(kit, &account, gateway.as_ref(), &raw).await else { continue };
        let report = PaymentReport::Notice { notice: Arc::new(notice), raw: Arc::new(raw), confirmed: None };
        // One that is still unknown stays as it is: another row each minute would add nothing new.
        match kit.intake.settle(report).await {
            Ok(Settled::Applied | Settled::Recorded) => applied += 1,
            Ok(_) => {}
            Err(Fault::Overloaded(why)) => return Err(Fault::Overloaded(why).into()),
            Err(fault) => tracing::warn!(%fault, notice = id, "a stored notice could not be settled"),
        }
    }
    Ok(applied)
}
