//! Collects what waits into slices. While a slice commits, the reports that arrive wait for the next: no timer, no added
//! delay when idle.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, mpsc, oneshot};

use crate::base::outcome::Fault;
use crate::infra::db::Purpose;
use crate::payments::kit::PaymentKit;
use crate::payments::notices::held::{Held, Waiting};
use crate::payments::notices::settle::{self, SliceResult};
use crate::payments::notices::store::inbox;
use crate::payments::report::{PaymentReport, Settled};

/// Reports in one slice at most.
pub(super) const SLICE: usize = 64;
/// Slices in flight: one's fsync overlaps with the other's work.
const IN_FLIGHT: usize = 2;
/// Reports that may wait; beyond that the answer is "come again".
const WAITING: usize = 1_024;

/// The way into the slices.
pub struct Intake {
    sender: mpsc::Sender<Waiting>,
    receiver: Arc<Mutex<mpsc::Receiver<Waiting>>>,
    /// Reports whose order somebody else holds.
    pub(super) held: Held,
}

impl Default for Intake {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        Self { sender, receiver: Arc::new(Mutex::new(receiver)), held: Held::default() }
    }
}

impl Intake {
    /// Starts the slices of this program; they end with it.
    pub fn start(kit: &Arc<PaymentKit>) {
        for _ in 0..IN_FLIGHT {
            let receiver = kit.intake.receiver.clone();
            let kit = Arc::downgrade(kit);
            tokio::spawn(async move {
                while let Some(batch) = next(&receiver).await {
                    let Some(kit) = Weak::upgrade(&kit) else { break };
                    // A task of its own: should it panic, the next slice still comes.
                    let done = tokio::spawn(async move { settle_batch(&kit, batch).await });
                    if let Err(error) = done.await {
                        tracing::error!(%error, "a slice was lost; its gateways come again");
                    }
                }
            });
        }
    }

    /// Settles a report in the next slice and answers after its commit. `Overloaded` when too many wait already.
    pub async fn settle(&self, report: PaymentReport) -> Result<Settled, Fault> {
        let (answer, settled) = oneshot::channel();
        self.sender
            .try_send(Waiting { report, answer, since: Instant::now() })
            .map_err(|_| Fault::Overloaded("too many notices wait"))?;
        settled.await.map_err(|_| Fault::bug("a slice ended without an answer"))?
    }
}

async fn next(receiver: &Mutex<mpsc::Receiver<Waiting>>) -> Option<Vec<Waiting>> {
    let mut batch = Vec::new();
    let taken = receiver.lock().await.recv_many(&mut batch, SLICE).await;
    (taken > 0).then_some(batch)
}

async fn settle_batch(kit: &Arc<PaymentKit>, batch: Vec<Waiting>) {
    let reports: Vec<PaymentReport> = batch.iter().map(|waiting| waiting.report.clone()).collect();
    metrics::histogram!("dispense_slice_words").record(reports.len() as f64);
    match settle::settle(kit, &reports).await {
        Ok(results) => {
            for (waiting, result) in batch.into_iter().zip(results) {
                end(kit, waiting, Ok(result));
            }
        }
        Err(fault) => {
            tracing::warn!(%fault, reports = reports.len(), "a slice failed; its reports are settled one by one");
            let in_doubt = matches!(fault, Fault::CommitUnknown(_));
            for waiting in batch {
                let result = patiently(kit, &waiting.report, in_doubt).await;
                end(kit, waiting, result);
            }
        }
    }
}

/// Answers a report, or lets it wait for its order out of the slices' way.
fn end(kit: &Arc<PaymentKit>, waiting: Waiting, result: Result<SliceResult, Fault>) {
    match result {
        Ok(SliceResult::Held(order)) => Held::wait(kit, order, waiting),
        Ok(SliceResult::Done(settled)) => waiting.end(Ok(settled)),
        Err(fault) => waiting.end(Err(fault)),
    }
}

/// Settles one report; passing trouble is tried again. While it is in doubt whether it was committed, that is looked up
/// by the event key first.
async fn patiently(
    kit: &PaymentKit,
    report: &PaymentReport,
    mut in_doubt: bool,
) -> Result<SliceResult, Fault> {
    let mut last = Fault::Overloaded("not tried");
    for attempt in 0..3_u32 {
        if in_doubt && let Some(settled) = look_up(kit, report).await? {
            return Ok(SliceResult::Done(settled));
        }
        if attempt > 0 {
            tokio::time::sleep(Duration::from_millis(20 * u64::from(attempt))).await;
        }
        match settle::settle_alone_if_free(kit, report).await {
            Ok(result) => return Ok(result),
            Err(fault) if fault.may_pass() || attempt == 0 => {
                in_doubt |= matches!(fault, Fault::CommitUnknown(_));
                last = fault;
            }
            Err(fault) => return Err(fault),
        }
    }
    Err(last)
}

/// Whether this event was committed as handled although nobody heard of it.
async fn look_up(kit: &PaymentKit, report: &PaymentReport) -> Result<Option<Settled>, Fault> {
    let Some(event_key) = report.event_key() else { return Ok(None) };
    let key = (report.account_id().to_owned(), event_key.to_owned());
    let conn = kit.db.conn_for(Purpose::Notices).await?;
    let handled = inbox::list_handled(&conn, &[key]).await?;
    Ok((!handled.is_empty()).then_some(Settled::Applied))
}
