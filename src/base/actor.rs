//! Who asks, and what they may.

use std::net::IpAddr;

use crate::base::ids::{ApiClientId, SellerId, SessionId, UserId};
use crate::base::secret::Secret;

/// A right a person holds in the shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    Buyer,
    Seller,
    Support,
    Admin,
}

impl Role {
    pub const ALL: [Role; 4] = [Role::Buyer, Role::Seller, Role::Support, Role::Admin];

    pub fn as_str(self) -> &'static str {
        match self {
            Role::Buyer => "buyer",
            Role::Seller => "seller",
            Role::Support => "support",
            Role::Admin => "admin",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

/// What an API client may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ApiScope {
    /// Pull the events of its orders, and have them sent.
    EventsRead,
    /// See how its orders are.
    OrdersRead,
    /// Place orders, and do for their buyers what buyers do.
    OrdersWrite,
}

impl ApiScope {
    pub const ALL: [ApiScope; 3] = [ApiScope::EventsRead, ApiScope::OrdersRead, ApiScope::OrdersWrite];

    pub fn as_str(self) -> &'static str {
        match self {
            ApiScope::EventsRead => "events:read",
            ApiScope::OrdersRead => "orders:read",
            ApiScope::OrdersWrite => "orders:write",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

/// The signed-in person behind a request. Roles come from the token and are a hint: what moves money or rights
/// reads them again.
#[derive(Clone, Debug)]
pub struct Person {
    pub user_id: UserId,
    pub session_id: SessionId,
    pub roles: Vec<Role>,
    /// The sellers this person acts for.
    pub sellers: Vec<SellerId>,
}

/// Who asks: a person, a guest, or the program itself.
#[derive(Clone, Debug, Default)]
pub struct Actor {
    pub person: Option<Person>,
    pub api_client: Option<ApiClientId>,
    /// What the API client may do.
    pub scopes: Vec<ApiScope>,
    /// The worker or the operator at the command line.
    pub system: bool,
    /// Tokens of orders that came beside the request: each opens its order as an `accessToken` argument does.
    pub order_tokens: Vec<Secret>,
    /// Where the request came from; none for the program itself.
    pub address: Option<IpAddr>,
}

impl Actor {
    pub fn guest() -> Self {
        Self::default()
    }

    pub fn system() -> Self {
        Self { system: true, ..Self::default() }
    }

    pub fn user_id(&self) -> Option<UserId> {
        self.person.as_ref().map(|p| p.user_id)
    }

    pub fn has(&self, role: Role) -> bool {
        self.system || self.person.as_ref().is_some_and(|p| p.roles.contains(&role))
    }

    /// Support or admin.
    pub fn is_staff(&self) -> bool {
        self.has(Role::Support) || self.has(Role::Admin)
    }

    /// May act for this seller: its members and admins.
    pub fn sells_for(&self, seller: SellerId) -> bool {
        self.has(Role::Admin)
            || (self.has(Role::Seller) && self.person.as_ref().is_some_and(|p| p.sellers.contains(&seller)))
    }

    /// The API client, when it has this scope.
    pub fn client_with(&self, scope: ApiScope) -> Option<ApiClientId> {
        self.api_client.filter(|_| self.scopes.contains(&scope))
    }

    /// How this actor is named in event rows: ids only.
    pub fn label(&self) -> String {
        match (&self.person, self.system, self.api_client) {
            (_, true, _) => "system".into(),
            (Some(person), ..) => person.user_id.to_string(),
            (None, _, Some(client)) => client.to_string(),
            (None, _, None) => "guest".into(),
        }
    }
}
