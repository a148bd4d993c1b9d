use async_graphql::{Context, Enum, SimpleObject};

use crate::base::ids::OrderId;
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Answer, OutcomeExt};
use crate::graphql::scalars::DateTime;
use crate::kinds::events;
use crate::operations;

/// Where an entry of an order's story comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum TimelineSource {
    /// Something was decided or done here.
    Event,
    /// A gateway sent a report.
    Notice,
    /// A mail.
    Mail,
    /// What staff did and why.
    Staff,
}

/// One entry of an order's story.
#[derive(Clone, Debug, SimpleObject)]
pub struct TimelineEntry {
    /// When.
    at: DateTime,
    /// Where it comes from.
    source: TimelineSource,
    /// Open code: `order.paid`, a notice's verdict, a mail's kind.
    kind: String,
    /// Who or what did it: a person's id, `guest`, `system`, an account at a gateway.
    actor: String,
    /// More about it, for people; never a secret.
    detail: Option<String>,
}

/// The story of an order, the oldest first.
pub async fn of(ctx: &Context<'_>, order: OrderId) -> Answer<Vec<TimelineEntry>> {
    let mut conn = ctx.backend().db.conn().await.or_top()?;
    let rows = operations::timeline(&mut conn, order).await.or_top()?;
    let entry = |row: operations::TimelineRow| TimelineEntry {
        at: row.at.into(),
        source: match row.source.as_str() {
            "notice" => TimelineSource::Notice,
            "mail" => TimelineSource::Mail,
            "staff" => TimelineSource::Staff,
            _ => TimelineSource::Event,
        },
        detail: row.detail.or(row.body.map(|body| events::public_body(&row.kind, &body).to_string())),
        kind: row.kind,
        actor: row.actor,
    };
    Ok(rows.into_iter().map(entry).collect())
}
