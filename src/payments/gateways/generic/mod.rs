//! The generic signed gateway: notices as Standard Webhooks (`webhook-id`, `webhook-timestamp`,
//! `webhook-signature`), and a small API of our own beside it whose requests and answers are signed the same way.
//! An account without `api_url` only receives.

mod api;
mod currencies;
mod event;
mod signature;

use async_trait::async_trait;

use crate::base::money::Currency;
use crate::infra::outbound::Outbound;
use crate::payments::gateway::{
    AccountKeys, Call, Closing, Gateway, Identity, NewPayment, NewRefund, Notice, NoticeRefusal, PaymentRef,
    Queried, RawNotice, RefundRef, Refunding, Reply, StartFailure, Started, Verdict,
};

pub struct Generic {
    outbound: Outbound,
}

impl Generic {
    pub fn new(outbound: Outbound) -> Self {
        Self { outbound }
    }
}

#[async_trait]
impl Gateway for Generic {
    fn name(&self) -> &'static str {
        "generic"
    }

    fn title(&self) -> &'static str {
        "Online payment"
    }

    fn faults(&self, keys: &AccountKeys) -> Vec<String> {
        let bad = |(index, secret)| {
            signature::key_bytes(secret)
                .is_none()
                .then(|| format!("secret {} must be `whsec_` and 24 to 64 bytes in base64", index + 1))
        };
        keys.secrets.iter().enumerate().filter_map(bad).collect()
    }

    fn exponent(&self, currency: Currency) -> Option<u32> {
        currencies::CODES.contains(&currency.as_str()).then(|| currency.exponent())
    }

    /// The secret alone says for whom a notice is.
    fn identity(&self, _keys: &AccountKeys) -> Vec<Identity> {
        Vec::new()
    }

    fn authenticate(&self, keys: &AccountKeys, raw: &RawNotice) -> Result<Notice, NoticeRefusal> {
        let signed = signature::verify(&keys.secrets, raw)?;
        Ok(Notice::new(&keys.id, signed.id.to_owned(), signed.secret, event::read(&raw.body)?))
    }

    /// Any 2xx is success. Never 410, which would switch the endpoint off at the sender.
    fn reply(&self, verdict: Verdict) -> Reply {
        let (status, body) = match verdict {
            Verdict::Success => (200, r#"{"status":"ok"}"#),
            Verdict::TryLater => (503, r#"{"status":"try again later"}"#),
            Verdict::Refused => (400, r#"{"status":"refused"}"#),
        };
        Reply { status, content_type: "application/json", body }
    }

    async fn start(&self, call: &Call<'_>, payment: &NewPayment<'_>) -> Result<Started, StartFailure> {
        api::start(&self.outbound, call, payment).await
    }

    async fn query(&self, call: &Call<'_>, payment: &PaymentRef<'_>) -> Queried {
        api::query(&self.outbound, call, payment).await
    }

    async fn close(&self, call: &Call<'_>, payment: &PaymentRef<'_>) -> Closing {
        api::close(&self.outbound, call, payment).await
    }

    async fn refund(&self, call: &Call<'_>, refund: &NewRefund<'_>) -> Refunding {
        api::refund(&self.outbound, call, refund).await
    }

    async fn refund_query(&self, call: &Call<'_>, refund: &RefundRef<'_>) -> Refunding {
        api::refund_query(&self.outbound, call, refund).await
    }
}
