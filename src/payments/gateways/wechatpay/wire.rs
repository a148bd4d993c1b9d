//! Calls: JSON over HTTPS, each signed in its `Authorization` header over `METHOD LF path LF timestamp LF nonce LF body LF`.
//! A good answer is believed only under the platform's signature; an error that is not signed is taken as it is, as
//! the official SDKs do, because a request that was not accepted is answered by servers that cannot sign.

use serde_json::Value;
use url::Url;

use super::WechatPay;
use super::keys::{self, Signed};
use crate::base::clock::random;
use crate::infra::outbound::{CallError, HttpAnswer, Method, Outbound, Request};
use crate::payments::gateways::gateway::Call;
use crate::payments::gateways::json;
use crate::payments::gateways::rsa::PrivateKey;

const HOST: &str = "https://api.mch.weixin.qq.com";
const LARGEST_ANSWER: usize = 1024 * 1024;
const LARGEST_FILE: usize = 64 * 1024 * 1024;

/// Base of all addresses.
pub(super) fn base<'a>(call: &Call<'a>) -> &'a str {
    call.keys.api_url.as_deref().unwrap_or(HOST)
}

/// A text for one use, 32 characters.
pub(super) fn nonce() -> String {
    hex::encode_upper(random::<16>())
}

/// Signs lines with the merchant's key; a line feed follows each, the last too.
pub(super) fn sign(call: &Call<'_>, lines: &[&str]) -> Option<String> {
    let key = PrivateKey::parse(call.keys.api_key.as_ref()?)?;
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    key.sign(text.as_bytes())
}

fn authorization(call: &Call<'_>, method: Method, url: &Url, body: &str) -> Option<String> {
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    let target = format!("{}{query}", url.path());
    let (nonce, timestamp) = (nonce(), call.now_unix.to_string());
    let signature = sign(call, &[method.as_str(), &target, &timestamp, &nonce, body])?;
    let (mchid, serial_no) = (call.keys.setting("mchid")?, call.keys.setting("serial_no")?);
    Some(format!(
        r#"WECHATPAY2-SHA256-RSA2048 mchid="{mchid}",nonce_str="{nonce}",signature="{signature}",timestamp="{timestamp}",serial_no="{serial_no}""#
    ))
}

/// One signed call to a path; whether the answer is genuine is the caller's to check.
pub(super) async fn send(
    outbound: &Outbound,
    call: &Call<'_>,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Result<HttpAnswer, CallError> {
    request(outbound, call, method, &format!("{}{path}", base(call)), body, LARGEST_ANSWER).await
}

/// A signed GET of a file; its answer is never signed.
pub(super) async fn file(outbound: &Outbound, call: &Call<'_>, url: &str) -> Result<HttpAnswer, CallError> {
    request(outbound, call, Method::Get, url, None, LARGEST_FILE).await
}

async fn request(
    outbound: &Outbound,
    call: &Call<'_>,
    method: Method,
    url: &str,
    body: Option<&Value>,
    largest_answer: usize,
) -> Result<HttpAnswer, CallError> {
    let url = Url::parse(url).map_err(|_| CallError::NotSent("the address is none".into()))?;
    let body = body.map(Value::to_string).unwrap_or_default();
    let authorization = authorization(call, method, &url, &body)
        .ok_or_else(|| CallError::NotSent("no private key to sign with".into()))?;
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut headers = vec![field("authorization", &authorization), field("accept", "application/json")];
    if method == Method::Post {
        headers.push(field("content-type", "application/json"));
    }
    // Which of the platform's keys shall sign the answer.
    headers.extend(keys::public_key_id(call.keys).map(|id| field("wechatpay-serial", &id)));
    let timeout = call.timeout;
    let url = url.to_string();
    outbound.call(Request { method, url, headers, body: body.into_bytes(), timeout, largest_answer }).await
}

/// No answer that says anything.
pub(super) enum Trouble {
    NotSent(String),
    Unknown(String),
}

impl Trouble {
    pub fn text(self) -> String {
        match self {
            Self::NotSent(text) | Self::Unknown(text) => text,
        }
    }
}

/// One call whose answer was checked: its status and object (null where there is no body).
pub(super) async fn exchange(
    gateway: &WechatPay,
    call: &Call<'_>,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> Result<(u16, Value), Trouble> {
    let answer = send(&gateway.outbound, call, method, path, body.as_ref()).await.map_err(|e| match e {
        CallError::NotSent(text) => Trouble::NotSent(text),
        CallError::Unknown(text) => Trouble::Unknown(text),
    })?;
    check(gateway, call, &answer).await.map_err(|reason| {
        Trouble::Unknown(format!("answer with status {} is not to be trusted: {reason}", answer.status))
    })?;
    if answer.body.is_empty() {
        return Ok((answer.status, Value::Null));
    }
    let value = json::parse(&answer.body)
        .map_err(|_| Trouble::Unknown(format!("the answer with status {} is no JSON", answer.status)))?;
    Ok((answer.status, value))
}

async fn check(gateway: &WechatPay, call: &Call<'_>, answer: &HttpAnswer) -> Result<(), &'static str> {
    let signed = match Signed::of_answer(answer) {
        Some(signed) => signed.map_err(|refusal| refusal.reason)?,
        None if answer.succeeded() => return Err("not_signed"),
        None => return Ok(()),
    };
    signed.check_age(call.now_unix).map_err(|refusal| refusal.reason)?;
    let platform = match keys::configured(call.keys, signed.serial) {
        Some((_, platform)) => platform,
        None => {
            let pem = gateway.certificate(call, signed.serial).await.ok_or("serial_unknown")?;
            keys::fetched(&pem, signed.serial).ok_or("serial_unknown")?
        }
    };
    signed.check(&platform, &answer.body).map_err(|refusal| refusal.reason)
}

/// Whether a status is a "no" that would be repeated; 429 is too many calls.
pub(super) fn is_final_no(status: u16) -> bool {
    (400..500).contains(&status) && !matches!(status, 408 | 429)
}

/// `code` and `message` of an error.
pub(super) fn error_of(answer: &Value) -> (String, String) {
    let text = |key| json::text(answer, &[key]);
    let code = text("code").unwrap_or("unknown").chars().take(80).collect();
    (code, text("message").unwrap_or_default().chars().take(200).collect())
}
