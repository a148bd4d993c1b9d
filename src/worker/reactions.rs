//! THE table: which job starts which action, and which event makes which job.
//!
//! Most work is queued by the action itself, in its own transaction. An event makes a job here only where the action
//! that wrote it must not know of the consequence (arrows go down).

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;

use crate::base::actor::Actor;
use crate::base::ids::VariantId;
use crate::base::outcome::{Failure, Fault, Outcome};
use crate::catalogue::jobs::CapRaised;
use crate::delivery;
use crate::delivery::jobs::{CloseGrant, HandleRecall};
use crate::files::events::GrantEvent;
use crate::fulfilment;
use crate::fulfilment::jobs::{FilePublished, Fill};
use crate::infra::cursor;
use crate::infra::effects::jobs::{self, NewJob, Payload};
use crate::infra::effects::messages::SendMessage;
use crate::infra::effects::tasks::TaskEvent;
use crate::infra::queue::Job;
use crate::infra::sequence::{self, Numbered};
use crate::licences;
use crate::licences::jobs::CloseLicence;
use crate::mail;
use crate::mail::jobs::AlertStaff;
use crate::orders;
use crate::orders::jobs::MailAccess;
use crate::payments;
use crate::payments::events::PaymentEvent;
use crate::payments::jobs::{AskDisputes, AskRefundSum, CheckPayment, ImportStatement, WorkRefund};
use crate::people;
use crate::people::jobs::{MailRegistration, MailReset};
use crate::suppliers::jobs::BuyFromSupplier;
use crate::vault::events::KeyEvent;
use crate::vault::jobs::{ClearImport, CommitImport, GenerateKeys, KeysFreed};
use crate::worker::backend::WorkerBackend;

/// How far the reactions have come in the sequence of events.
const CURSOR: &str = "reactions";

/// How a job ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    Finished,
    /// Come back after this time; no attempt is counted.
    Later(Duration),
}

/// What a worker does with a job. Production has one, `table`; tests pass others to see jobs fail, hang and panic.
pub type React = Arc<dyn Fn(Arc<WorkerBackend>, Job) -> BoxFuture<'static, Outcome<Done>> + Send + Sync>;

/// The kinds of jobs that it has.
pub const KINDS: [&str; 21] = [
    Fill::KIND,
    FilePublished::KIND,
    CapRaised::KIND,
    CommitImport::KIND,
    ClearImport::KIND,
    KeysFreed::KIND,
    GenerateKeys::KIND,
    CheckPayment::KIND,
    WorkRefund::KIND,
    AskRefundSum::KIND,
    AskDisputes::KIND,
    ImportStatement::KIND,
    SendMessage::KIND,
    BuyFromSupplier::KIND,
    CloseGrant::KIND,
    HandleRecall::KIND,
    CloseLicence::KIND,
    AlertStaff::KIND,
    MailReset::KIND,
    MailRegistration::KIND,
    MailAccess::KIND,
];

/// The table in the form workers take.
pub fn table() -> React {
    Arc::new(|backend, job| {
        Box::pin(async move {
            match of_job(&backend, &job).await {
                // What it needs has no room now: it made no attempt.
                Err(Failure::Fault(Fault::Overloaded(why))) => {
                    tracing::info!(job = job.id, kind = job.kind, why, "a job is put off");
                    Ok(Done::Later(PUT_OFF))
                }
                done => done,
            }
        })
    })
}

/// When a job comes back for which there was no room: its gateway's share of calls, a connection.
const PUT_OFF: Duration = Duration::from_secs(5);

