//! An order in the hands of a transaction that holds its lock: what decisions read and change before it is written.

use std::collections::{HashMap, HashSet};

use diesel_async::AsyncPgConnection;

use crate::base::clock::Clock;
use crate::base::ids::{OrderId, PaymentId, RefundId};
use crate::base::money::Money;
use crate::base::outcome::{Failure, Fault};
use crate::infra::effects::tasks::{NewTask, TaskKind};
use crate::orders::model::Order;
use crate::orders::state::OrderState;
use crate::payments::capture;
use crate::payments::cover::{self, Coverage};
use crate::payments::disputes::{DisputeState, TrackedDispute};
use crate::payments::events::{Balance, PaymentEvent};
use crate::payments::kit::PaymentKit;
use crate::payments::model::Payment;
use crate::payments::notices::store::slice;
use crate::payments::refunds::arithmetic::{self, Sums};
use crate::payments::refunds::model::TrackedRefund;
use crate::payments::state::{PaymentChange, PaymentState};
use crate::payments::tasks::PaymentDouble;
use crate::payments::{disputes, refunds};

/// An order that is locked, with all its payments; the decisions of a slice change it one after the other.
#[derive(Clone, Debug)]
pub struct Case {
    pub order_id: OrderId,
    pub number: String,
    pub state: OrderState,
    pub payments: Vec<Tracked>,
    /// Refunds and disputes were read, which is done only when a report is about money that goes back. Without them
    /// nothing may be weighed: what is known would be counted anew.
    knows_money_back: bool,
    pub refunds: Vec<TrackedRefund>,
    pub disputes: Vec<TrackedDispute>,
    /// Some unit has goods, or waits for some.
    pub has_goods: bool,
    /// Somebody spoke of money that goes back: refunds and disputes were weighed anew.
    pub weighed: bool,
    /// Whether money pays for the goods, as far as it was weighed.
    pub coverage: Option<Coverage>,
    /// Its buyer has paid for as many as one buyer gets: money for it is kept apart.
    pub over_limit: bool,
    /// The order became paid in this slice.
    pub paid_now: bool,
    pub decided: Decided,
    /// For the present and for ids of new rows.
    pub clock: Clock,
}

/// What was decided of an order beside its rows.
#[derive(Clone, Debug, Default)]
pub struct Decided {
    /// Money that came, for the ledger.
    pub captures: Vec<CapturedMoney>,
    pub sums_to_ask: Vec<SumToAsk>,
    pub events: Vec<PaymentEvent>,
    /// Each about the payment that is its subject, or about the order.
    pub tasks: Vec<NewTask>,
}

#[derive(Clone, Copy, Debug)]
pub struct CapturedMoney {
    pub payment_id: PaymentId,
    pub amount: Money,
    /// Whether it pays for the order's lines.
    pub allocated: bool,
}

/// What is known of a payment's refunds contradicts itself: its gateway is to be asked for the sum.
#[derive(Clone, Copy, Debug)]
pub struct SumToAsk {
    pub payment_id: PaymentId,
    /// Now and again when clocks agree, or then only.
    pub at_once: bool,
}

/// A payment and the state it had when it was locked.
#[derive(Clone, Debug)]
pub struct Tracked {
    pub before: PaymentState,
    pub row: Payment,
    /// Made by this slice: money that came a second time.
    pub is_new: bool,
    pub changed: bool,
    /// Its money is booked on the order's lines: it paid for them when it was locked, or was captured for them since.
    /// Where another payment takes its place in this transaction, what is booked of it meanwhile falls on the lines still.
    pub on_lines: bool,
    /// How its gateway reports sums.
    pub sums: Sums,
}

impl Tracked {
    /// It took the place of another payment in this transaction.
    pub fn is_reallocated(&self) -> bool {
        self.row.allocated && !self.on_lines
    }
}

/// The cases of a slice by order.
pub type Cases = HashMap<OrderId, Case>;

impl Case {
    pub fn payment(&self, id: PaymentId) -> Option<&Payment> {
        self.payments.iter().map(|t| &t.row).find(|p| p.id == id)
    }

    /// [`rebalance`](Self::rebalance) by the payment's id.
    pub fn rebalance_payment(&mut self, id: PaymentId) {
        if let Some(index) = self.payments.iter().position(|t| t.row.id == id) {
            self.rebalance(index);
        }
    }

    /// Brings everything that follows from refunds and disputes of one payment in line: what counts, the payment's
    /// state, and what now pays for the order.
    pub fn rebalance(&mut self, index: usize) {
        if !self.knows_money_back {
            tracing::error!(order = self.number, "refunds were to be weighed that were not read");
            metrics::counter!("dispense_defects_total", "kind" => "refunds_not_read").increment(1);
            return;
        }
        let Self { payments, refunds, disputes, clock, decided, .. } = self;
        let tracked = &mut payments[index];
        if !tracked.row.state.was_captured() {
            return;
        }
        let id = tracked.row.id;
        let (given, lost) = (tracked.row.refunded_minor, tracked.row.lost_minor);
        let mut rows: Vec<&mut TrackedRefund> =
            refunds.iter_mut().filter(|r| r.row.payment_id == id).collect();
        let mut quarrels: Vec<&mut TrackedDispute> =
            disputes.iter_mut().filter(|d| d.row.payment_id == id).collect();
        let opened = quarrels.iter().any(|d| d.row.state == DisputeState::Opened);
        let fresh = || RefundId(clock.uuid());
        let new =
            arithmetic::balance(&mut tracked.row, tracked.sums, &mut rows, &mut quarrels, fresh, clock.now());
        refunds.extend(new);
        tracked.changed |= (given, lost) != (tracked.row.refunded_minor, tracked.row.lost_minor);
        let change = money_change(&tracked.row, opened);
        if let Ok(next) = tracked.row.state.after(change)
            && next != tracked.row.state
        {
            (tracked.row.state, tracked.changed) = (next, true);
            decided.events.push(balance_event(change, &tracked.row));
        }
        self.weighed = true;
        cover::settle(self);
        // Money that had all gone back is here again, and other money pays for the goods by now.
        let row = &self.payments[index].row;
        let was_gone = given + lost > 0 && Some(given + lost) == row.received_minor;
        if was_gone && row.waits_for_a_person() {
            capture::unallocated(self, index, PaymentDouble::open);
        }
    }
}

