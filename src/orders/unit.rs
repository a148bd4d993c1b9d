//! The machine of one piece sold. A line's state is computed from its units.

use crate::base::ids::{LineId, UnitId};
use crate::orders::state::IllegalChange;

/// How far one piece has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnitState {
    Unassigned,
    AwaitingStock,
    AwaitingSupplier,
    AwaitingPerson,
    Assigned,
    Revealed,
    Replaced,
    Revoked,
    Cancelled,
}

/// What can happen to a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnitChange {
    /// It got its goods.
    Assign,
    /// No stock: it waits for some.
    AwaitStock,
    AwaitSupplier,
    /// Only a person can go on.
    AwaitPerson,
    /// The buyer saw the secret for the first time.
    Reveal,
    /// Another row took its place.
    Replace,
    /// A refund or lost dispute took it back.
    Revoke,
    /// It was given up before it got anything.
    Cancel,
}

impl UnitState {
    /// From the worst to the best: a line shows the first of these that one of its units has.
    pub const ALL: [Self; 9] = [
        Self::AwaitingPerson,
        Self::AwaitingSupplier,
        Self::AwaitingStock,
        Self::Unassigned,
        Self::Assigned,
        Self::Revealed,
        Self::Replaced,
        Self::Revoked,
        Self::Cancelled,
    ];

    /// The state after a change. The same state again is a repeat and does nothing.
    pub fn after(self, change: UnitChange) -> Result<Self, IllegalChange> {
        use UnitChange::{Assign, AwaitPerson, AwaitStock, AwaitSupplier, Cancel, Replace, Reveal, Revoke};
        use UnitState as S;
        match (self, change) {
            (S::Unassigned, Assign) => Ok(S::Assigned),
            (S::Unassigned, AwaitStock) => Ok(S::AwaitingStock),
            (S::Unassigned, AwaitSupplier) => Ok(S::AwaitingSupplier),
            (S::Unassigned, AwaitPerson) => Ok(S::AwaitingPerson),
            (S::Unassigned, Cancel) => Ok(S::Cancelled),
            (S::Unassigned, Reveal | Replace | Revoke) => Err(IllegalChange),
            (S::AwaitingStock, AwaitStock) => Ok(S::AwaitingStock),
            (S::AwaitingSupplier, AwaitSupplier) => Ok(S::AwaitingSupplier),
            (S::AwaitingPerson, AwaitPerson) => Ok(S::AwaitingPerson),
            (S::AwaitingStock | S::AwaitingSupplier, AwaitPerson) => Ok(S::AwaitingPerson),
            (S::AwaitingStock | S::AwaitingSupplier | S::AwaitingPerson, Assign) => Ok(S::Assigned),
            (S::AwaitingStock | S::AwaitingSupplier | S::AwaitingPerson, Cancel) => Ok(S::Cancelled),
            (S::AwaitingStock | S::AwaitingPerson, AwaitSupplier) => Err(IllegalChange),
            (S::AwaitingSupplier | S::AwaitingPerson, AwaitStock) => Err(IllegalChange),
            (S::AwaitingStock | S::AwaitingSupplier | S::AwaitingPerson, Reveal | Replace | Revoke) => {
                Err(IllegalChange)
            }
            (S::Assigned, Assign) => Ok(S::Assigned),
            (S::Assigned, Reveal) => Ok(S::Revealed),
            (S::Assigned | S::Revealed, Replace) => Ok(S::Replaced),
            (S::Assigned | S::Revealed, Revoke) => Ok(S::Revoked),
            (S::Assigned, AwaitStock | AwaitSupplier | AwaitPerson | Cancel) => Err(IllegalChange),
            (S::Revealed, Reveal) => Ok(S::Revealed),
            (S::Revealed, Assign | AwaitStock | AwaitSupplier | AwaitPerson | Cancel) => Err(IllegalChange),
            (S::Replaced, Replace) => Ok(S::Replaced),
            (S::Replaced, Assign | AwaitStock | AwaitSupplier | AwaitPerson | Reveal | Revoke | Cancel) => {
                Err(IllegalChange)
            }
            (S::Revoked, Revoke) => Ok(S::Revoked),
            (S::Revoked, Assign | AwaitStock | AwaitSupplier | AwaitPerson | Reveal | Replace | Cancel) => {
                Err(IllegalChange)
            }
            (S::Cancelled, Cancel) => Ok(S::Cancelled),
            (S::Cancelled, Assign | AwaitStock | AwaitSupplier | AwaitPerson | Reveal | Replace | Revoke) => {
                Err(IllegalChange)
            }
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unassigned => "unassigned",
            Self::AwaitingStock => "awaiting_stock",
            Self::AwaitingSupplier => "awaiting_supplier",
            Self::AwaitingPerson => "awaiting_person",
            Self::Assigned => "assigned",
            Self::Revealed => "revealed",
            Self::Replaced => "replaced",
            Self::Revoked => "revoked",
            Self::Cancelled => "cancelled",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == text)
    }

    /// Paid for but not yet delivered.
    pub fn is_waiting(self) -> bool {
        matches!(self, Self::Unassigned | Self::AwaitingStock | Self::AwaitingSupplier | Self::AwaitingPerson)
    }

    /// The buyer has it.
    pub fn is_delivered(self) -> bool {
        matches!(self, Self::Assigned | Self::Revealed)
    }

    /// The state a line shows: its worst unit's. Units that were superseded are not given.
    pub fn of_line(units: impl IntoIterator<Item = UnitState>) -> UnitState {
        let rank = |state: UnitState| Self::ALL.iter().position(|s| *s == state).unwrap_or(usize::MAX);
        units.into_iter().min_by_key(|s| rank(*s)).unwrap_or(Self::Cancelled)
    }
}

impl UnitChange {
    pub const ALL: [Self; 8] = [
        Self::Assign,
        Self::AwaitStock,
        Self::AwaitSupplier,
        Self::AwaitPerson,
        Self::Reveal,
        Self::Replace,
        Self::Revoke,
        Self::Cancel,
    ];
}

/// Which deliveries are meant: a line's units in pages, or named units.
#[derive(Clone, Debug)]
pub enum Target {
    Line(LineId),
    Units(Vec<UnitId>),
}
