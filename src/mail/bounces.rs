//! What a mail service reports of mails that it took: one came back, was complained about, or arrived. What came back for
//! good goes before a person, and its address is written to no more.

use diesel_async::AsyncPgConnection;
use serde::Deserialize;
use uuid::Uuid;

use crate::base::ids::MessageId;
use crate::base::outcome::{Fault, Outcome};
use crate::base::text::Email;
use crate::infra::db::{Transaction, one};
use crate::infra::effects::events::{self, Event};
use crate::infra::effects::messages;
use crate::infra::effects::tasks::{self, TaskKind};
use crate::infra::kit::Kit;
use crate::infra::smtp::mask_addresses;
use crate::infra::webhook_signature::{self, SignedMessage};
use crate::mail::events::{MessageEvent, Returned};
use crate::mail::model::{Address, Message};
use crate::mail::read;
use crate::mail::state::{IllegalMessageChange, MessageChange, MessageState};
use crate::mail::store::{self, NewReport};
use crate::mail::suppress::{self, SuppressionCause};
use crate::mail::tasks::{MessageUndeliverable, Undelivered};
use crate::orders;

/// What a mail service reports, as JSON. What else a service says is left aside.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MailReport {
    #[serde(rename = "type")]
    kind: ReportKind,
    /// The address that the mail went to.
    address: Option<String>,
    /// The mail's `Message-ID`, with its angle brackets or without.
    message_id: Option<String>,
    /// Of a bounce: nothing will ever arrive there.
    #[serde(default)]
    permanent: bool,
    provider_id: Option<String>,
    /// What the other mail server said.
    reason: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ReportKind {
    Bounce,
    Complaint,
    Delivered,
}

/// What became of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reported {
    /// It is applied, or was before.
    Taken,
    /// The shop has no secret for reports.
    NotServed,
    /// Its signature is not believed.
    Forged,
    /// It is signed, and says nothing that is understood: why.
    Unreadable(&'static str),
}

/// Checks a report and applies it, once for its `webhook-id`. The commit comes before the answer.
pub async fn receive(kit: &Kit, signed: SignedMessage<'_>) -> Outcome<Reported> {
    let secrets = &kit.config.mail.event_secrets;
    if secrets.is_empty() {
        return Ok(Reported::NotServed);
    }
    if webhook_signature::verify(secrets, signed, kit.clock.unix()).is_err() {
        return Ok(Reported::Forged);
    }
    let Ok(report) = serde_json::from_slice::<MailReport>(signed.body) else {
        return Ok(Reported::Unreadable(
            "the body is no JSON with a type `bounce`, `complaint` or `delivered`",
        ));
    };
    let address = match report.address.as_deref().map(Email::parse).transpose() {
        Ok(address) => address,
        Err(_) => return Ok(Reported::Unreadable("`address` is no mail address")),
    };
    if address.is_none() && report.message_id.is_none() {
        return Ok(Reported::Unreadable("`address` or `messageId` is needed"));
    }
    apply(kit, signed.id, report, address).await?;
    Ok(Reported::Taken)
}

