//! Calls of the open platform: `POST {base}/gateway.do`, the common parameters in the query and `biz_content` in the body
//! as the official SDKs send them. Requests are signed over all parameters but `sign` (`sign_type` included, unlike in
//! notices). An answer is `{"<method>_response":{…},"sign":"…"}`, signed over the raw text of the inner object.

use chrono::DateTime;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::infra::outbound::{CallError, Method, Outbound, Request};
use crate::payments::gateways::gateway::Call;
use crate::payments::gateways::rsa::{PrivateKey, PublicKey};
use crate::payments::gateways::{beijing, form, json};

const HOST: &str = "https://openapi.alipay.com";
const LARGEST_ANSWER: usize = 1024 * 1024;

type Pair = (String, String);

/// All parameters of a call, its signature last. None without a usable private key.
pub(super) fn signed(
    call: &Call<'_>,
    method: &str,
    addresses: &[(&str, &str)],
    biz_content: &Value,
) -> Option<Vec<Pair>> {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let at = DateTime::from_timestamp(call.now_unix, 0)?;
    let mut pairs = vec![
        pair("app_id", call.keys.setting("app_id")?),
        pair("method", method),
        pair("format", "JSON"),
        pair("charset", "utf-8"),
        pair("sign_type", "RSA2"),
        pair("timestamp", &beijing::stamp(at)),
        pair("version", "1.0"),
        pair("biz_content", &biz_content.to_string()),
    ];
    let certificates = ["app_cert_sn", "alipay_root_cert_sn"];
    pairs.extend(certificates.iter().filter_map(|name| Some(pair(name, call.keys.setting(name)?))));
    pairs.extend(addresses.iter().map(|(name, value)| pair(name, value)));
    let key = PrivateKey::parse(call.keys.api_key.as_ref()?)?;
    let signature = key.sign(form::sorted(borrowed(&pairs), |_, value| !value.is_empty()).as_bytes())?;
    pairs.push(("sign".to_owned(), signature));
    Some(pairs)
}

pub(super) fn borrowed(pairs: &[Pair]) -> impl Iterator<Item = (&str, &str)> {
    pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}

/// The address that takes calls and pages alike.
pub(super) fn endpoint(call: &Call<'_>) -> String {
    format!("{}/gateway.do", call.keys.api_url.as_deref().unwrap_or(HOST))
}

/// The address with everything but `biz_content`, and that as the field of a form: how pages and calls are posted.
pub(super) fn posted(call: &Call<'_>, pairs: &[Pair]) -> (String, Vec<Pair>) {
    let (fields, common): (Vec<Pair>, Vec<Pair>) =
        pairs.iter().cloned().partition(|(name, _)| name == "biz_content");
    (format!("{}?{}", endpoint(call), form::encoded(borrowed(&common))), fields)
}

/// What Alipay answered, once its signature was checked.
pub(super) enum Exchanged {
    /// Code 10000.
    Done(Value),
    /// The business says no; the code is `sub_code` where there is one.
    No {
        code: String,
        message: String,
    },
    NotSent(String),
    /// No answer, an answer of somebody else, or one that says that nobody knows (code 20000).
    Unknown(String),
}

/// One signed call.
pub(super) async fn ask(
    outbound: &Outbound,
    call: &Call<'_>,
    method: &str,
    addresses: &[(&str, &str)],
    biz_content: &Value,
) -> Exchanged {
    let Some(pairs) = signed(call, method, addresses, biz_content) else {
        return Exchanged::NotSent("no private key to sign with".into());
    };
    let (url, fields) = posted(call, &pairs);
    let request = Request {
        method: Method::Post,
        url,
        headers: vec![(
            "content-type".to_owned(),
            "application/x-www-form-urlencoded; charset=utf-8".to_owned(),
        )],
        body: form::encoded(borrowed(&fields)).into_bytes(),
        timeout: call.timeout,
        largest_answer: LARGEST_ANSWER,
    };
    match outbound.call(request).await {
        Ok(answer) if answer.status == 200 => match verified(call, method, &answer.body) {
            Ok(value) => meaning(value),
            Err(text) => Exchanged::Unknown(text),
        },
        Ok(answer) => Exchanged::Unknown(format!("status {}", answer.status)),
        Err(CallError::NotSent(text)) => Exchanged::NotSent(text),
        Err(CallError::Unknown(text)) => Exchanged::Unknown(text),
    }
}

/// The inner object, believed only when one of Alipay's keys signed its very bytes.
fn verified(call: &Call<'_>, method: &str, body: &[u8]) -> Result<Value, String> {
    let outer: Outer = serde_json::from_slice(body).map_err(|_| "the answer is no JSON object".to_owned())?;
    let name = format!("{}_response", method.replace('.', "_"));
    let inner =
        outer.find(&name)?.or(outer.find("error_response")?).ok_or("the answer is about another call")?;
    let text = inner.get();
    let value = json::parse(text.as_bytes()).map_err(|_| "the answer has a repeated name".to_owned())?;
    let sign: Option<String> = outer.find("sign")?.and_then(|sign| serde_json::from_str(sign.get()).ok());
    let said = || no(&value).0;
    let sign = sign.ok_or_else(|| format!("the answer is not signed; it says `{}`", said()))?;
    let keys = call.keys.secrets.iter().filter_map(|secret| PublicKey::parse(secret.expose()));
    let genuine = keys.into_iter().any(|key| key.verifies(text.as_bytes(), &sign));
    genuine.then_some(()).ok_or_else(|| format!("the answer is not Alipay's; it says `{}`", said()))?;
    Ok(value)
}

/// Common codes from the open platform's documentation: 10000 done, 20000 the service is unavailable (ask again), 40004
/// the business says no, 40005 too many calls, other 4xxxx and 20001 the call itself is wrong.
fn meaning(value: Value) -> Exchanged {
    let code = json::text(&value, &["code"]).unwrap_or_default();
    let sub_code = json::text(&value, &["sub_code"]).unwrap_or_default();
    match code {
        "10000" => Exchanged::Done(value),
        "40001" | "40002" | "40003" | "40006" | "20001" => {
            let (code, message) = no(&value);
            Exchanged::No { code, message }
        }
        "40004" if !sub_code.to_ascii_uppercase().contains("SYSTEM_ERROR") => {
            let (code, message) = no(&value);
            Exchanged::No { code, message }
        }
        _ => Exchanged::Unknown(format!("Alipay answered with code {code} ({sub_code})")),
    }
}

/// `sub_code`, else `code`; and the message.
fn no(value: &Value) -> (String, String) {
    let text = |key| json::text(value, &[key]);
    let code = text("sub_code").or(text("code")).unwrap_or("unknown");
    let message = text("sub_msg").or(text("msg")).unwrap_or_default();
    (code.chars().take(80).collect(), message.chars().take(200).collect())
}

/// The outer object with its values as they are in the text.
struct Outer<'a>(Vec<(String, &'a RawValue)>);

impl<'a> Outer<'a> {
    fn find(&self, name: &str) -> Result<Option<&'a RawValue>, String> {
        let mut found = self.0.iter().filter(|(n, _)| n == name);
        match (found.next(), found.next()) {
            (_, Some(_)) => Err("the answer has a repeated name".into()),
            (first, None) => Ok(first.map(|(_, value)| *value)),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Outer<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OuterVisitor)
    }
}

struct OuterVisitor;

impl<'de> Visitor<'de> for OuterVisitor {
    type Value = Outer<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry::<String, &'de RawValue>()? {
            pairs.push(pair);
        }
        Ok(Outer(pairs))
    }
}
