//! Where a request comes from: what an entry point knows before anybody is believed to be somebody.

use std::net::{IpAddr, Ipv4Addr};

use crate::base::country::Country;
use crate::base::secret::Secret;
use crate::base::text::Locale;

/// Order tokens read of one request: a page of a guest's own orders.
pub const MOST_ORDER_TOKENS: usize = 100;

/// One request's origin. Made by the HTTP server; the command line and the worker use `Caller::local`.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Stands in the answer, in each log line and in masked errors.
    pub request_id: String,
    /// The client's address, read from a proxy's header only when the proxy is trusted.
    pub address: IpAddr,
    /// The client's country, where a trusted proxy names it.
    pub country: Option<Country>,
    /// The token of `Authorization: Bearer …`, not yet believed.
    pub bearer: Option<Secret>,
    /// The tokens of `Dispense-Order-Token`, not yet believed: each opens one order, as the argument `accessToken`
    /// does. At most [`MOST_ORDER_TOKENS`].
    pub order_tokens: Vec<Secret>,
    /// The language the client asks for, when the shop speaks it.
    pub locale: Option<Locale>,
    /// `User-Agent`, cleaned and cut to 200 characters.
    pub device: Option<String>,
}

impl Caller {
    /// The program itself, or the operator at the command line.
    pub fn local() -> Self {
        Self {
            request_id: "local".into(),
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            country: None,
            bearer: None,
            order_tokens: Vec::new(),
            locale: None,
            device: None,
        }
    }
}
