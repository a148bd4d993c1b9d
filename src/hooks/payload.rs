//! What is sent: an event as `GET /events` shows it, in the form that Standard Webhooks recommend.

use chrono::SecondsFormat;
use serde_json::{Value, json};

use crate::hooks::kit::HookKit;
use crate::infra::sequence::Numbered;

/// Larger bodies are not sent (Standard Webhooks: payloads below 20 kB): their event is there for whoever pulls it.
const LARGEST: usize = 20_000;

/// The bytes that are signed and sent; the same for every attempt. None when the event is not kept any more.
pub(super) fn of(kit: &HookKit, event: &Numbered) -> Option<Vec<u8>> {
    let (kind, at) = (event.kind.as_deref()?, event.at?);
    let mut data = (kit.known.public)(event);
    let mut bytes = written(kind, &at.to_rfc3339_opts(SecondsFormat::Micros, true), &data);
    if bytes.len() > LARGEST {
        data["body"] = Value::Null;
        data["bodyOmitted"] = Value::Bool(true);
        bytes = written(kind, &at.to_rfc3339_opts(SecondsFormat::Micros, true), &data);
    }
    Some(bytes)
}

fn written(kind: &str, at: &str, data: &Value) -> Vec<u8> {
    json!({ "type": kind, "timestamp": at, "data": data }).to_string().into_bytes()
}
