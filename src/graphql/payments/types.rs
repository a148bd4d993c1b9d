use async_graphql::{Context, Enum, ID, Object, SimpleObject};

use crate::base::money::Currency;
use crate::graphql::context::ContextExt;
use crate::graphql::error::Answer;
use crate::graphql::loaders;
use crate::graphql::payments::actions::{self, PaymentAction, PaymentActionKind};
use crate::graphql::payments::failure;
use crate::graphql::scalars::{CurrencyCode, DateTime, Money, Url};
use crate::graphql::shop::types::SalesPause;
use crate::payments::{model, read, refunds, state};

/// Begins the ids of ways to pay; the rest is the account's id.
pub const METHOD_PREFIX: &str = "mth_";

/// A way to pay: one account at a gateway.
#[derive(Clone, Debug, SimpleObject)]
pub struct PaymentMethod {
    /// The way's id.
    #[graphql(owned)]
    pub id: ID,
    /// Open code of the gateway.
    pub gateway: String,
    /// What buyers read.
    pub title: String,
    /// Currencies it takes.
    pub currencies: Vec<CurrencyCode>,
    /// The least it takes; null when there is no such limit.
    pub minimum: Option<Money>,
    /// The most it takes; null when there is no such limit.
    pub maximum: Option<Money>,
    /// What it asks of a client.
    pub actions: Vec<PaymentActionKind>,
    /// Whether it can be used, for this amount where there is one.
    pub available: bool,
    /// Why not, as a code of the payment errors.
    pub reason: Option<String>,
    /// Staff lets nobody use it for now, and why; null while it is used.
    pub pause: Option<SalesPause>,
}

impl PaymentMethod {
    pub fn of(method: &read::Method) -> Self {
        let account = &method.account;
        let limit = |minor: Option<i64>| {
            let currency = account.currencies.first()?;
            Some(Money::of(minor?, *currency))
        };
        Self {
            id: ID(format!("{METHOD_PREFIX}{}", account.id)),
            gateway: account.gateway.to_owned(),
            title: account.title.clone(),
            currencies: account.currencies.iter().copied().map(CurrencyCode).collect(),
            minimum: limit(account.policy.minimum),
            maximum: limit(account.policy.maximum),
            actions: method.actions.iter().copied().map(Into::into).collect(),
            available: method.unavailable.is_none(),
            reason: method.unavailable.map(|code| code.to_string()),
            pause: method
                .pause
                .as_ref()
                .map(|pause| SalesPause { reason: pause.because.clone(), since: pause.since.into() }),
        }
    }

    /// The ways to pay, for an amount when it is known; those that take another currency alone are left out.
    pub async fn list(ctx: &Context<'_>, amount: Option<(i64, Currency)>) -> Answer<Vec<Self>> {
        let paused = loaders::paused_methods(ctx).await?;
        Ok(read::methods(&ctx.backend().payments, amount, &paused).iter().map(Self::of).collect())
    }

    pub async fn find(ctx: &Context<'_>, id: &str) -> Answer<Option<Self>> {
        let methods = Self::list(ctx, None).await?;
        Ok(methods.into_iter().find(|method| method.id.strip_prefix(METHOD_PREFIX) == Some(id)))
    }
}

/// How far a payment has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "state::PaymentState")]
pub enum PaymentState {
    /// The buyer has to act.
    Started,
    /// The buyer acted, the money is on its way.
    Pending,
    /// The money is here.
    Captured,
    /// It will not come.
    Failed,
    /// Its time is over.
    Expired,
    /// Some of it was given back.
    PartiallyRefunded,
    /// All of it was given back.
    Refunded,
    /// The buyer disputes it.
    Disputed,
    /// A dispute took it back.
    Lost,
    /// Nobody knows yet; the gateway is being asked.
    Unknown,
}

