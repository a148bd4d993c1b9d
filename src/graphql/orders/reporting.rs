use async_graphql::{Context, Enum, ID, InputObject, SimpleObject};

use crate::base::ids::UnitId;
use crate::delivery::report::{self, ProblemReport, Wish};
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Answer, split};
use crate::graphql::id;
use crate::graphql::orders::line::OrderLine;
use crate::graphql::orders::load::line_page;
use crate::graphql::user_error::DeliveryError;
use crate::orders::access::AccessLevel;

/// What the buyer would like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "Wish")]
pub enum ReportWish {
    /// Another one instead.
    Replace,
    /// The money back.
    Refund,
    /// Somebody's help.
    Help,
}

/// Input of `deliveryReport`.
#[derive(InputObject)]
pub struct DeliveryReportInput {
    /// 16 to 255 random characters, made and kept on the device before sending.
    idempotency_key: String,
    /// Which piece does not work.
    delivery_id: ID,
    /// A guest's token.
    access_token: Option<String>,
    /// Open code of the trouble: 1 to 64 letters, digits and underscores (`INVALID_KEY`, `ALREADY_USED`).
    problem: String,
    /// What the buyer would like.
    wish: ReportWish,
    /// The buyer's own words; at most 2,000 characters.
    text: Option<String>,
}

/// Payload of `deliveryReport`.
#[derive(Default, SimpleObject)]
pub struct DeliveryReportPayload {
    /// The line as it is now.
    line: Option<OrderLine>,
    /// Why it was refused; empty when it was done.
    user_errors: Vec<DeliveryError>,
}

pub(super) async fn report(ctx: &Context<'_>, input: DeliveryReportInput) -> Answer<DeliveryReportPayload> {
    let done = async {
        let wish = ProblemReport {
            idempotency_key: input.idempotency_key,
            unit_id: id::read(&input.delivery_id, "deliveryId", UnitId::parse)?,
            access_token: input.access_token,
            problem: input.problem,
            wish: input.wish.into(),
            text: input.text,
        };
        report::report(ctx.backend(), ctx.actor(), wish).await
    };
    Ok(match split(done.await)? {
        Ok(about) => DeliveryReportPayload {
            line: line_page(ctx, vec![about], AccessLevel::Buyer).await?.pop(),
            user_errors: Vec::new(),
        },
        Err(refusal) => DeliveryReportPayload {
            user_errors: ctx.user_errors(refusal)?,
            ..DeliveryReportPayload::default()
        },
    })
}
