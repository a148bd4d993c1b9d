//! What is put before `settle`: somebody's report about a payment, and where it comes from.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::base::ids::PaymentId;
use crate::payments::gateways::gateway::{Facts, GatewayState, Notice, RawNotice};

/// A report about a payment that may be acted upon: an authenticated notice, a gateway's own answer, or the shop's
/// own for a total of nothing.
#[derive(Clone, Debug)]
pub enum PaymentReport {
    /// A notice, and what the gateway answered when it was asked whether that is so.
    Notice { notice: Arc<Notice>, raw: Arc<RawNotice>, confirmed: Option<Box<GatewayState>> },
    /// The gateway's answer to a question of ours about this payment.
    Answer { payment_id: PaymentId, state: Box<GatewayState> },
    /// A total of 0, settled through the shop's own account.
    Free { payment_id: PaymentId, number: String },
}

impl PaymentReport {
    pub fn account_id(&self) -> &str {
        match self {
            Self::Notice { notice, .. } => notice.account_id(),
            Self::Answer { state, .. } => state.account_id(),
            Self::Free { .. } => "free",
        }
    }

    /// The facts to act on: the gateway's own answer takes precedence over its notice.
    pub fn facts(&self) -> Option<&Facts> {
        match self {
            Self::Notice { confirmed: Some(state), .. } => Some(state.facts()),
            Self::Notice { notice, .. } => Some(notice.facts()),
            Self::Answer { state, .. } => Some(state.facts()),
            Self::Free { .. } => None,
        }
    }

    /// The gateway was asked, and said so now.
    pub fn is_answer(&self) -> bool {
        matches!(self, Self::Answer { .. } | Self::Notice { confirmed: Some(_), .. })
    }

    /// When the gateway was asked for an answer, by our clock.
    pub fn asked_at(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Answer { state, .. } | Self::Notice { confirmed: Some(state), .. } => state.asked_at(),
            Self::Notice { confirmed: None, .. } | Self::Free { .. } => None,
        }
    }

    /// It is about money that goes back, or may be.
    pub fn is_about_money_back(&self) -> bool {
        let back = |facts: &Facts| {
            facts.meaning.is_about_money_back() || facts.refund.is_some() || facts.refunded_minor.is_some()
        };
        let noticed = match self {
            Self::Notice { notice, .. } => back(notice.facts()),
            Self::Answer { .. } | Self::Free { .. } => false,
        };
        noticed || self.facts().is_some_and(back)
    }

    /// The payment it is about, where the asker knows it.
    pub fn payment_id(&self) -> Option<PaymentId> {
        match self {
            Self::Notice { .. } => None,
            Self::Answer { payment_id, .. } | Self::Free { payment_id, .. } => Some(*payment_id),
        }
    }

    /// Our number as the gateway knows it.
    pub fn number(&self) -> Option<&str> {
        match self {
            Self::Notice { notice, .. } => notice.facts().number.as_deref(),
            Self::Answer { state, .. } => state.facts().number.as_deref(),
            Self::Free { number, .. } => Some(number),
        }
    }

    pub fn trade_no(&self) -> Option<&str> {
        match self {
            Self::Notice { notice, .. } => notice.facts().trade_no.as_deref(),
            Self::Answer { state, .. } => state.facts().trade_no.as_deref(),
            Self::Free { number, .. } => Some(number),
        }
    }

    pub fn event_key(&self) -> Option<&str> {
        match self {
            Self::Notice { notice, .. } => Some(notice.event_key()),
            Self::Answer { .. } | Self::Free { .. } => None,
        }
    }

    /// How event rows name the source.
    pub fn actor(&self) -> String {
        match self {
            Self::Notice { notice, .. } => format!("gateway:{}", notice.account_id()),
            Self::Answer { state, .. } => format!("query:{}", state.account_id()),
            Self::Free { .. } => "system".into(),
        }
    }
}

/// What became of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It changed something.
    Applied,
    /// It was recorded and changed no order: stray money, a repeat of a known fact.
    Recorded,
    /// This very event was handled before.
    Duplicate,
    /// Genuine and of no concern to us.
    Ignored,
    /// Meant for another merchant, application or mode.
    Foreign(String),
    /// About an order we do not know (yet).
    Orphan,
    /// The gateway must be asked first: the answer takes precedence over the notice.
    Confirm(PaymentId),
    /// About a trade that nobody here knows: the gateway must be asked whose it is.
    AskWhose,
}

impl Settled {
    /// The inbox verdict.
    pub fn verdict(&self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Recorded => "recorded",
            Self::Duplicate => "duplicate",
            Self::Ignored => "ignored",
            Self::Foreign(_) => "foreign",
            Self::Orphan | Self::Confirm(_) | Self::AskWhose => "orphan",
        }
    }

    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Foreign(reason) => Some(reason),
            _ => None,
        }
    }
}
