//! Who asks, and so what there is to see.

use crate::base::actor::{Actor, Role};
use crate::base::ids::SellerId;

/// What a reader of the catalogue may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// What is on sale.
    Buyers,
    /// Everything of these sellers, whatever its state.
    Sellers(Vec<SellerId>),
    /// Everything: support and admin.
    Everything,
}

impl Scope {
    /// What this actor sees when working in the shop, not when shopping there.
    pub fn of(actor: &Actor) -> Self {
        match &actor.person {
            _ if actor.is_staff() => Scope::Everything,
            Some(person) if actor.has(Role::Seller) => Scope::Sellers(person.sellers.clone()),
            _ => Scope::Buyers,
        }
    }
}
