//! The reports that are settled in one transaction, each with what is found out about it on the way.

use crate::base::ids::{OrderId, PaymentId};
use crate::payments::notices::store::slice::{Found, How};
use crate::payments::report::{PaymentReport, Settled};

/// One report of a slice.
pub struct SliceEntry<'r> {
    pub report: &'r PaymentReport,
    /// The payment it is about.
    pub subject: Option<Found>,
    /// The payment that had its trade before, when its number is another payment's.
    pub elsewhere: Option<PaymentId>,
    /// Once it was judged.
    pub result: Option<SliceResult>,
}

/// What became of one report of a slice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SliceResult {
    Done(Settled),
    /// Somebody else holds its order: settle it by itself, waiting for the lock.
    Held(OrderId),
}

pub struct Slice<'r> {
    pub entries: Vec<SliceEntry<'r>>,
}

impl<'r> Slice<'r> {
    /// `found`: the payments that the reports may be about. Taken is the one by our number, else by the gateway's, unless
    /// two ways disagree or the number is another account's.
    pub fn new(reports: &'r [PaymentReport], found: &[Found]) -> Self {
        let blank = |report| SliceEntry { report, subject: None, elsewhere: None, result: None };
        let mut entries: Vec<SliceEntry<'r>> = reports.iter().map(blank).collect();
        for candidate in found {
            let subject = &mut entries[candidate.index].subject;
            if subject.is_none_or(|chosen| candidate.how < chosen.how) {
                *subject = Some(*candidate);
            }
        }
        for candidate in found.iter().filter(|f| f.how == How::TradeNo) {
            let entry = &mut entries[candidate.index];
            let meant = entry.report.payment_id().or(entry.subject.map(|s| s.payment_id));
            if meant != Some(candidate.payment_id) {
                entry.elsewhere = Some(candidate.payment_id);
            }
        }
        Self { entries }
    }

    /// The orders it is about, in the order of their ids.
    pub fn orders(&self) -> Vec<OrderId> {
        let mut orders: Vec<OrderId> =
            self.entries.iter().filter_map(|e| e.subject.map(|f| f.order_id)).collect();
        orders.sort_unstable();
        orders.dedup();
        orders
    }

    pub fn is_about_money_back(&self) -> bool {
        self.entries.iter().any(|e| e.report.is_about_money_back())
    }
}

impl SliceEntry<'_> {
    /// Account and event key, by which a repeat is known.
    pub fn key(&self) -> Option<(String, String)> {
        Some((self.report.account_id().to_owned(), self.report.event_key()?.to_owned()))
    }

    /// What was settled; none while somebody else holds its order.
    pub fn settled(&self) -> Option<&Settled> {
        match &self.result {
            Some(SliceResult::Done(settled)) => Some(settled),
            Some(SliceResult::Held(_)) | None => None,
        }
    }
}
