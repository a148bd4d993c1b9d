use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use crate::base::error_code::ErrorCode;
use crate::base::ids::OrderId;
use crate::base::outcome::Refusal;
use crate::base::secret::Secret;
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Answer, split};
use crate::graphql::id;
use crate::graphql::orders::load::{load, load_one};
use crate::graphql::orders::order::Order;
use crate::graphql::user_error::OrderError;
use crate::infra::throttle;
use crate::orders::access::AccessLevel;
use crate::orders::revoke_access::revoke_access;
use crate::orders::{claim, lost};
use crate::payments::attempts::cancel;
use crate::people::captcha::{self, Gate};

/// Input of `orderCancel`.
#[derive(InputObject)]
pub struct OrderCancelInput {
    /// Which order.
    order_id: ID,
    /// A guest's token.
    access_token: Option<String>,
    /// Why, for the shop.
    reason: Option<String>,
}

/// Payload of `orderCancel`.
#[derive(Default, SimpleObject)]
pub struct OrderCancelPayload {
    /// The order as it is now.
    order: Option<Order>,
    /// Why it was refused; empty when it was done.
    user_errors: Vec<OrderError>,
}

/// Input of `orderAccessRequest`.
#[derive(InputObject)]
pub struct OrderAccessRequestInput {
    /// The address the order was placed with.
    email: String,
    /// The order's number, when it is known.
    number: Option<String>,
    /// The captcha's answer, when the shop asks for one.
    captcha_token: Option<String>,
}

/// Payload of `orderAccessRequest`. Answers alike whether anything was ordered with the address or not.
#[derive(Default, SimpleObject)]
pub struct OrderAccessRequestPayload {
    /// Why it was refused; empty when it was done.
    user_errors: Vec<OrderError>,
}

/// Input of `orderAccessRedeem`.
#[derive(InputObject)]
pub struct OrderAccessRedeemInput {
    /// The address the code was mailed to.
    email: String,
    /// The code.
    code: String,
}

/// An order and the token that opens it.
#[derive(SimpleObject)]
pub struct OrderAccess {
    /// The order.
    order: Order,
    /// Opens it without signing in.
    access_token: String,
}

/// Payload of `orderAccessRedeem`.
#[derive(Default, SimpleObject)]
pub struct OrderAccessRedeemPayload {
    /// The orders of the address, the newest first; at most 100.
    orders: Vec<OrderAccess>,
    /// Why it was refused; empty when it was done.
    user_errors: Vec<OrderError>,
}

/// Input of `orderClaim`.
#[derive(InputObject)]
pub struct OrderClaimInput {
    /// Which order.
    order_id: ID,
    /// Its token; the header `Dispense-Order-Token` does the same.
    access_token: Option<String>,
}

/// Payload of `orderClaim`.
#[derive(Default, SimpleObject)]
pub struct OrderClaimPayload {
    /// The order, now the person's own.
    order: Option<Order>,
    /// Why it was refused; empty when it was done.
    user_errors: Vec<OrderError>,
}

/// Input of `orderAccessRevoke`.
#[derive(InputObject)]
pub struct OrderAccessRevokeInput {
    /// 16 to 255 random characters, made and kept on the device before sending.
    idempotency_key: String,
    /// Which order.
    order_id: ID,
    /// A guest's token.
    access_token: Option<String>,
}

/// Payload of `orderAccessRevoke`.
#[derive(Default, SimpleObject)]
pub struct OrderAccessRevokePayload {
    /// The order as it is now.
    order: Option<Order>,
    /// The only token that opens it from now on; null for staff.
    access_token: Option<String>,
    /// Why it was refused; empty when it was done.
    user_errors: Vec<OrderError>,
}

/// Cancelling orders, finding lost ones, making a guest's one's own.
#[derive(Default)]
pub struct OrderMutation;

/// Codes are asked for and tried as rarely as people sign in.
fn take(ctx: &Context<'_>) -> Result<(), Refusal> {
    let key = throttle::prefix(ctx.caller().address);
    let slow = |seconds| {
        Refusal::new(ErrorCode::RateLimited, "too many attempts, try again later").retry_after(seconds)
    };
    ctx.backend().throttles.sign_ins.take(&key).map_err(slow)
}

