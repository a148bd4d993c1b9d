//! The evidence of a dispute at the desk.

use async_graphql::{Context, ID, Object, OneofObject, SimpleObject};

use crate::base::error_code::ErrorCode;
use crate::base::ids::{DisputeId, PaymentId};
use crate::base::outcome::Failure;
use crate::evidence::{self, EvidenceOf};
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Answer, OutcomeExt};
use crate::graphql::payments::Attribute;
use crate::graphql::scalars::{DateTime, Money, Url};

/// Which dispute; give one of them.
#[derive(OneofObject)]
pub enum DisputeEvidenceTarget {
    /// The dispute.
    DisputeId(ID),
    /// The last dispute about this payment.
    PaymentId(ID),
}

/// What proves to a bank that a disputed sale was real. Secrets are masked.
pub struct DisputeEvidence(evidence::EvidenceBundle);

/// A part of the evidence.
#[derive(SimpleObject)]
pub struct EvidenceSection {
    /// Open code: `ORDER`, `BUYER`, `ADDRESSES`, `TERMS`, `PAYMENTS`, `DELIVERIES`, `DOWNLOADS`, `ACTIVATIONS`, `MAILS`, `REPORTS`,
    /// `REFUNDS`, `TIMELINE`. One that has nothing is left out.
    code: String,
    /// What people read, in English.
    title: String,
    /// The facts, the earliest first; what has no time comes last.
    entries: Vec<EvidenceEntry>,
}

/// One fact.
#[derive(SimpleObject)]
pub struct EvidenceEntry {
    /// When; null where it has no time.
    at: Option<DateTime>,
    /// What it is about.
    title: String,
    /// What is known of it.
    facts: Vec<Attribute>,
}

/// What proves to a bank that a disputed sale was real. Secrets are masked.
#[Object]
impl DisputeEvidence {
    /// The dispute's id.
    async fn dispute_id(&self) -> ID {
        self.0.dispute.id.into()
    }

    /// The payment that is disputed.
    async fn payment_id(&self) -> ID {
        self.0.dispute.payment_id.into()
    }

    /// The order that it paid for.
    async fn order_id(&self) -> ID {
        self.0.order.id.into()
    }

    /// How far the dispute has come, an open code: `INQUIRY`, `OPENED`, `WON`, `LOST`.
    async fn state(&self) -> String {
        self.0.dispute.state.as_str().to_ascii_uppercase()
    }

    /// The gateway's reason.
    async fn reason(&self) -> Option<&str> {
        self.0.dispute.reason.as_deref()
    }

    /// What it is about.
    async fn amount(&self) -> Money {
        Money::of(self.0.dispute.amount_minor, self.0.dispute.currency)
    }

    /// When it was opened.
    async fn opened_at(&self) -> DateTime {
        self.0.dispute.opened_at.into()
    }

    /// When this was collected.
    async fn collected_at(&self) -> DateTime {
        self.0.collected_at.into()
    }

    /// Where the same is fetched as one HTML file, with the access token in `Authorization`.
    async fn evidence_url(&self, ctx: &Context<'_>) -> Url {
        Url(format!("{}{}", ctx.backend().public_url(), evidence::path(self.0.dispute.id)))
    }

    /// The parts, in the order in which they are read.
    async fn sections(&self) -> Vec<EvidenceSection> {
        let entry = |entry: &evidence::EvidenceEntry| EvidenceEntry {
            at: entry.at.map(Into::into),
            title: entry.title.clone(),
            facts: entry
                .facts
                .iter()
                .map(|(key, value)| Attribute { key: key.clone(), value: value.clone() })
                .collect(),
        };
        let section = |section: &evidence::EvidenceSection| EvidenceSection {
            code: section.code.into(),
            title: section.title.into(),
            entries: section.entries.iter().map(entry).collect(),
        };
        self.0.sections.iter().map(section).collect()
    }
}

/// Collects it; null when there is no such dispute.
pub async fn find(ctx: &Context<'_>, target: DisputeEvidenceTarget) -> Answer<Option<DisputeEvidence>> {
    let of = match target {
        DisputeEvidenceTarget::DisputeId(id) => DisputeId::parse(&id).map(EvidenceOf::Dispute),
        DisputeEvidenceTarget::PaymentId(id) => PaymentId::parse(&id).map(EvidenceOf::Payment),
    };
    let Ok(of) = of else { return Ok(None) };
    match evidence::collect(ctx.backend(), ctx.actor(), of).await {
        Ok(found) => Ok(Some(DisputeEvidence(found))),
        Err(Failure::Refused(refusal)) if refusal.code == ErrorCode::NotFound => Ok(None),
        Err(failure) => Err(failure).or_top(),
    }
}
