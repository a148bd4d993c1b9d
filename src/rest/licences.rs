//! `POST /licences/…`: what the seller's own software asks about the key that its user typed. Nobody signs in: whoever has
//! the key may ask. The key comes in the body, never in an address, and is in no log and no answer.

use std::io::ErrorKind;
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use poem::error::ReadBodyError;
use poem::http::{StatusCode, header};
use poem::web::Data;
use poem::{Body, Request, Response, handler};
use serde_json::{Map, Value, json};

use crate::base::caller::Caller;
use crate::base::error_code::ErrorCode;
use crate::base::ids::ProductId;
use crate::base::outcome::{Failure, Outcome, Refusal};
use crate::base::secret::Secret;
use crate::infra::throttle::prefix;
use crate::licences::activate::{Described, activate};
use crate::licences::deactivate::deactivate;
use crate::licences::device::{self, Device};
use crate::licences::validate::{Asked, validate};
use crate::licences::{Activation, LicenceRow};
use crate::rest::problem::Problem;
use crate::rest::state::RestBackend;
use crate::vault::signed;

/// Bytes of a body.
const LONGEST_BODY: usize = 32 * 1024;

/// `POST /licences/activate`: begins to use a key on a device.
#[handler]
pub async fn activate_device(
    request: &Request,
    body: Body,
    backend: Data<&Arc<RestBackend>>,
    caller: Data<&Caller>,
) -> Result<Response, Problem> {
    let fields = Fields::read(request, body, &["device", "name", "metadata"]).await?;
    let (asked, device) = fields.asked_of_device()?;
    let described = Described {
        name: fields.text("name")?.map(device::name).transpose()?,
        metadata: fields.object("metadata")?.map(device::metadata).transpose()?,
    };
    let done = counted(&backend, &caller, activate(&backend, &asked, &device, &described)).await?;
    let body =
        json!({ "licence": shown(&done.licence, "VALID"), "activation": shown_activation(&done.activation) });
    Ok(answer(if done.fresh { StatusCode::CREATED } else { StatusCode::OK }, &body))
}

/// `POST /licences/validate`: whether a key is good, and on a device, when one is named. Both answers are 200.
#[handler]
pub async fn validate_key(
    request: &Request,
    body: Body,
    backend: Data<&Arc<RestBackend>>,
    caller: Data<&Caller>,
) -> Result<Response, Problem> {
    let fields = Fields::read(request, body, &["device"]).await?;
    let mut asked = fields.asked()?;
    asked.device = fields.text("device")?.map(|text| Device::parse(asked.product, text)).transpose()?;
    let refused = |no: &Refusal| json!({ "valid": false, "code": no.code.as_str(), "detail": no.message });
    let body = match counted(&backend, &caller, validate(&backend, &asked)).await {
        Ok(done) => {
            let mut body = match &done.verdict {
                Ok(()) => json!({ "valid": true, "code": "VALID", "detail": "this licence is good" }),
                Err(no) => refused(no),
            };
            let code = body["code"].as_str().unwrap_or_default().to_owned();
            let is_sold = done.licence.unit_id.is_some();
            body["licence"] = if is_sold { shown(&done.licence, &code) } else { Value::Null };
            body["activation"] = done.licence.activation().as_ref().map_or(Value::Null, shown_activation);
            body
        }
        Err(Failure::Refused(no)) if no.code == ErrorCode::NoSuchKey => {
            let mut body = refused(&no);
            (body["licence"], body["activation"]) = (Value::Null, Value::Null);
            body
        }
        Err(failure) => return Err(failure.into()),
    };
    Ok(answer(StatusCode::OK, &body))
}

/// `POST /licences/deactivate`: ends the use of a key on a device.
#[handler]
pub async fn deactivate_device(
    request: &Request,
    body: Body,
    backend: Data<&Arc<RestBackend>>,
    caller: Data<&Caller>,
) -> Result<Response, Problem> {
    let fields = Fields::read(request, body, &["device"]).await?;
    let (asked, device) = fields.asked_of_device()?;
    let done = counted(&backend, &caller, deactivate(&backend, &asked, &device)).await?;
    let licence = &done.licence;
    let body = json!({
        "activationId": done.activation.to_string(),
        "activationLimit": licence.limit(),
        "activationsUsed": licence.used,
    });
    Ok(answer(StatusCode::OK, &body))
}

/// `GET /licences/public-keys`: what signed keys are believed by.
#[handler]
pub async fn public_keys(backend: Data<&Arc<RestBackend>>) -> Result<Response, Problem> {
    let keys = signed::public_keys(&backend.config.secrets)?;
    Ok(Response::builder()
        .content_type("application/jwk-set+json")
        .header(header::CACHE_CONTROL, "public, max-age=3600")
        .body(keys.to_string()))
}

