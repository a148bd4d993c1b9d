use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use crate::base::ids::UnitId;
use crate::delivery::fulfil_by_hand;
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Answer, split};
use crate::graphql::id;
use crate::graphql::orders::{OrderLine, line_page};
use crate::graphql::user_error::StaffError;
use crate::orders::access::AccessLevel;

/// Input of `deliveryFulfilManually`.
#[derive(InputObject)]
pub struct DeliveryFulfilManuallyInput {
    /// Which delivery.
    delivery_id: ID,
    /// What the buyer gets: a text, or a note of what was done; up to 10,000 characters. It is sealed at once and shown
    /// by `deliveryReveal` alone.
    secret_text: String,
}

/// Payload of `deliveryFulfilManually`.
#[derive(Default, SimpleObject)]
pub struct DeliveryFulfilManuallyPayload {
    /// The line as it is now.
    line: Option<OrderLine>,
    /// Why it was refused; empty when it was done.
    user_errors: Vec<StaffError>,
}

/// Handing over by a person.
#[derive(Default)]
pub struct FulfilMutation;

#[Object]
impl FulfilMutation {
    /// For staff and those who sell it: delivers a text or a note for a piece that waits for a person. The buyer is mailed.
    /// The same text again changes nothing and answers the same; another one is `ALREADY_DELIVERED`.
    async fn delivery_fulfil_manually(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which delivery, and what the buyer gets.")] input: DeliveryFulfilManuallyInput,
    ) -> Answer<DeliveryFulfilManuallyPayload> {
        ctx.person()?;
        let access_level = AccessLevel::of_who_sells(ctx.actor());
        let done = async {
            let unit = id::read(&input.delivery_id, "deliveryId", UnitId::parse)?;
            fulfil_by_hand::fulfil(ctx.backend(), ctx.actor(), unit, &input.secret_text).await
        };
        Ok(match split(done.await)? {
            Ok(line) => DeliveryFulfilManuallyPayload {
                line: line_page(ctx, vec![line], access_level).await?.pop(),
                user_errors: Vec::new(),
            },
            Err(refusal) => {
                DeliveryFulfilManuallyPayload { line: None, user_errors: ctx.user_errors(refusal)? }
            }
        })
    }
}
