//! Calls of a supplier: signed, guarded against addresses inside the network, bounded in time and size.

use std::time::Duration;

use crate::base::secret::Secret;
use crate::infra::kit::Kit;
use crate::infra::outbound::{CallError, HttpAnswer, Method, Request};
use crate::infra::webhook_signature;
use crate::suppliers::model::{Purchase, Supplier};
use crate::suppliers::protocol::{self, Heard};

/// Why a purchase was refused whose signature the supplier does not believe.
pub const UNAUTHORISED: &str = "UNAUTHORISED";

/// The placeholder of the purchase's name in a status address.
pub const PLACE: &str = "{request_id}";

/// Where a supplier's late answers go.
pub fn callback_url(kit: &Kit, supplier: &Supplier) -> String {
    format!("{}/suppliers/{}/callback", kit.public_url(), supplier.id)
}

/// Sends a purchase. The same purchase again is the same to the supplier: its name is the key of idempotency.
pub async fn order(kit: &Kit, supplier: &Supplier, secrets: &[Secret], purchase: &Purchase) -> Heard {
    let body = protocol::order_body(&supplier.mapping, purchase, &callback_url(kit, supplier));
    let sent = call(kit, supplier, secrets, Method::Post, supplier.url.clone(), &purchase.request_id, body);
    match sent.await {
        Ok(answer) => of_order(supplier, purchase, &answer),
        Err(heard) => heard,
    }
}

/// Asks what became of a purchase; none when the supplier cannot be asked.
pub async fn ask(kit: &Kit, supplier: &Supplier, secrets: &[Secret], purchase: &Purchase) -> Option<Heard> {
    let url = supplier.status_url.as_ref()?.replace(PLACE, &purchase.request_id);
    let asked = call(kit, supplier, secrets, Method::Get, url, &purchase.request_id, Vec::new());
    Some(match asked.await {
        Ok(answer) => of_question(supplier, purchase, &answer),
        Err(heard) => heard,
    })
}

/// How a test of a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tested {
    /// It answers and believes our signature; its status.
    Answers(u16),
    /// It answers, and not as a supplier does; its status.
    Refuses(u16),
    /// It does not answer; why, for the seller.
    Silent(String),
}

/// Asks about a purchase that there never was. None when the supplier cannot be asked.
pub async fn test(kit: &Kit, supplier: &Supplier, secrets: &[Secret]) -> Option<Tested> {
    let name = format!("test-{}", kit.clock.uuid().simple());
    let url = supplier.status_url.as_ref()?.replace(PLACE, &name);
    let asked = call(kit, supplier, secrets, Method::Get, url, &name, Vec::new());
    Some(match asked.await {
        Ok(answer) if answer.succeeded() || answer.status == 404 => Tested::Answers(answer.status),
        Ok(answer) => Tested::Refuses(answer.status),
        Err(Heard::NotSent { why, .. } | Heard::Unknown { why }) => Tested::Silent(why),
        Err(_) => Tested::Silent("no answer".into()),
    })
}

async fn call(
    kit: &Kit,
    supplier: &Supplier,
    secrets: &[Secret],
    method: Method,
    url: String,
    name: &str,
    body: Vec<u8>,
) -> Result<HttpAnswer, Heard> {
    let signed = webhook_signature::sign(secrets.iter(), name, kit.clock.unix(), &body);
    let unsigned = || Heard::NotSent { why: "the signing secret is none".into(), retry_after: None };
    let mut headers = Vec::from(signed.ok_or_else(unsigned)?);
    headers.push(("idempotency-key".into(), name.to_owned()));
    headers.push(("accept".into(), "application/json".into()));
    if method == Method::Post {
        headers.push(("content-type".into(), "application/json".into()));
    }
    // A call ends before its job's time does, so that its outcome can be recorded.
    let longest = kit.config.worker.job_seconds.saturating_sub(5).max(1);
    let timeout = Duration::from_secs(u64::try_from(supplier.timeout_seconds).unwrap_or(1).min(longest));
    let largest_answer = protocol::LARGEST_ANSWER;
    let request = Request { method, url, headers, body, timeout, largest_answer };
    kit.outbound.call_guarded(request).await.map_err(|error| match error {
        CallError::NotSent(why) => Heard::NotSent { why, retry_after: None },
        CallError::Unknown(why) => Heard::Unknown { why },
    })
}

fn of_order(supplier: &Supplier, purchase: &Purchase, answer: &HttpAnswer) -> Heard {
    match answer.status {
        200..=299 => {
            protocol::read(&supplier.mapping, &purchase.request_id, &supplier.currency, &answer.body)
        }
        401 | 403 => Heard::Refused { reason: UNAUTHORISED.into() },
        429 => busy(answer),
        // It says that it cannot take this one; the body may say why. A conflict is about a purchase of this name.
        400 | 402 | 404 | 405 | 410 | 413 | 415 | 422 => {
            let said =
                protocol::read(&supplier.mapping, &purchase.request_id, &supplier.currency, &answer.body);
            match said {
                Heard::Refused { reason } => Heard::Refused { reason },
                _ => Heard::Refused { reason: format!("HTTP_{}", answer.status) },
            }
        }
        status => Heard::Unknown { why: format!("status {status}") },
    }
}

fn of_question(supplier: &Supplier, purchase: &Purchase, answer: &HttpAnswer) -> Heard {
    match answer.status {
        200..=299 => {
            protocol::read(&supplier.mapping, &purchase.request_id, &supplier.currency, &answer.body)
        }
        404 => Heard::NotKnown,
        429 => busy(answer),
        // A question that is turned away says nothing of the purchase.
        status => Heard::Unknown { why: format!("status {status}") },
    }
}

fn busy(answer: &HttpAnswer) -> Heard {
    let seconds = answer.header("retry-after").and_then(|text| text.trim().parse().ok());
    Heard::NotSent { why: "status 429".into(), retry_after: Some(seconds.unwrap_or(30).clamp(1, 3_600)) }
}
