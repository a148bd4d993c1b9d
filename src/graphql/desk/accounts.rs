//! Merchant accounts at gateways, as staff sees them.

use async_graphql::SimpleObject;

use crate::graphql::context::GraphqlBackend;
use crate::graphql::payments::PaymentActionKind;
use crate::graphql::scalars::{CurrencyCode, Int64, Url};
use crate::payments::accounts::Spoken;

/// A merchant account at a gateway: what it can do and what its policy is. Never a secret.
#[derive(Clone, Debug, SimpleObject)]
pub struct GatewayAccount {
    /// The account's id, as in the configuration.
    account_id: String,
    /// Open code of the gateway.
    gateway: String,
    /// What buyers read.
    title: String,
    /// Currencies it takes.
    currencies: Vec<CurrencyCode>,
    /// A test account.
    sandbox: bool,
    /// It starts nothing any more, and still receives and gives back.
    retired: bool,
    /// Where the gateway shall send its notifications.
    notify_url: Url,
    /// With how many secrets or certificates notifications can be verified now.
    secrets: i32,
    /// What it asks of a client; empty when no payment can be started.
    actions: Vec<PaymentActionKind>,
    /// Whether it can be asked about a payment.
    can_query: bool,
    /// Whether it can close a payment before stock is released.
    can_close: bool,
    /// Whether it can give money back; otherwise a person does it in the gateway's console.
    can_refund: bool,
    /// Whether its notifications are proof of their content; where not, the gateway is queried about each.
    notices_are_proof: bool,
    /// Whether its statements can be fetched; otherwise a person imports files.
    can_fetch_statements: bool,
    /// The gateway is asked before a payment above this is believed, minor units; null when no amount asks for it.
    confirm_above: Option<Int64>,
    /// Whether it is asked before money for an expired order is believed.
    confirm_expired: bool,
}

impl GatewayAccount {
    fn of(backend: &GraphqlBackend, (account, gateway): &Spoken) -> Self {
        let can = gateway.abilities(&account.keys);
        let actions = if account.retired { &[][..] } else { can.actions };
        Self {
            account_id: account.id.clone(),
            gateway: account.gateway.to_owned(),
            title: account.title.clone(),
            currencies: account.currencies.iter().copied().map(CurrencyCode).collect(),
            sandbox: account.sandbox,
            retired: account.retired,
            notify_url: Url(format!("{}/webhooks/{}", backend.public_url(), account.id)),
            secrets: i32::try_from(account.keys.secrets.len()).unwrap_or(i32::MAX),
            actions: actions.iter().copied().map(Into::into).collect(),
            can_query: can.query,
            can_close: can.close,
            can_refund: can.refund,
            notices_are_proof: can.notice_is_proof,
            can_fetch_statements: can.statement,
            confirm_above: account.policy.confirm_above.map(Int64),
            confirm_expired: account.policy.confirm_expired,
        }
    }

    /// All that are configured now.
    pub fn list(backend: &GraphqlBackend) -> Vec<Self> {
        backend.payments.accounts.iter().map(|spoken| Self::of(backend, &spoken)).collect()
    }
}
