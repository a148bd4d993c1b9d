//! Asks gateways about disputes that nobody has decided: all notices about one can be lost, and a payment that is only
//! called disputed has a dispute without a name.

use std::time::Duration;

use crate::base::ids::PaymentId;
use crate::base::outcome::{Fault, Outcome};
use crate::infra::effects::jobs::{self, NewJob, Payload};
use crate::payments::accounts::circuit::Lane;
use crate::payments::attempts::ask::named;
use crate::payments::attempts::store as attempts;
use crate::payments::disputes::store as disputes;
use crate::payments::gateways::gateway::{Call, DisputesThere, came_clearly};
use crate::payments::jobs::AskDisputes;
use crate::payments::kit::PaymentKit;
use crate::payments::model::Payment;
use crate::payments::refunds::sums;
use crate::payments::report::PaymentReport;

const TIMEOUT: Duration = Duration::from_secs(30);

/// Sweep: queues the questions that are due, ten minutes after a dispute was recorded and then daily.
pub async fn sweep(kit: &PaymentKit) -> Outcome<usize> {
    let mut tx = kit.db.begin().await?;
    let due = disputes::claim_due(&mut tx, 100).await?;
    let now = kit.clock.now().timestamp();
    let jobs: Vec<NewJob> =
        due.iter().map(|payment| AskDisputes { payment: *payment }.job().besides(now)).collect();
    let added = jobs::add(&tx, &jobs).await?;
    tx.commit().await?;
    Ok(added)
}

/// Job `dispute.ask`: each dispute of the answer is a report as a notice is. What has no name at the gateway, or at
/// gateways that do not list disputes, is known from the payment alone.
pub async fn ask(kit: &PaymentKit, id: PaymentId) -> Outcome<()> {
    let payment = attempts::find(&mut *kit.db.conn().await?, id).await?;
    let Some(payment) = payment.filter(|p| p.state.was_captured()) else { return Ok(()) };
    let asked_at = kit.clock.now();
    match there(kit, &payment).await? {
        DisputesThere::Known(states) if !states.is_empty() => {
            for state in states {
                let state = Box::new(state.asked(asked_at));
                kit.intake.settle(PaymentReport::Answer { payment_id: id, state }).await?;
            }
            Ok(())
        }
        DisputesThere::Known(_) | DisputesThere::Unsupported => sums::ask(kit, id).await,
        DisputesThere::Unknown(why) => Err(Fault::Upstream(why).into()),
    }
}

async fn there(kit: &PaymentKit, payment: &Payment) -> Result<DisputesThere, Fault> {
    let Some((account, gateway)) = kit.accounts.find(&payment.account_id) else {
        return Ok(DisputesThere::Unsupported);
    };
    let call = Call { keys: &account.keys, now_unix: kit.clock.unix(), timeout: TIMEOUT };
    let reference = named(payment);
    let disputes = tokio::time::timeout(TIMEOUT, gateway.disputes(&call, &reference));
    let answer = kit.circuits.call(&account.id, Lane::Background, disputes, came_clearly).await?;
    Ok(answer.unwrap_or_else(|_| DisputesThere::Unknown("no answer in time".into())))
}
