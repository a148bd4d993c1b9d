//! What proves to a bank that a disputed sale was real: the order, who bought it and from where, what was delivered, seen and
//! downloaded, which mails went out and what the mail servers answered. Collected for one dispute at a time, for staff; each
//! collection is recorded. No secret is in it but in its masked form.

mod read;

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::{DisputeId, PaymentId, UnitId};
use crate::base::outcome::{Outcome, Refusal};
use crate::infra::effects::events::{self, Event};
use crate::infra::effects::record::Nothing;
use crate::infra::kit::Kit;
use crate::kinds::events as kinds;
use crate::operations;
use crate::orders::model::Order;
use crate::orders::{self, visits};
use crate::payments::disputes::{self, Dispute};
use crate::payments::events::EvidenceEvent;
use crate::vault;

/// Which dispute.
#[derive(Clone, Copy, Debug)]
pub enum EvidenceOf {
    Dispute(DisputeId),
    /// The last one about this payment.
    Payment(PaymentId),
}

/// All of it.
#[derive(Clone, Debug)]
pub struct EvidenceBundle {
    pub dispute: Dispute,
    pub order: Order,
    pub collected_at: DateTime<Utc>,
    /// In the order in which they are read.
    pub sections: Vec<EvidenceSection>,
}

/// A part of it.
#[derive(Clone, Debug)]
pub struct EvidenceSection {
    /// Open code.
    pub code: &'static str,
    pub title: &'static str,
    /// The earliest first; what has no time comes last.
    pub entries: Vec<EvidenceEntry>,
}

/// One fact with what is known about it.
#[derive(Clone, Debug)]
pub struct EvidenceEntry {
    pub at: Option<DateTime<Utc>>,
    pub title: String,
    pub facts: Vec<(String, String)>,
}

/// The sections: code, and what people read.
const SECTIONS: [(&str, &str); 12] = [
    ("ORDER", "What was bought"),
    ("BUYER", "Who bought it"),
    ("ADDRESSES", "From where the buyer acted"),
    ("TERMS", "What was promised"),
    ("PAYMENTS", "The payments and disputes"),
    ("DELIVERIES", "What was delivered, and when it was first seen"),
    ("DOWNLOADS", "What was downloaded"),
    ("ACTIVATIONS", "On which devices licences are used"),
    ("MAILS", "Mails, and what the mail servers answered"),
    ("REPORTS", "What the buyer reported"),
    ("REFUNDS", "What was given back"),
    ("TIMELINE", "Everything that happened"),
];

/// Pieces whose masked secrets are shown.
const MASKED: usize = 500;

/// Collects the evidence of a dispute, for support and admins; that somebody did is recorded in the same transaction.
/// `FORBIDDEN`, `NOT_FOUND`.
pub async fn collect(kit: &Kit, actor: &Actor, of: EvidenceOf) -> Outcome<EvidenceBundle> {
    if !actor.is_staff() {
        return Err(Refusal::new(ErrorCode::Forbidden, "the evidence of a dispute is for staff").into());
    }
    let missing = || Refusal::new(ErrorCode::NotFound, "there is no such dispute");
    let mut tx = kit.db.begin().await?;
    let found = match of {
        EvidenceOf::Dispute(id) => disputes::store::find(&mut tx, id).await?,
        EvidenceOf::Payment(id) => disputes::store::find_last_of_payment(&mut tx, id).await?,
    };
    let dispute = found.ok_or_else(missing)?;
    let order = orders::store::find(&mut tx, dispute.order_id).await?.ok_or_else(missing)?;
    let sections = sections(&mut tx, kit, &order).await?;
    let event = EvidenceEvent::Fetched(dispute.id, Nothing {}).by(actor.label());
    events::append(&tx, &[event.of_order(order.id)]).await?;
    tx.commit().await?;
    kit.bell.ring();
    Ok(EvidenceBundle { dispute, order, collected_at: kit.clock.now(), sections })
}

async fn sections(conn: &mut AsyncPgConnection, kit: &Kit, order: &Order) -> Outcome<Vec<EvidenceSection>> {
    let mut rows = read::list(conn, order.id).await?;
    let masked = masked(conn, kit, &rows).await?;
    for row in rows.iter_mut().filter(|row| row.section == "DELIVERIES") {
        if let Some(text) = row.unit.and_then(|unit| masked.iter().find(|(id, _)| id.0 == unit)) {
            row.facts.push(("secret, masked".into(), text.1.clone()));
        }
    }
    let mut found: Vec<EvidenceSection> = SECTIONS
        .into_iter()
        .map(|(code, title)| EvidenceSection { code, title, entries: Vec::new() })
        .collect();
    let mut add = |code: &str, entry: EvidenceEntry| {
        if let Some(section) = found.iter_mut().find(|section| section.code == code) {
            section.entries.push(entry);
        }
    };
    for row in rows {
        let entry = EvidenceEntry { at: row.at, title: row.title, facts: row.facts };
        add(&row.section, entry);
    }
    for kept in visits::list(conn, kit, order.id).await? {
        let fact = |name: &str, value: Option<String>| Some((name.to_owned(), value?));
        let (address, device) = match kept.visit {
            Some(visit) => (Some(visit.address.to_string()), visit.device),
            None => (None, None),
        };
        let facts = [fact("network address", address), fact("device", device)];
        let facts = facts.into_iter().flatten().collect();
        add("ADDRESSES", EvidenceEntry { at: Some(kept.at), title: kept.act.as_str().to_owned(), facts });
    }
    for row in operations::timeline(conn, order.id).await? {
        add("TIMELINE", story(row));
    }
    for section in &mut found {
        section.entries.sort_by_key(|entry| (entry.at.is_none(), entry.at));
    }
    found.retain(|section| !section.entries.is_empty());
    Ok(found)
}

fn story(row: operations::TimelineRow) -> EvidenceEntry {
    let detail = row.detail.or(row.body.map(|body| kinds::public_body(&row.kind, &body).to_string()));
    let mut facts = vec![("source".to_owned(), row.source), ("by".to_owned(), row.actor)];
    facts.extend(detail.map(|detail| ("detail".to_owned(), detail)));
    EvidenceEntry { at: Some(row.at), title: row.kind, facts }
}

/// The masked secrets of the delivered pieces; none where a seal is broken, which was put before a person then.
async fn masked(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    rows: &[read::EvidenceRow],
) -> Outcome<Vec<(UnitId, String)>> {
    let units: Vec<UnitId> = rows.iter().filter_map(|row| row.unit.map(UnitId)).take(MASKED).collect();
    match vault::reveal::open(conn, kit, &units).await {
        Ok(opened) => Ok(opened.into_iter().map(|key| (key.unit_id, key.masked())).collect()),
        Err(fault) => {
            tracing::error!(%fault, "the pieces of the evidence could not be opened");
            Ok(Vec::new())
        }
    }
}

/// Where the file with the evidence of a dispute is fetched.
pub fn path(id: DisputeId) -> String {
    format!("/disputes/{id}/evidence")
}

/// What the file is called.
pub fn file_name(order: &Order) -> String {
    format!("evidence-{}.html", order.number)
}
