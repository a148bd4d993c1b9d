//! All kinds of events that the shop records, and their public form: `GET /events`, an order's timeline and
//! `docs/EVENTS.md` show the same.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use chrono::SecondsFormat;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::base::ids::{self, OrderId, SellerId};
use crate::catalogue::events::{ProductEvent, VariantEvent};
use crate::delivery::events::{CaseEvent, DownloadEvent, RecallEvent};
use crate::files::events::{FileEvent, GrantEvent, UploadEvent};
use crate::fulfilment::events::{LineEvent, StockLevelEvent};
use crate::hooks::events::HookEvent;
use crate::infra::effects::events::{Audience, Event, EventKind, KnownEvents};
use crate::infra::effects::tasks::TaskEvent;
use crate::infra::sequence::Numbered;
use crate::licences::events::LicenceEvent;
use crate::mail::events::{MessageEvent, SuppressionEvent};
use crate::orders::events::{BlockEvent, OrderEvent, UnitEvent};
use crate::payments::events::{
    DisputeEvent, EvidenceEvent, PaymentEvent, RefundEvent, ShopEvent, StatementEvent,
};
use crate::people::events::{ApiClientEvent, SessionEvent, UserEvent};
use crate::suppliers::events::{OfferEvent, PurchaseEvent, SupplierEvent};
use crate::vault::events::{BatchEvent, ExportEvent, HoldEvent, KeyEvent, SecretEvent, StockEvent};

/// Each feature's kinds, in the order of the documentation, and who sees them.
const ALL: [(Audience, &[EventKind]); 36] = [
    (Audience::Client, OrderEvent::KINDS),
    (Audience::Client, LineEvent::KINDS),
    (Audience::Seller, StockLevelEvent::KINDS),
    (Audience::Client, UnitEvent::KINDS),
    (Audience::Client, CaseEvent::KINDS),
    (Audience::Client, PaymentEvent::KINDS),
    (Audience::Client, RefundEvent::KINDS),
    (Audience::Client, DisputeEvent::KINDS),
    (Audience::Staff, EvidenceEvent::KINDS),
    (Audience::Staff, StatementEvent::KINDS),
    (Audience::Staff, ShopEvent::KINDS),
    (Audience::Client, GrantEvent::KINDS),
    (Audience::Client, DownloadEvent::KINDS),
    (Audience::Client, LicenceEvent::KINDS),
    (Audience::Seller, FileEvent::KINDS),
    (Audience::Seller, UploadEvent::KINDS),
    (Audience::Seller, BatchEvent::KINDS),
    (Audience::Seller, RecallEvent::KINDS),
    (Audience::Seller, StockEvent::KINDS),
    (Audience::Client, HoldEvent::KINDS),
    (Audience::Seller, ExportEvent::KINDS),
    (Audience::Seller, KeyEvent::KINDS),
    (Audience::Seller, SecretEvent::KINDS),
    (Audience::Seller, SupplierEvent::KINDS),
    (Audience::Seller, OfferEvent::KINDS),
    (Audience::Seller, PurchaseEvent::KINDS),
    (Audience::Seller, ProductEvent::KINDS),
    (Audience::Seller, VariantEvent::KINDS),
    (Audience::Seller, HookEvent::KINDS),
    (Audience::Staff, MessageEvent::KINDS),
    (Audience::Staff, SuppressionEvent::KINDS),
    (Audience::Staff, BlockEvent::KINDS),
    (Audience::Staff, TaskEvent::KINDS),
    (Audience::Staff, UserEvent::KINDS),
    (Audience::Staff, SessionEvent::KINDS),
    (Audience::Staff, ApiClientEvent::KINDS),
];

/// Every kind.
pub fn kinds() -> impl Iterator<Item = &'static EventKind> {
    ALL.into_iter().flat_map(|(_, kinds)| kinds)
}

/// For features that pass events on.
pub const KNOWN: KnownEvents = KnownEvents { seen_by, public };

/// The kinds that this audience sees.
pub fn seen_by(audience: Audience) -> &'static [&'static str] {
    static SELLER: LazyLock<Vec<&'static str>> = LazyLock::new(|| names(Audience::Seller));
    static CLIENT: LazyLock<Vec<&'static str>> = LazyLock::new(|| names(Audience::Client));
    static STAFF: LazyLock<Vec<&'static str>> = LazyLock::new(|| names(Audience::Staff));
    match audience {
        Audience::Staff => &STAFF,
        Audience::Seller => &SELLER,
        Audience::Client => &CLIENT,
    }
}

fn names(audience: Audience) -> Vec<&'static str> {
    let seen = ALL.into_iter().filter(|(to, _)| *to >= audience);
    seen.flat_map(|(_, kinds)| kinds.iter().map(|kind| kind.kind)).collect()
}

/// A numbered event as the world outside sees it.
pub fn public(row: &Numbered) -> Value {
    let kind = row.kind.as_deref().unwrap_or_default();
    json!({
        "seq": row.seq,
        "id": row.id,
        "kind": kind,
        "at": row.at.map(|at| at.to_rfc3339_opts(SecondsFormat::Micros, true)),
        "object": row.object_id.map(|id| public_object(kind, id)),
        "order": row.order_id.map(|id| OrderId(id).to_string()),
        "seller": row.seller_id.map(|id| SellerId(id).to_string()),
        "body": row.body.as_ref().map(|body| public_body(kind, body)),
    })
}

fn find(kind: &str) -> Option<&'static EventKind> {
    static BY_KIND: LazyLock<HashMap<&'static str, &'static EventKind>> =
        LazyLock::new(|| kinds().map(|kind| (kind.kind, kind)).collect());
    BY_KIND.get(kind).copied()
}

/// The public id of an event's object; of a kind that this program does not know, as it is stored.
pub fn public_object(kind: &str, object: Uuid) -> String {
    find(kind).map_or_else(|| object.to_string(), |kind| ids::encode(kind.object, object))
}

/// The body with public ids; none of a kind or form that this program does not know.
pub fn read_body(kind: &str, body: &Value) -> Option<Value> {
    (find(kind)?.public)(body)
}

/// The body with public ids; of a kind or form that this program does not know, as it is stored.
pub fn public_body(kind: &str, body: &Value) -> Value {
    read_body(kind, body).unwrap_or_else(|| body.clone())
}

/// The documentation of all kinds.
pub fn documentation() -> String {
    let mut text = String::from(
        "# Events\n\nGenerated from the declarations in the code (`UPDATE_DOCS=1 cargo test --test it docs`); do not \
         edit.\nEvery event of `GET /events` has `seq`, `id`, `kind`, `at`, `object` (the id named below), `order` where it \
         belongs to one, `seller`, and the fields of its `body`. Kinds and fields are added with time; readers ignore what \
         they do not know. Administrators see all; sellers see what is theirs, and API clients what is about their orders, of the \
         kinds that say so. The same goes for webhooks (`HOOKS.md`).\n\n\
         | kind | object | what happened | body | seen by |\n|---|---|---|---|---|\n",
    );
    for (audience, kind) in ALL.into_iter().flat_map(|(to, kinds)| kinds.iter().map(move |kind| (to, kind))) {
        let fields = super::fields(kind.fields);
        let seen = match audience {
            Audience::Staff => "admins",
            Audience::Seller => "sellers",
            Audience::Client => "sellers, API clients",
        };
        let doc = kind.doc.trim();
        let _ = writeln!(text, "| `{}` | `{}_…` | {doc} | {fields} | {seen} |", kind.kind, kind.object);
    }
    text
}
