//! One payment here against what its gateway says of it. Pure.

use crate::base::money::{Currency, Money};
use crate::check::asked::rows::{AskedRow, RefundRow};
use crate::payments::gateways::gateway::{Facts, Meaning, Refunding};

pub(super) const MONEY: &str = "a payment received what its gateway says it took";
pub(super) const BACK: &str = "a payment gave back what its gateway says went back";
pub(super) const STATE: &str = "a payment that its gateway has ended is not open here";
pub(super) const DISPUTE: &str = "a dispute is open here when its gateway says so";
/// How many questions these are.
pub(in crate::check) const QUESTIONS: usize = 4;

/// Gateways whose answer about a payment has a state or a sum for refunds, so that one that names none says that
/// none was made. Alipay's does not: a part that went back leaves no trace in it.
const TELL_REFUNDS: [&str; 3] = ["generic", "paypal", "wechatpay"];

/// Gateways whose answer about a payment says whether it is disputed.
const TELL_DISPUTES: [&str; 1] = ["stripe"];

/// A broken question, and the payment that breaks it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    pub question: &'static str,
    pub counter: String,
}

/// What the gateway says of a payment's money, as far as it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    Nothing,
    NothingAndEnded,
    Money { minor: Option<i64>, currency: Option<Currency> },
}

/// What went back of it there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Back {
    Sum(i64),
    Some,
    NotTold,
}

/// A gateway's answer, reduced to what is compared.
#[derive(Clone, Debug)]
pub(super) struct There {
    meaning: &'static str,
    taken: Taken,
    back: Back,
    disputed: Option<bool>,
    trade_no: Option<String>,
}

impl There {
    /// It has never heard of it.
    pub fn nothing() -> Self {
        Self { meaning: "unknown", taken: Taken::Nothing, back: Back::Sum(0), disputed: None, trade_no: None }
    }

    pub fn of(facts: &Facts, gateway: &str) -> Self {
        let taken = match facts.meaning {
            Meaning::Paid | Meaning::Refunded | Meaning::PartiallyRefunded | Meaning::DisputeOpened => {
                Taken::Money { minor: facts.amount_minor, currency: facts.currency }
            }
            Meaning::Closed | Meaning::Failed => Taken::NothingAndEnded,
            _ => Taken::Nothing,
        };
        let back = match (facts.meaning, facts.refunded_minor, facts.amount_minor) {
            (_, Some(sum), _) | (Meaning::Refunded, None, Some(sum)) => Back::Sum(sum),
            (Meaning::PartiallyRefunded | Meaning::Refunded, None, _) => Back::Some,
            (Meaning::Paid, None, _) if !TELL_REFUNDS.contains(&gateway) => Back::NotTold,
            _ => Back::Sum(0),
        };
        let disputed = facts.meaning == Meaning::DisputeOpened;
        Self {
            meaning: facts.meaning.as_str(),
            taken,
            back,
            disputed: (disputed || TELL_DISPUTES.contains(&gateway)).then_some(disputed),
            trade_no: facts.trade_no.clone(),
        }
    }

    /// Whether it says how much went back.
    pub fn reports_what_went_back(&self) -> bool {
        matches!(self.back, Back::Sum(_))
    }
}

/// In what a payment differs from what its gateway says of it.
pub(super) fn payment(row: &AskedRow, there: &There) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut differ = |question, text: String| {
        let counter = format!("payment {} at {} is {} here, {text}", row.id, row.account_id, row.state);
        found.push(Difference { question, counter });
    };
    let here = row.received_minor.map(|minor| (minor, row.received_currency.as_deref().unwrap_or_default()));
    match (here, there.taken) {
        (None, Taken::Money { minor, currency }) => {
            differ(MONEY, format!("and its gateway took {}", written(minor, currency)));
        }
        (Some((minor, currency)), Taken::Nothing | Taken::NothingAndEnded) => {
            differ(MONEY, format!("received {minor} {currency}, and its gateway says {}", there.meaning));
        }
        (Some((minor, currency)), Taken::Money { minor: took, currency: of }) => {
            if took.is_some_and(|took| took != minor) || of.is_some_and(|of| of.as_str() != currency) {
                differ(
                    MONEY,
                    format!("received {minor} {currency}, and its gateway took {}", written(took, of)),
                );
            }
            let other = matches!((&row.trade_no, &there.trade_no), (Some(a), Some(b)) if a != b);
            if other {
                differ(MONEY, "and its gateway took the money of another trade".to_owned());
            }
        }
        (None, Taken::NothingAndEnded) if ["started", "pending", "unknown"].contains(&row.state.as_str()) => {
            differ(STATE, format!("and {} there", there.meaning));
        }
        (None, Taken::Nothing | Taken::NothingAndEnded) => {}
    }
    // Without money on both sides nothing can go back; what a dispute took is no refund there.
    let both = here.is_some() && matches!(there.taken, Taken::Money { .. });
    if both && row.state != "lost" {
        match there.back {
            Back::Sum(sum) if sum != row.refunded_minor => {
                differ(BACK, format!("gave back {}, and its gateway says {sum}", row.refunded_minor));
            }
            Back::Some if row.refunded_minor == 0 => {
                differ(BACK, "gave nothing back, and its gateway says that some went back".to_owned());
            }
            Back::Sum(_) | Back::Some | Back::NotTold => {}
        }
    }
    match there.disputed {
        // Some gateways go on saying so when it was decided.
        Some(true) if row.state != "disputed" && !row.decided => {
            differ(DISPUTE, "and its gateway has an open dispute about it".to_owned());
        }
        Some(false) if row.state == "disputed" => {
            differ(DISPUTE, "and its gateway knows no dispute about it".to_owned());
        }
        _ => {}
    }
    found
}

fn written(minor: Option<i64>, currency: Option<Currency>) -> String {
    match (minor, currency) {
        (Some(minor), Some(currency)) => Money::new(minor, currency).to_string(),
        (Some(minor), None) => minor.to_string(),
        (None, _) => "money".to_owned(),
    }
}

/// What the gateway says of one refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RefundThere {
    Succeeded,
    Pending,
    Failed,
    NotFound,
}

impl RefundThere {
    /// None when it says nothing of use.
    pub fn of(answer: &Refunding) -> Option<Self> {
        match answer {
            Refunding::Succeeded { .. } => Some(Self::Succeeded),
            Refunding::Pending { .. } => Some(Self::Pending),
            Refunding::Failed { .. } => Some(Self::Failed),
            Refunding::NotFound => Some(Self::NotFound),
            Refunding::Unknown(_) | Refunding::Unsupported => None,
        }
    }
}

/// Whether a refund that counts here counts there.
pub(super) fn refund(row: &AskedRow, refund: &RefundRow, there: Option<RefundThere>) -> Option<Difference> {
    let there = there?;
    let here = refund.state == "succeeded";
    if here == (there == RefundThere::Succeeded) {
        return None;
    }
    let counter = format!(
        "payment {} at {}: refund {} of {} is {} here and {there:?} there",
        row.id,
        row.account_id,
        refund.id.0,
        refund.amount(),
        refund.state
    );
    Some(Difference { question: BACK, counter })
}
