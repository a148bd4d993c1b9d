use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use crate::base::ids::OrderId;
use crate::delivery::reveal_for_staff::reveal_for_staff;
use crate::graphql::connection::PageInfo;
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Answer, split};
use crate::graphql::id;
use crate::graphql::orders::delivering::{self, DeliveryTarget, RevealedSecret};
use crate::graphql::orders::{Order, OrderLine, load_one};
use crate::graphql::scalars::Int64;
use crate::graphql::user_error::{DeliveryError, StaffError};
use crate::mail::correct_address::correct_address;
use crate::orders::access::AccessLevel;

/// Input of `deliveryCorrectAddress`.
#[derive(InputObject)]
pub struct DeliveryCorrectAddressInput {
    /// Which order.
    order_id: ID,
    /// The right address.
    email: String,
    /// It is the address of the gift's recipient, not the buyer's.
    #[graphql(default)]
    gift: bool,
    /// Why, for the shop's records; at most 500 characters.
    reason: String,
}

/// Payload of `deliveryCorrectAddress`.
#[derive(Default, SimpleObject)]
pub struct DeliveryCorrectAddressPayload {
    /// The order as it is now.
    order: Option<Order>,
    /// Why it was refused; empty when it was done.
    user_errors: Vec<StaffError>,
}

/// Input of `deliveryRevealForStaff`.
#[derive(InputObject)]
pub struct DeliveryRevealForStaffInput {
    /// What is to be shown.
    target: DeliveryTarget,
    /// Why, for the shop's records; at most 500 characters.
    reason: String,
    /// How many, 1 to 500.
    #[graphql(default = 100)]
    first: Option<i32>,
    /// Start after this row.
    after: Option<String>,
}

/// Payload of `deliveryRevealForStaff`.
#[derive(Default, SimpleObject)]
pub struct DeliveryRevealForStaffPayload {
    /// The secrets.
    secrets: Vec<RevealedSecret>,
    /// Where this page lies.
    page_info: PageInfo,
    /// The line as it is now.
    line: Option<OrderLine>,
    /// How often secrets of this order were shown to staff, this time included.
    times_shown: Option<Int64>,
    /// Why it was refused; empty when it was done.
    user_errors: Vec<DeliveryError>,
}

/// What staff does about a buyer's deliveries, saying why.
#[derive(Default)]
pub struct StaffDeliveryMutation;

#[Object]
impl StaffDeliveryMutation {
    /// For staff: corrects the address of an order and sends its mail there again. What was mailed to the old address,
    /// links and access token, opens nothing any more.
    async fn delivery_correct_address(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which order, and its address.")] input: DeliveryCorrectAddressInput,
    ) -> Answer<DeliveryCorrectAddressPayload> {
        ctx.staff()?;
        let done = async {
            let order = id::read(&input.order_id, "orderId", OrderId::parse)?;
            let DeliveryCorrectAddressInput { email, gift, reason, .. } = &input;
            correct_address(ctx.backend(), ctx.actor(), order, email, *gift, reason).await
        };
        Ok(match split(done.await)? {
            Ok(order) => DeliveryCorrectAddressPayload {
                order: load_one(ctx, order, AccessLevel::Staff).await?,
                user_errors: Vec::new(),
            },
            Err(refusal) => {
                DeliveryCorrectAddressPayload { order: None, user_errors: ctx.user_errors(refusal)? }
            }
        })
    }

    /// For staff: shows secrets of a buyer's order in the clear. Each time is recorded with its reason, and a key that was
    /// shown is not sold again.
    async fn delivery_reveal_for_staff(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to be shown, and why.")] input: DeliveryRevealForStaffInput,
    ) -> Answer<DeliveryRevealForStaffPayload> {
        ctx.staff()?;
        let after = input.after.as_deref();
        let done = async {
            let (target, size, from) = delivering::page_of(&input.target, input.first, after)?;
            let shown =
                reveal_for_staff(ctx.backend(), ctx.actor(), &target, &input.reason, size, from).await?;
            Ok((target, shown))
        };
        let (target, shown) = match split(done.await)? {
            Ok(shown) => shown,
            Err(refusal) => {
                let user_errors = ctx.user_errors(refusal)?;
                return Ok(DeliveryRevealForStaffPayload {
                    user_errors,
                    ..DeliveryRevealForStaffPayload::default()
                });
            }
        };
        let meant = (shown.order.id, &target);
        let (secrets, line) = delivering::secrets(ctx, meant, shown.secrets, AccessLevel::Staff).await?;
        Ok(DeliveryRevealForStaffPayload {
            secrets,
            page_info: delivering::page_info(&input.target, shown.last_unit_no, shown.has_next, after),
            line,
            times_shown: Some(Int64(shown.times)),
            user_errors: Vec::new(),
        })
    }
}