#[Object]
impl OrderMutation {
    /// Gives an unpaid order up. Its open payments are closed at their gateways first; one that was faster makes it
    /// paid.
    async fn order_cancel(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which order.")] input: OrderCancelInput,
    ) -> Answer<OrderCancelPayload> {
        let token = input.access_token.as_deref();
        let done = async {
            let order = id::read(&input.order_id, "orderId", OrderId::parse)?;
            cancel::cancel(&ctx.backend().payments, ctx.actor(), order, token, input.reason.as_deref()).await
        };
        Ok(match split(done.await)? {
            Ok(order) => OrderCancelPayload {
                order: load_one(ctx, order, AccessLevel::Buyer).await?,
                user_errors: Vec::new(),
            },
            Err(refusal) => OrderCancelPayload { order: None, user_errors: ctx.user_errors(refusal)? },
        })
    }

    /// For guests who lost the way to an order: mails a code to the address.
    async fn order_access_request(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The address.")] input: OrderAccessRequestInput,
    ) -> Answer<OrderAccessRequestPayload> {
        let done = async {
            take(ctx)?;
            let (backend, caller) = (ctx.backend(), ctx.caller());
            captcha::demand(backend, caller, Gate::OrderAccessRequest, input.captcha_token.as_deref())
                .await?;
            lost::request(backend, caller, &input.email, input.number.as_deref(), ctx.locale()).await
        };
        Ok(match split(done.await)? {
            Ok(()) => OrderAccessRequestPayload::default(),
            Err(refusal) => OrderAccessRequestPayload { user_errors: ctx.user_errors(refusal)? },
        })
    }

    /// Gives the guest's orders of an address for the mailed code.
    async fn order_access_redeem(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The address and its code.")] input: OrderAccessRedeemInput,
    ) -> Answer<OrderAccessRedeemPayload> {
        let done = async {
            take(ctx)?;
            lost::redeem(ctx.backend(), &input.email, &Secret::new(input.code)).await
        };
        Ok(match split(done.await)? {
            Ok(found) => {
                let (orders, tokens): (Vec<_>, Vec<_>) =
                    found.into_iter().map(|(order, token)| ((order, AccessLevel::Buyer), token)).unzip();
                let orders = load(ctx, orders).await?;
                let access = |(order, token): (Order, Secret)| OrderAccess {
                    order,
                    access_token: token.expose().to_owned(),
                };
                let orders = orders.into_iter().zip(tokens).map(access).collect();
                OrderAccessRedeemPayload { orders, user_errors: Vec::new() }
            }
            Err(refusal) => {
                OrderAccessRedeemPayload { orders: Vec::new(), user_errors: ctx.user_errors(refusal)? }
            }
        })
    }

    /// Ends every access token and every link that was made or mailed for an order, for its holder who fears that somebody
    /// else has them, and for staff. The holder gets a new token.
    async fn order_access_revoke(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which order.")] input: OrderAccessRevokeInput,
    ) -> Answer<OrderAccessRevokePayload> {
        let token = input.access_token.as_deref();
        let done = async {
            let order = id::read(&input.order_id, "orderId", OrderId::parse)?;
            revoke_access(ctx.backend(), ctx.actor(), order, token, &input.idempotency_key).await
        };
        Ok(match split(done.await)? {
            Ok((order, token)) => OrderAccessRevokePayload {
                order: load_one(ctx, order, AccessLevel::Buyer).await?,
                access_token: token.map(|token| token.expose().to_owned()),
                user_errors: Vec::new(),
            },
            Err(refusal) => OrderAccessRevokePayload {
                user_errors: ctx.user_errors(refusal)?,
                ..OrderAccessRevokePayload::default()
            },
        })
    }

    /// Makes a guest's order part of the account with the same confirmed address. The guest's token and links end.
    async fn order_claim(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which order.")] input: OrderClaimInput,
    ) -> Answer<OrderClaimPayload> {
        ctx.person()?;
        let done = async {
            let order = id::read(&input.order_id, "orderId", OrderId::parse)?;
            claim::claim(ctx.backend(), ctx.actor(), order, input.access_token.as_deref()).await
        };
        Ok(match split(done.await)? {
            Ok(order) => OrderClaimPayload {
                order: load_one(ctx, order, AccessLevel::Buyer).await?,
                user_errors: Vec::new(),
            },
            Err(refusal) => OrderClaimPayload { order: None, user_errors: ctx.user_errors(refusal)? },
        })
    }
}
