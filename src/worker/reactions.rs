//! THE table: which job starts which action, and which event makes which job.
//!
//! Most work is queued by the action itself, in its own transaction. An event makes a job here only where the action
//! that wrote it must not know of the consequence (arrows go down).

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::json;
use uuid::Uuid;

use crate::app::App;
use crate::base::actor::Actor;
use crate::base::ids::{BatchId, PaymentId, RefundId, StatementRunId, VariantId};
use crate::base::outcome::{Fault, Outcome};
use crate::downloads;
use crate::fulfilment;
use crate::infra::lease::Job;
use crate::infra::outbox;
use crate::infra::queue::{self, NewJob};
use crate::infra::sequence::{self, Numbered};
use crate::mail;
use crate::payments;
use crate::vault;

/// How a job ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    Finished,
    /// Come back after this time; no attempt is counted.
    Later(Duration),
}

/// What a worker does with a job. Production has one, `table`; tests pass others to see jobs fail, hang and panic.
pub type React = Arc<dyn Fn(Arc<App>, Job) -> BoxFuture<'static, Outcome<Done>> + Send + Sync>;

/// The table in the form workers take.
pub fn table() -> React {
    Arc::new(|app, job| Box::pin(async move { of_job(&app, &job).await }))
}

async fn of_job(app: &Arc<App>, job: &Job) -> Outcome<Done> {
    match job.kind.as_str() {
        fulfilment::tell::FILL | downloads::publish::PUBLISHED => {
            let filled = fulfilment::fill::run(app, VariantId(id(job, "variant")?)).await?;
            // Somebody held an order: look again shortly.
            return Ok(if filled.more { Done::Later(Duration::from_secs(1)) } else { Done::Finished });
        }
        vault::generate::GO_ON => {
            let batch = BatchId(id(job, "batch")?);
            fulfilment::restock::generate(app, &Actor::system(), batch).await?;
        }
        payments::ask::CHECK => payments::ask::check(app, PaymentId(id(job, "payment")?)).await?,
        payments::refunds::work::WORK => {
            payments::refunds::work::work(app, RefundId(id(job, "refund")?)).await?;
        }
        payments::refunds::sums::ASK => {
            payments::refunds::sums::ask(app, PaymentId(id(job, "payment")?)).await?;
        }
        payments::statements::import::IMPORT => {
            let run = StatementRunId(id(job, "run")?);
            return Ok(match payments::statements::work(app, run).await? {
                payments::statements::Progress::Finished => Done::Finished,
                payments::statements::Progress::Later(gap) => Done::Later(gap),
            });
        }
        outbox::SEND => {
            return Ok(match mail::send::send(app, id(job, "message")?).await? {
                mail::send::Next::Finished => Done::Finished,
                mail::send::Next::TryAgain(gap) => Done::Later(gap),
            });
        }
        other => return Err(Fault::bug(format!("no reaction to jobs of kind {other}")).into()),
    }
    Ok(Done::Finished)
}

/// The id that a job's payload names.
fn id(job: &Job, name: &str) -> Result<Uuid, Fault> {
    let text = job.payload.get(name).and_then(|v| v.as_str());
    text.and_then(|t| t.parse().ok())
        .ok_or_else(|| Fault::bug(format!("a job {} without its {name}", job.kind)))
}

fn of_event(event: &Numbered) -> Option<NewJob> {
    match (event.kind.as_deref(), event.object_id) {
        // The buyer agreed: the money is to be taken now.
        (Some("payment.approved"), Some(payment)) => Some(
            NewJob::new(payments::ask::CHECK, json!({ "payment": payment }))
                .once(format!("{payment}:approved:{}", event.seq)),
        ),
        _ => None,
    }
}

/// Queues the consequences of newly numbered events, each exactly once: the mark moves in the same transaction.
/// Returns how many events were looked at.
pub async fn to_events(app: &App) -> Result<usize, Fault> {
    let mut tx = app.db.begin().await?;
    let Some(reacted) = sequence::claim_reacted(&mut tx).await? else { return Ok(0) };
    let events = sequence::after(&mut tx, reacted, 512).await?;
    let jobs: Vec<NewJob> = events.iter().filter_map(of_event).collect();
    queue::add(&tx, &jobs).await?;
    if let Some(last) = events.last() {
        sequence::advance_reacted(&mut tx, last.seq).await?;
    }
    tx.commit().await?;
    if !jobs.is_empty() {
        app.bell.ring();
    }
    Ok(events.len())
}
