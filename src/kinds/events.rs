//! All kinds of events that the shop records, and their public form: `GET /events`, an order's timeline and
//! `docs/EVENTS.md` show the same.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use serde_json::Value;
use uuid::Uuid;

use crate::base::ids;
use crate::catalogue::events::{ProductEvent, VariantEvent};
use crate::delivery::events::DownloadEvent;
use crate::files::events::{FileEvent, GrantEvent, UploadEvent};
use crate::fulfilment::events::{LineEvent, StockLevelEvent};
use crate::infra::effects::events::{Event, EventKind};
use crate::infra::effects::tasks::TaskEvent;
use crate::licences::events::LicenceEvent;
use crate::mail::events::{MessageEvent, SuppressionEvent};
use crate::orders::events::{OrderEvent, UnitEvent};
use crate::payments::events::{DisputeEvent, PaymentEvent, RefundEvent, ShopEvent, StatementEvent};
use crate::people::events::{SessionEvent, UserEvent};
use crate::suppliers::events::{OfferEvent, PurchaseEvent, SupplierEvent};
use crate::vault::events::{BatchEvent, ExportEvent, HoldEvent, KeyEvent, SecretEvent, StockEvent};

/// Each feature's kinds, in the order of the documentation.
const ALL: [&[EventKind]; 28] = [
    OrderEvent::KINDS,
    LineEvent::KINDS,
    StockLevelEvent::KINDS,
    UnitEvent::KINDS,
    PaymentEvent::KINDS,
    RefundEvent::KINDS,
    DisputeEvent::KINDS,
    StatementEvent::KINDS,
    ShopEvent::KINDS,
    GrantEvent::KINDS,
    DownloadEvent::KINDS,
    LicenceEvent::KINDS,
    FileEvent::KINDS,
    UploadEvent::KINDS,
    BatchEvent::KINDS,
    StockEvent::KINDS,
    HoldEvent::KINDS,
    ExportEvent::KINDS,
    KeyEvent::KINDS,
    SecretEvent::KINDS,
    SupplierEvent::KINDS,
    OfferEvent::KINDS,
    PurchaseEvent::KINDS,
    ProductEvent::KINDS,
    VariantEvent::KINDS,
    MessageEvent::KINDS,
    SuppressionEvent::KINDS,
    TaskEvent::KINDS,
];

/// Those of people, whom only administrators see.
const PEOPLE: [&[EventKind]; 2] = [UserEvent::KINDS, SessionEvent::KINDS];

/// Every kind.
pub fn kinds() -> impl Iterator<Item = &'static EventKind> {
    ALL.into_iter().chain(PEOPLE).flatten()
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
         they do not know.\n\n| kind | object | what happened | body |\n|---|---|---|---|\n",
    );
    for kind in kinds() {
        let fields = super::fields(kind.fields);
        let _ = writeln!(text, "| `{}` | `{}_…` | {} | {fields} |", kind.kind, kind.object, kind.doc.trim());
    }
    text
}