async fn of_job(backend: &Arc<WorkerBackend>, job: &Job) -> Outcome<Done> {
    match job.kind.as_str() {
        Fill::KIND => return fill(backend, job.payload::<Fill>()?.variant).await,
        FilePublished::KIND => return fill(backend, job.payload::<FilePublished>()?.variant).await,
        CapRaised::KIND => return fill(backend, job.payload::<CapRaised>()?.variant).await,
        CommitImport::KIND => {
            let batch = job.payload::<CommitImport>()?.batch;
            fulfilment::commit_import::run(backend, &Actor::system(), batch).await?;
        }
        ClearImport::KIND => {
            fulfilment::commit_import::clear(backend, job.payload::<ClearImport>()?.batch).await?;
        }
        KeysFreed::KIND => return fill(backend, job.payload::<KeysFreed>()?.variant).await,
        GenerateKeys::KIND => {
            let batch = job.payload::<GenerateKeys>()?.batch;
            fulfilment::restock::generate(backend, &Actor::system(), batch).await?;
        }
        CheckPayment::KIND => {
            payments::attempts::ask::check(&backend.payments, job.payload::<CheckPayment>()?.payment).await?
        }
        WorkRefund::KIND => {
            payments::refunds::work::work(&backend.payments, job.payload::<WorkRefund>()?.refund).await?;
        }
        AskRefundSum::KIND => {
            payments::refunds::sums::ask(&backend.payments, job.payload::<AskRefundSum>()?.payment).await?;
        }
        AskDisputes::KIND => {
            payments::disputes::ask::ask(&backend.payments, job.payload::<AskDisputes>()?.payment).await?;
        }
        ImportStatement::KIND => {
            let run = job.payload::<ImportStatement>()?.run;
            return Ok(match payments::statements::work(&backend.payments, run).await? {
                payments::statements::Progress::Finished => Done::Finished,
                payments::statements::Progress::Later(gap) => Done::Later(gap),
            });
        }
        SendMessage::KIND => {
            let message = job.payload::<SendMessage>()?.message;
            return Ok(match mail::send::send(backend, message.0).await? {
                mail::send::Next::Finished => Done::Finished,
                mail::send::Next::TryAgain(gap) => Done::Later(gap),
            });
        }
        BuyFromSupplier::KIND => {
            let piece = job.payload::<BuyFromSupplier>()?.piece;
            return Ok(match fulfilment::supplier::run(backend, piece).await? {
                fulfilment::supplier::NextLook::Later(gap) => Done::Later(gap),
                fulfilment::supplier::NextLook::Finished | fulfilment::supplier::NextLook::Again => {
                    Done::Finished
                }
            });
        }
        CloseGrant::KIND => {
            delivery::grant::close(backend, job.payload::<CloseGrant>()?.grant).await?;
        }
        HandleRecall::KIND => {
            let recall = job.payload::<HandleRecall>()?.recall;
            let more = delivery::recall::run(&backend.payments, recall).await?;
            return Ok(if more { Done::Later(Duration::ZERO) } else { Done::Finished });
        }
        CloseLicence::KIND => {
            licences::close::close(backend, job.payload::<CloseLicence>()?.licence_key).await?
        }
        MailReset::KIND => {
            let asked = job.payload::<MailReset>()?;
            people::reset_password::mail(backend, &asked.email, &asked.client).await?;
        }
        MailRegistration::KIND => {
            let asked = job.payload::<MailRegistration>()?;
            people::register::mail(backend, asked.registration, &asked.client).await?;
        }
        MailAccess::KIND => orders::lost::mail(backend, &job.payload::<MailAccess>()?).await?,
        AlertStaff::KIND => mail::alert::alert(backend, job.payload::<AlertStaff>()?.task).await?,
        other => return Err(Fault::bug(format!("no reaction to jobs of kind {other}")).into()),
    }
    Ok(Done::Finished)
}

async fn fill(backend: &WorkerBackend, variant: VariantId) -> Outcome<Done> {
    let filled = fulfilment::fill::run(backend, variant).await?;
    // Somebody held an order: look again shortly.
    Ok(if filled.more { Done::Later(Duration::from_secs(1)) } else { Done::Finished })
}

/// The consequences of an event that the action that wrote it must not know of.
fn of_event(event: &Numbered) -> Option<NewJob> {
    // The buyer agreed: the money is to be taken now.
    if let Some(PaymentEvent::Approved(payment, _)) = event.read() {
        return Some(CheckPayment { payment }.job().besides(format_args!("approved:{}", event.seq)));
    }
    // Links and sessions are above whoever revokes a grant.
    if let Some(GrantEvent::Revoked(grant, _)) = event.read() {
        return Some(CloseGrant { grant }.job());
    }
    // Devices are above whoever takes a key back.
    if let Some(KeyEvent::Voided(key, _) | KeyEvent::Restocked(key, _)) = event.read() {
        return Some(CloseLicence { licence_key: key }.job());
    }
    match event.read()? {
        TaskEvent::Opened(task, _) => Some(AlertStaff { task }.job()),
        _ => None,
    }
}

/// Queues the consequences of newly numbered events, each exactly once: the mark moves in the same transaction.
/// Returns how many events were looked at.
pub async fn to_events(backend: &WorkerBackend) -> Result<usize, Fault> {
    let mut tx = backend.db.begin().await?;
    let Some(after) = cursor::claim(&mut tx, CURSOR).await? else { return Ok(0) };
    let events = sequence::after(&mut tx, after, 512).await?;
    let jobs: Vec<NewJob> = events.iter().filter_map(of_event).collect();
    jobs::add(&tx, &jobs).await?;
    if let Some(last) = events.last() {
        cursor::advance(&mut tx, CURSOR, last.seq).await?;
    }
    tx.commit().await?;
    if !jobs.is_empty() {
        backend.bell.ring();
    }
    Ok(events.len())
}
