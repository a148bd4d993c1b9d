//! The shop's own account for totals of zero. Nobody outside can speak for it: it has no secret, no address and
//! authenticates nothing; what it says is said by the program itself.

use chrono::{DateTime, Utc};

use crate::base::money::Currency;
use crate::payments::gateways::notice::{Facts, GatewayState, Meaning};

/// The id of the account and the name of its gateway.
pub const ACCOUNT: &str = "free";

/// "Nothing is due, and nothing was paid": settles an order whose total is 0 through the same entry point as money.
pub fn settled(number: &str, currency: Currency, at: DateTime<Utc>) -> GatewayState {
    let facts = Facts {
        number: Some(number.to_owned()),
        trade_no: Some(number.to_owned()),
        amount_minor: Some(0),
        currency: Some(currency),
        occurred_at: Some(at),
        ..Facts::of(Meaning::Paid)
    };
    GatewayState::new(ACCOUNT, facts)
}
