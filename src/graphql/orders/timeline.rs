use async_graphql::{Context, Enum, SimpleObject};

use crate::base::ids::OrderId;
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Answer, OutcomeExt};
use crate::graphql::scalars::DateTime;
use crate::hooks;
use crate::hooks::read::OrderAttempt;
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
    /// An attempt to send an event to a hook endpoint.
    Hook,
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
    /// Open code: `order.paid`, a notice's verdict, a mail's kind, the type of the event that was sent.
    kind: String,
    /// Who or what did it: a person's id, `guest`, `system`, an account at a gateway, a hook endpoint.
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
    let attempts = hooks::read::list_order_attempts(&mut conn, order).await.or_top()?;
    let mut story: Vec<TimelineEntry> =
        rows.into_iter().map(entry).chain(attempts.into_iter().map(sent)).collect();
    story.sort_by_key(|entry| entry.at.0);
    Ok(story)
}

fn sent(attempt: OrderAttempt) -> TimelineEntry {
    let outcome = attempt.outcome.as_deref().unwrap_or("under way");
    let status = attempt.status.map(|status| format!(" ({status})")).unwrap_or_default();
    TimelineEntry {
        at: attempt.at.into(),
        source: TimelineSource::Hook,
        kind: attempt.event_type,
        actor: attempt.endpoint_id.to_string(),
        detail: Some(format!("attempt {}: {outcome}{status}", attempt.attempt)),
    }
}
