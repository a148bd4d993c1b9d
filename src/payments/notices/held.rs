//! Reports whose order somebody else holds. They leave the slices, so that nobody else waits for them: each held order has
//! a task of its own, in which its reports wait together and are settled in the order they came. A few of these tasks wait in
//! the database, with a connection each; the others look again after a pause and hold nothing meanwhile.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, oneshot};

use crate::base::ids::OrderId;
use crate::base::outcome::Fault;
use crate::payments::kit::PaymentKit;
use crate::payments::notices::intake::SLICE;
use crate::payments::notices::settle::{self, SliceResult};
use crate::payments::report::{PaymentReport, Settled};

/// Reports that may wait for held orders at once; beyond that the answer is "come again".
pub const MOST: usize = 256;

/// Tasks that wait in the database. The pool of notices has a connection for each beside those of the slices.
pub const WAITERS: usize = 4;

/// How long a report waits for its order: gateways give up after five seconds or so.
const PATIENCE: Duration = Duration::from_secs(3);

/// Between two looks at an order.
const PAUSE: Duration = Duration::from_millis(50);

/// A report on its way, and who waits for what becomes of it.
pub(super) struct Waiting {
    pub report: PaymentReport,
    pub answer: oneshot::Sender<Result<Settled, Fault>>,
    pub since: Instant,
}

impl Waiting {
    pub fn end(self, result: Result<Settled, Fault>) {
        // Nobody may be there any more: what was settled stays so.
        drop(self.answer.send(result));
    }

    fn is_patient(&self) -> bool {
        self.since.elapsed() < PATIENCE
    }
}

/// The reports that wait, by order.
pub(super) struct Held {
    orders: Mutex<HashMap<OrderId, VecDeque<Waiting>>>,
    count: AtomicUsize,
    waiters: Semaphore,
}

impl Default for Held {
    fn default() -> Self {
        Self { orders: Mutex::default(), count: AtomicUsize::new(0), waiters: Semaphore::new(WAITERS) }
    }
}

impl Held {
    fn orders(&self) -> MutexGuard<'_, HashMap<OrderId, VecDeque<Waiting>>> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a report wait for its order; `Overloaded` at once when too many do.
    pub fn wait(kit: &Arc<PaymentKit>, order: OrderId, waiting: Waiting) {
        let held = &kit.intake.held;
        if held.count.fetch_add(1, Ordering::Relaxed) >= MOST {
            held.count.fetch_sub(1, Ordering::Relaxed);
            return waiting.end(Err(Fault::Overloaded("too many notices wait for orders that are held")));
        }
        metrics::gauge!("dispense_notices_held").increment(1);
        let first = {
            let mut orders = held.orders();
            let first = !orders.contains_key(&order);
            orders.entry(order).or_default().push_back(waiting);
            first
        };
        if first {
            tokio::spawn(attend(kit.clone(), order));
        }
    }

    /// A slice of the order's reports, the first come first; none ends its task.
    fn take(&self, order: OrderId) -> Option<Vec<Waiting>> {
        let mut orders = self.orders();
        let queue = orders.get_mut(&order)?;
        let most = queue.len().min(SLICE);
        let batch: Vec<Waiting> = queue.drain(..most).collect();
        if batch.is_empty() {
            orders.remove(&order);
            return None;
        }
        Some(batch)
    }

    /// Those that still wait come before those that came meanwhile.
    fn put_back(&self, order: OrderId, batch: Vec<Waiting>) {
        if let Some(queue) = self.orders().get_mut(&order) {
            batch.into_iter().rev().for_each(|waiting| queue.push_front(waiting));
        }
    }

    fn end(&self, waiting: Waiting, result: Result<Settled, Fault>) {
        self.count.fetch_sub(1, Ordering::Relaxed);
        metrics::gauge!("dispense_notices_held").decrement(1);
        waiting.end(result);
    }
}

/// Settles the reports of one held order until none waits.
async fn attend(kit: Arc<PaymentKit>, order: OrderId) {
    let held = &kit.intake.held;
    while let Some(batch) = held.take(order) {
        let (batch, late): (Vec<_>, Vec<_>) = batch.into_iter().partition(Waiting::is_patient);
        late.into_iter().for_each(|waiting| held.end(waiting, Err(settle::held_too_long())));
        let mut batch = VecDeque::from(batch);
        match held.waiters.try_acquire() {
            Ok(_waiter) => {
                let Some(first) = batch.pop_front() else { continue };
                let result = settle::settle_alone(&kit, &first.report).await;
                match result {
                    Err(fault) if fault.may_pass() && first.is_patient() => batch.push_front(first),
                    result => held.end(first, result),
                }
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
        let rest = settle_rest(&kit, batch.into()).await;
        held.put_back(order, rest);
    }
}

/// Settles what nobody holds any more, and gives the rest back.
async fn settle_rest(kit: &PaymentKit, batch: Vec<Waiting>) -> Vec<Waiting> {
    if batch.is_empty() {
        return batch;
    }
    let held = &kit.intake.held;
    let reports: Vec<PaymentReport> = batch.iter().map(|waiting| waiting.report.clone()).collect();
    let mut rest = Vec::new();
    match settle::settle(kit, &reports).await {
        Ok(results) => {
            for (waiting, result) in batch.into_iter().zip(results) {
                match result {
                    SliceResult::Done(settled) => held.end(waiting, Ok(settled)),
                    SliceResult::Held(_) => rest.push(waiting),
                }
            }
        }
        Err(fault) => {
            tracing::warn!(%fault, reports = reports.len(), "reports of a held order are settled one by one");
            for waiting in batch {
                match settle::settle_alone_if_free(kit, &waiting.report).await {
                    Ok(SliceResult::Done(settled)) => held.end(waiting, Ok(settled)),
                    Ok(SliceResult::Held(_)) => rest.push(waiting),
                    Err(fault) if fault.may_pass() && waiting.is_patient() => rest.push(waiting),
                    Err(fault) => held.end(waiting, Err(fault)),
                }
            }
        }
    }
    rest
}
