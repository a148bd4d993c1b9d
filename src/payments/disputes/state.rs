//! The machine of a dispute.

use crate::orders::state::IllegalChange;

/// How far a dispute has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DisputeState {
    /// A question of the buyer's bank: moves no money and holds nothing (Stripe's `warning_…`).
    Inquiry,
    /// Money is withheld; nobody has decided.
    Opened,
    Won,
    /// The money is the buyer's.
    Lost,
    /// The buyer gave it up, or an inquiry ended without a dispute.
    Withdrawn,
}

/// What can happen to a dispute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisputeChange {
    Inquire,
    Open,
    Win,
    Lose,
    Withdraw,
}

impl DisputeState {
    pub const ALL: [Self; 5] = [Self::Inquiry, Self::Opened, Self::Won, Self::Lost, Self::Withdrawn];

    /// The state after a change. The same state again is a repeat and does nothing. The end of a dispute whose opening
    /// was not heard comes from `inquiry` by way of `opened`.
    pub fn after(self, change: DisputeChange) -> Result<Self, IllegalChange> {
        use DisputeChange::{Inquire, Lose, Open, Win, Withdraw};
        use DisputeState as S;
        match (self, change) {
            (S::Inquiry, Inquire) => Ok(S::Inquiry),
            (S::Inquiry, Open) => Ok(S::Opened),
            (S::Inquiry, Withdraw) => Ok(S::Withdrawn),
            (S::Inquiry, Win | Lose) => Err(IllegalChange),
            (S::Opened, Open) => Ok(S::Opened),
            (S::Opened, Win) => Ok(S::Won),
            (S::Opened, Lose) => Ok(S::Lost),
            (S::Opened, Withdraw) => Ok(S::Withdrawn),
            (S::Opened, Inquire) => Err(IllegalChange),
            (S::Won, Win) => Ok(S::Won),
            (S::Won, Lose) => Ok(S::Lost),
            (S::Won, Inquire | Open | Withdraw) => Err(IllegalChange),
            (S::Lost, Lose) => Ok(S::Lost),
            (S::Lost, Win) => Ok(S::Won),
            (S::Lost, Inquire | Open | Withdraw) => Err(IllegalChange),
            (S::Withdrawn, Withdraw) => Ok(S::Withdrawn),
            (S::Withdrawn, Inquire | Open | Win | Lose) => Err(IllegalChange),
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inquiry => "inquiry",
            Self::Opened => "opened",
            Self::Won => "won",
            Self::Lost => "lost",
            Self::Withdrawn => "withdrawn",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == text)
    }

    /// Nobody will say more by itself; a bank may still turn `won` and `lost` around.
    pub fn is_decided(self) -> bool {
        matches!(self, Self::Won | Self::Lost | Self::Withdrawn)
    }
}

impl DisputeChange {
    pub const ALL: [Self; 5] = [Self::Inquire, Self::Open, Self::Win, Self::Lose, Self::Withdraw];
}