/// What a payment's money says of its state. The heaviest counts: lost, disputed, refunded, partly refunded.
fn money_change(payment: &Payment, disputed: bool) -> PaymentChange {
    let gone = payment.refunded_minor + payment.lost_minor;
    match gone {
        0 if disputed => PaymentChange::Dispute,
        0 => PaymentChange::Restore,
        all if all == payment.received_minor.unwrap_or(0) && payment.lost_minor > 0 => {
            PaymentChange::LoseDispute
        }
        _ if disputed => PaymentChange::Dispute,
        all if all == payment.received_minor.unwrap_or(0) => PaymentChange::RefundAll,
        _ => PaymentChange::RefundPart,
    }
}

/// What is recorded of a payment whose state follows from refunds and disputes.
fn balance_event(change: PaymentChange, payment: &Payment) -> PaymentEvent {
    let made = match change {
        PaymentChange::RefundPart => PaymentEvent::PartiallyRefunded,
        PaymentChange::RefundAll => PaymentEvent::Refunded,
        PaymentChange::Dispute => PaymentEvent::Disputed,
        PaymentChange::LoseDispute => PaymentEvent::Lost,
        _ => PaymentEvent::Restored,
    };
    made(payment.id, Balance { refunded_minor: payment.refunded_minor, lost_minor: payment.lost_minor })
}

/// Reads what belongs to locked orders, in a fixed number of statements; refunds and disputes only where a report is
/// about money that goes back.
pub async fn load(
    conn: &AsyncPgConnection,
    kit: &PaymentKit,
    orders: &[Order],
    money_back: bool,
) -> Result<Cases, Failure> {
    let ids: Vec<OrderId> = orders.iter().map(|o| o.id).collect();
    if ids.is_empty() {
        return Ok(Cases::new());
    }
    let mut payments: HashMap<OrderId, Vec<Tracked>> = HashMap::new();
    for row in slice::list_payments(conn, &ids).await? {
        let found = kit.accounts.find(&row.account_id);
        let sums = found.map_or_else(Sums::default, |(a, gateway)| Sums::of(&gateway.abilities(&a.keys)));
        let (before, on_lines) = (row.state, row.allocated);
        let tracked = Tracked { before, row, is_new: false, changed: false, on_lines, sums };
        payments.entry(tracked.row.order_id).or_default().push(tracked);
    }
    let mut back = MoneyBack::default();
    if money_back {
        back = MoneyBack::load(conn, &ids).await?;
    }
    Ok(orders
        .iter()
        .map(|order| {
            let case = Case {
                order_id: order.id,
                number: order.number.clone(),
                state: order.state,
                payments: payments.remove(&order.id).unwrap_or_default(),
                knows_money_back: money_back,
                refunds: back.refunds.remove(&order.id).unwrap_or_default(),
                disputes: back.disputes.remove(&order.id).unwrap_or_default(),
                has_goods: back.with_goods.contains(&order.id),
                weighed: false,
                coverage: None,
                over_limit: false,
                paid_now: false,
                decided: Decided::default(),
                clock: kit.clock.clone(),
            };
            (order.id, case)
        })
        .collect())
}

/// The case of one locked order, refunds and disputes included.
pub async fn load_one(conn: &AsyncPgConnection, kit: &PaymentKit, order: &Order) -> Result<Case, Failure> {
    let mut cases = load(conn, kit, std::slice::from_ref(order), true).await?;
    cases.remove(&order.id).ok_or_else(|| Fault::bug("a locked order has no case").into())
}

#[derive(Default)]
struct MoneyBack {
    refunds: HashMap<OrderId, Vec<TrackedRefund>>,
    disputes: HashMap<OrderId, Vec<TrackedDispute>>,
    with_goods: HashSet<OrderId>,
}

impl MoneyBack {
    async fn load(conn: &AsyncPgConnection, ids: &[OrderId]) -> Result<Self, Failure> {
        let (rows, quarrels, with_goods) = futures::try_join!(
            refunds::store::list_of_orders(conn, ids),
            disputes::store::list_of_orders(conn, ids),
            slice::list_with_goods(conn, ids),
        )?;
        let mut back = Self { with_goods: with_goods.into_iter().collect(), ..Self::default() };
        let mut units = refunds::store::list_named_units(conn, ids).await?;
        for row in rows {
            let named = units.remove(&row.id).unwrap_or_default();
            back.refunds.entry(row.order_id).or_default().push(TrackedRefund::read(row, named));
        }
        for row in quarrels {
            back.disputes.entry(row.order_id).or_default().push(TrackedDispute::read(row));
        }
        Ok(back)
    }
}
