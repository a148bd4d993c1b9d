//! How a product comes on sale and leaves it.

use thiserror::Error;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProductState {
    /// Seen by its seller alone.
    Draft,
    /// Waits for a person of the shop.
    InReview,
    /// Sent back with a reason.
    Rejected,
    /// Buyers see it.
    OnSale,
    /// Never sold again; orders keep what they bought.
    Retired,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProductChange {
    Submit,
    Approve,
    Reject,
    Retire,
    /// Its reviewed text was edited, and the shop wants to look again.
    Revise,
}

#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("a product that is {from:?} cannot take the change {change:?}")]
pub struct IllegalProductChange {
    pub from: ProductState,
    pub change: ProductChange,
}

impl ProductState {
    pub const ALL: [ProductState; 5] = [
        ProductState::Draft,
        ProductState::InReview,
        ProductState::Rejected,
        ProductState::OnSale,
        ProductState::Retired,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            ProductState::Draft => "draft",
            ProductState::InReview => "in_review",
            ProductState::Rejected => "rejected",
            ProductState::OnSale => "on_sale",
            ProductState::Retired => "retired",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    pub fn after(self, change: ProductChange) -> Result<ProductState, IllegalProductChange> {
        use ProductChange::{Approve, Reject, Retire, Revise, Submit};
        use ProductState::{Draft, InReview, OnSale, Rejected, Retired};
        match (self, change) {
            (Draft | Rejected | InReview, Submit) => Ok(InReview),
            (InReview | OnSale, Approve) => Ok(OnSale),
            (InReview | Rejected, Reject) => Ok(Rejected),
            (Draft | InReview | Rejected | OnSale | Retired, Retire) => Ok(Retired),
            (Draft, Revise) => Ok(Draft),
            (Rejected, Revise) => Ok(Rejected),
            (InReview | OnSale, Revise) => Ok(InReview),
            (OnSale, Submit | Reject)
            | (Retired, Submit | Approve | Reject | Revise)
            | (Draft, Approve | Reject)
            | (Rejected, Approve) => Err(IllegalProductChange { from: self, change }),
        }
    }
}

impl ProductChange {
    pub const ALL: [ProductChange; 5] = [
        ProductChange::Submit,
        ProductChange::Approve,
        ProductChange::Reject,
        ProductChange::Retire,
        ProductChange::Revise,
    ];
}

/// A variant is sold with its product, or withdrawn for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VariantState {
    Active,
    Retired,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VariantChange {
    Edit,
    Retire,
}

#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("a variant that is {from:?} cannot take the change {change:?}")]
pub struct IllegalVariantChange {
    pub from: VariantState,
    pub change: VariantChange,
}

impl VariantState {
    pub const ALL: [VariantState; 2] = [VariantState::Active, VariantState::Retired];

    pub fn as_str(self) -> &'static str {
        match self {
            VariantState::Active => "active",
            VariantState::Retired => "retired",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    pub fn after(self, change: VariantChange) -> Result<VariantState, IllegalVariantChange> {
        match (self, change) {
            (VariantState::Active, VariantChange::Edit) => Ok(VariantState::Active),
            (VariantState::Active | VariantState::Retired, VariantChange::Retire) => {
                Ok(VariantState::Retired)
            }
            (VariantState::Retired, VariantChange::Edit) => Err(IllegalVariantChange { from: self, change }),
        }
    }
}

impl VariantChange {
    pub const ALL: [VariantChange; 2] = [VariantChange::Edit, VariantChange::Retire];
}
