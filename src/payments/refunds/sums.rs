//! Asks a gateway how much of a payment went back, when what is known contradicts itself: a refund failed after it had
//! succeeded, or sums came in an order that clocks cannot settle. The answer takes the place of every earlier sum.

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::app::App;
use crate::base::ids::PaymentId;
use crate::base::outcome::Outcome;
use crate::infra::queue::NewJob;
use crate::payments::ask;
use crate::payments::store::attempts;

/// The job that asks; its payload is `{"payment": uuid}`.
pub const ASK: &str = "refund.ask_sum";

/// The question about a payment at this time.
pub fn job(payment: PaymentId, at: DateTime<Utc>) -> NewJob {
    NewJob::new(ASK, json!({ "payment": payment.0 })).once(format!("{}:{}", payment.0, at.timestamp())).at(at)
}

/// Asks and applies the answer. A gateway that cannot be asked leaves things as they are: its statement will speak.
pub async fn ask(app: &App, id: PaymentId) -> Outcome<()> {
    let payment = attempts::find(&mut *app.db.conn().await?, id).await?;
    if let Some(payment) = payment.filter(|p| p.state.was_captured()) {
        ask::reconcile(app, &payment).await?;
    }
    Ok(())
}