async fn apply(kit: &Kit, webhook_id: &str, report: MailReport, address: Option<Email>) -> Outcome<()> {
    let short = |text: &str| -> String {
        mask_addresses(text).chars().filter(|c| !c.is_control()).take(300).collect()
    };
    let reason = report.reason.as_deref().map(short).filter(|text| !text.is_empty());
    let provider_id = report.provider_id.as_deref().map(short).filter(|text| !text.is_empty());
    let mut tx = kit.db.begin().await?;
    let named = match report.message_id.as_deref().map(|id| id.trim().trim_matches(['<', '>'])) {
        Some(message_id) => read::find_by_message_id(&mut tx, message_id).await?,
        None => None,
    };
    let found = match named {
        Some(id) => lock(&mut tx, id).await?,
        None => None,
    };
    // A mail that goes elsewhere meanwhile has another Message-ID: the recipient is the one that the report is about.
    let address = address.or_else(|| found.as_ref().and_then(|m| Email::parse(&m.recipient).ok()));
    let permanent = report.permanent && report.kind == ReportKind::Bounce;
    let row = NewReport {
        id: kit.clock.uuid(),
        webhook_id,
        kind: report.kind.as_str(),
        permanent,
        message_id: named,
        email_normalised: address.as_ref().map(Email::normalised),
        provider_id: provider_id.as_deref(),
        reason: reason.as_deref(),
    };
    if store::insert_report(&mut tx, &row).await? == 0 {
        return Ok(());
    }
    metrics::counter!("dispense_mail_reports_total", "kind" => report.kind.as_str()).increment(1);
    let about = match (&found, &address) {
        (Some(message), Some(address)) if is_to(message, address) => vec![message.clone()],
        (None, Some(address)) if permanent => sent_lately(&mut tx, address).await?,
        _ => Vec::new(),
    };
    for message in &about {
        record(&mut tx, kit, message, report.kind, permanent, reason.as_deref()).await?;
    }
    let cause = match report.kind {
        ReportKind::Bounce if permanent => Some(SuppressionCause::Bounce),
        ReportKind::Complaint => Some(SuppressionCause::Complaint),
        ReportKind::Bounce | ReportKind::Delivered => None,
    };
    if let (Some(cause), Some(address)) = (cause, &address) {
        suppress::suppress(&mut tx, kit, address, cause, reason.as_deref()).await?;
    }
    crate::fault_point!("mail.reported");
    tx.commit().await?;
    kit.bell.ring();
    Ok(())
}

/// The order first, as everybody who changes anything about it does.
async fn lock(tx: &mut Transaction, id: Uuid) -> Outcome<Option<Message>> {
    if let Some(order) = store::find_order(tx, id).await? {
        orders::store::lock(tx, order).await?;
    }
    Ok(store::lock(tx, id).await?)
}

fn is_to(message: &Message, address: &Email) -> bool {
    Email::parse(&message.recipient).is_ok_and(|to| to.normalised() == address.normalised())
}

/// Where the report names no mail of ours: the mails about orders that went to the address lately.
async fn sent_lately(tx: &mut Transaction, address: &Email) -> Outcome<Vec<Message>> {
    let mut messages = Vec::new();
    for to in store::list_orders_of_address(tx, address.normalised(), MessageState::Sent).await? {
        let Address { order_id, .. } = to;
        orders::store::lock(tx, order_id).await?;
        messages.extend(store::lock_in_state(tx, &to, MessageState::Sent).await?);
    }
    Ok(messages)
}

async fn record(
    tx: &mut Transaction,
    kit: &Kit,
    message: &Message,
    kind: ReportKind,
    permanent: bool,
    reason: Option<&str>,
) -> Outcome<()> {
    let returned = Returned { kind: message.kind.clone(), permanent };
    let event = match kind {
        ReportKind::Bounce => MessageEvent::Bounced(MessageId(message.id), returned),
        ReportKind::Complaint => MessageEvent::Complained(MessageId(message.id), returned),
        ReportKind::Delivered => return Ok(()),
    };
    events::append(tx, &[event.by("system").of_order(message.order_id)]).await?;
    // One whose attempt has not ended yet is looked at again when it does.
    if permanent && message.state == MessageState::Sent {
        came_back(tx, kit, message, reason).await?;
    }
    Ok(())
}

/// Puts a sent message that came back before a person. Codes are asked for again by who needs one, and need nobody.
pub(super) async fn came_back(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    message: &Message,
    reason: Option<&str>,
) -> Outcome<()> {
    MessageState::Sent
        .after(MessageChange::Bounce)
        .map_err(|IllegalMessageChange| Fault::bug("a sent message cannot come back"))?;
    one(messages::advance_bounced(conn, message.id).await?, "message")?;
    if message.order_id.is_none() {
        return Ok(());
    }
    let id = MessageId(message.id);
    let body = Undelivered {
        message: id,
        kind: message.kind.clone(),
        attempts: message.attempts,
        outcome: "bounced".into(),
        reason: reason.map(str::to_owned),
    };
    tasks::open(conn, &kit.clock, &[MessageUndeliverable::open(id, body).of_order(message.order_id)]).await?;
    Ok(())
}

impl ReportKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Bounce => "bounce",
            Self::Complaint => "complaint",
            Self::Delivered => "delivered",
        }
    }
}
