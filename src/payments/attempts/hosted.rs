//! The address of our own page for a payment: it performs whatever its gateway asks for, so every client can pay by
//! every gateway.

use crate::base::ids::PaymentId;
use crate::infra::sign;
use crate::payments::kit::PaymentKit;

const DOMAIN: &str = "hosted-payment";

/// Where the buyer can always go on with this payment. Shows nothing of the order but what is to be paid.
pub fn url(kit: &PaymentKit, id: PaymentId) -> String {
    let token = sign::token(&kit.config.secrets.links, DOMAIN, id.0.as_bytes());
    format!("{}/pay/{token}", kit.public_url())
}

/// Where the code that is to be scanned is drawn, of such an address.
pub fn picture_url(url: &str) -> String {
    format!("{url}/code.svg")
}

/// The payment of a token of such an address; none for tokens that are not ours.
pub fn open(kit: &PaymentKit, token: &str) -> Option<PaymentId> {
    let payload = sign::open_token(&kit.config.secrets.links, DOMAIN, token).ok()?;
    uuid::Uuid::from_slice(&payload).ok().map(PaymentId)
}