/// Why something is as it is.
#[derive(Clone, Debug, SimpleObject)]
pub struct Explanation {
    /// Open code.
    pub code: String,
    /// Ready to show.
    pub message: String,
    /// When something is expected to happen next: new stock by the word of its seller, the next question to a supplier or a
    /// gateway, the next attempt at a mail. Null when that is unknown, or a person has to act.
    pub expected_at: Option<DateTime>,
    /// Where the buyer can do something about it: a page to pay on, the shop's own page of the order (`shop.order_url`), or where
    /// one writes to the shop (`shop.support_url`, else `mailto:` with `shop.support_email`). Null when there is nothing to do.
    pub action_url: Option<Url>,
}

/// One attempt to pay.
#[derive(Clone, Debug)]
pub struct Payment {
    pub row: model::Payment,
    /// A watch ticket sees the state alone.
    pub whole: bool,
}

/// One attempt to pay, or money that came without one.
#[Object]
impl Payment {
    /// The payment's id.
    pub async fn id(&self) -> ID {
        self.row.id.into()
    }

    /// How far it has come.
    async fn state(&self) -> PaymentState {
        self.row.state.into()
    }

    /// The way it is paid; null when that way is not offered any more.
    async fn method(&self, ctx: &Context<'_>) -> Answer<Option<PaymentMethod>> {
        PaymentMethod::find(ctx, &self.row.account_id).await
    }

    /// What is to be paid, or what came.
    async fn amount(&self) -> Money {
        match (self.row.received_minor, self.row.received_currency) {
            (Some(minor), Some(currency)) => Money::of(minor, currency),
            _ => Money::of(self.row.expected_minor, self.row.expected_currency),
        }
    }

    /// What was given back, or lost in a dispute.
    async fn refunded(&self) -> Money {
        let currency = self.row.received_currency.unwrap_or(self.row.expected_currency);
        Money::of(self.row.refunded_minor + self.row.lost_minor, currency)
    }

    /// What the client has to do; null when nothing is left to do.
    async fn action(&self, ctx: &Context<'_>) -> Option<PaymentAction> {
        if !self.whole {
            return None;
        }
        actions::of(ctx.backend(), &self.row)
    }

    /// Why it failed, or that nobody knows; null for all others.
    async fn failure(&self, ctx: &Context<'_>) -> Option<Explanation> {
        failure::of(&self.row, ctx.locale(), ctx.backend().clock.now())
    }

    /// When `paymentCheck` may ask the gateway again; null when there is nothing to ask.
    async fn can_check_at(&self) -> Option<DateTime> {
        read::can_check_at(&self.row, None).map(Into::into)
    }

    /// When it was started.
    async fn started_at(&self) -> DateTime {
        self.row.started_at.into()
    }

    /// When the money came.
    async fn captured_at(&self) -> Option<DateTime> {
        self.row.captured_at.map(Into::into)
    }

    /// When it cannot be paid any more.
    async fn expires_at(&self) -> Option<DateTime> {
        self.row.expires_at.map(Into::into)
    }
}

/// How far a refund has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "refunds::RefundState")]
pub enum RefundState {
    /// Asked for.
    Requested,
    /// The gateway accepted it and will report its end.
    Pending,
    /// The money is back.
    Succeeded,
    /// It was not done.
    Failed,
    /// Nobody knows yet; the gateway is being asked.
    Unknown,
}

/// Money on its way back.
#[derive(Clone, Debug, SimpleObject)]
pub struct Refund {
    /// The refund's id.
    #[graphql(owned)]
    pub id: ID,
    /// How far it has come.
    pub state: RefundState,
    /// How much.
    pub amount: Money,
    /// Why, as staff wrote it.
    pub reason: Option<String>,
    /// When it was asked for.
    pub requested_at: DateTime,
    /// When the money went back.
    pub succeeded_at: Option<DateTime>,
}

impl From<refunds::Refund> for Refund {
    fn from(row: refunds::Refund) -> Self {
        Self {
            id: row.id.into(),
            state: row.state.into(),
            amount: Money::of(row.amount_minor, row.currency),
            reason: row.reason,
            requested_at: row.requested_at.into(),
            succeeded_at: row.succeeded_at.map(Into::into),
        }
    }
}