/// Counts keys that do not exist by the client's network; one that asked for too many gets no answer, right or wrong.
async fn counted<T>(
    backend: &RestBackend,
    caller: &Caller,
    work: impl Future<Output = Outcome<T>>,
) -> Outcome<T> {
    let network = prefix(caller.address);
    backend.throttles.licence_failures.admit(&network).map_err(|seconds| {
        Refusal::new(ErrorCode::RateLimited, "too many unknown keys, try again later").retry_after(seconds)
    })?;
    let done = work.await;
    if let Err(Failure::Refused(no)) = &done
        && no.code == ErrorCode::NoSuchKey
    {
        backend.throttles.licence_failures.count(&network);
    }
    done
}

/// The members of a body.
struct Fields(Map<String, Value>);

impl Fields {
    /// A JSON object with `productId`, `key` and these. What is none of them is refused, not passed over: a misspelt `device`
    /// would validate every device. No refusal quotes a value.
    async fn read(request: &Request, body: Body, more: &[&str]) -> Result<Self, Problem> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
        let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            return Err(Problem::from_status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        }
        let bytes = body.into_bytes_limit(LONGEST_BODY).await.map_err(|error| match error {
            ReadBodyError::PayloadTooLarge => Problem::from_status(StatusCode::PAYLOAD_TOO_LARGE),
            ReadBodyError::Io(error) if error.kind() == ErrorKind::TimedOut => Problem::too_slow(),
            _ => Problem::from_status(StatusCode::BAD_REQUEST),
        })?;
        let Ok(Value::Object(fields)) = serde_json::from_slice(&bytes) else {
            return Err(Problem::new(ErrorCode::BadRequest, "the body is a JSON object"));
        };
        let known = |name: &str| ["productId", "key"].contains(&name) || more.contains(&name);
        if let Some(name) = fields.keys().find(|name| !known(name)) {
            let known = ["productId", "key"].iter().chain(more).copied().collect::<Vec<_>>().join("`, `");
            let refusal =
                Refusal::new(ErrorCode::Invalid, format!("the body has `{known}` and nothing else"));
            // A name of letters is no key that was put into a wrong place.
            let is_name = name.len() <= 40 && name.bytes().all(|b| b.is_ascii_alphabetic());
            return Err(if is_name { refusal.at([name.as_str()]) } else { refusal }.into());
        }
        Ok(Self(fields))
    }

    /// A text; none when it is left out or null.
    fn text(&self, name: &str) -> Result<Option<&str>, Refusal> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Refusal::new(ErrorCode::Invalid, format!("`{name}` is a text")).at([name])),
        }
    }

    fn object(&self, name: &str) -> Result<Option<&Map<String, Value>>, Refusal> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(object)) => Ok(Some(object)),
            Some(_) => Err(Refusal::new(ErrorCode::Invalid, format!("`{name}` is an object")).at([name])),
        }
    }

    fn needed(&self, name: &str) -> Result<&str, Refusal> {
        let missing = || Refusal::new(ErrorCode::Invalid, format!("`{name}` is missing")).at([name]);
        self.text(name)?.ok_or_else(missing)
    }

    /// Without its device.
    fn asked(&self) -> Result<Asked, Refusal> {
        let not = |_| Refusal::new(ErrorCode::Invalid, "this is no id of a product").at(["productId"]);
        let product = ProductId::parse(self.needed("productId")?).map_err(not)?;
        Ok(Asked { product, key: Secret::new(self.needed("key")?), device: None })
    }

    fn asked_of_device(&self) -> Result<(Asked, Device), Refusal> {
        let asked = self.asked()?;
        let device = Device::parse(asked.product, self.needed("device")?)?;
        Ok((Asked { device: Some(device.clone()), ..asked }, device))
    }
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn shown(licence: &LicenceRow, status: &str) -> Value {
    json!({
        "id": licence.key_id.to_string(),
        "status": status,
        "productId": licence.product_id.to_string(),
        "variantId": licence.variant_id.to_string(),
        "soldAt": licence.sold_at.map(time),
        "expiresAt": licence.expires_at.map(time),
        "activationLimit": licence.limit(),
        "activationsUsed": licence.used,
    })
}

fn shown_activation(activation: &Activation) -> Value {
    json!({
        "id": activation.id.to_string(),
        "name": activation.name,
        "metadata": activation.metadata,
        "activatedAt": time(activation.activated_at),
        "lastSeenAt": time(activation.last_seen_at),
    })
}

fn answer(status: StatusCode, body: &Value) -> Response {
    Response::builder()
        .status(status)
        .content_type("application/json")
        .header(header::CACHE_CONTROL, "no-store")
        .body(body.to_string())
}
