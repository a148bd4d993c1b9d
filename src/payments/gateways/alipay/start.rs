//! Ways to pay. Only the QR code needs a call; pages and the app are opened by what we sign ourselves. Which one fits the
//! client: its app by `alipay.app`, a phone's browser by the wap page, a client that shows codes by the QR code, all
//! others by the web page. Each way is a product of its own that the merchant signs up for.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use super::{event, wire};
use crate::infra::outbound::Outbound;
use crate::payments::gateways::gateway::{Action, Call, NewPayment, StartFailure, Started};
use crate::payments::gateways::{beijing, form, json};

/// How long a QR code can be scanned.
const CODE_LIFE: TimeDelta = TimeDelta::hours(2);

enum Way {
    App,
    Code,
    Wap,
    Page,
}

pub(super) async fn start(
    outbound: &Outbound,
    call: &Call<'_>,
    payment: &NewPayment<'_>,
) -> Result<Started, StartFailure> {
    if payment.money.currency.as_str() != "CNY" || payment.money.minor <= 0 {
        let message = format!("{} is no amount Alipay can take", payment.money);
        return Err(StartFailure::Refused { code: "amount_inexpressible".into(), message });
    }
    match way(payment) {
        Way::Code => precreate(outbound, call, payment).await,
        Way::App => {
            let pairs = signed(call, payment, "alipay.trade.app.pay", "QUICK_MSECURITY_PAY", &[])?;
            let parameters = json!({ "orderString": form::encoded(wire::borrowed(&pairs)) });
            Ok(started(payment, Action::Sdk { name: "alipay.app".into(), parameters }))
        }
        Way::Wap => {
            let extra = [("quit_url", json!(payment.cancel_url))];
            let pairs = signed(call, payment, "alipay.trade.wap.pay", "QUICK_WAP_WAY", &extra)?;
            Ok(started(payment, page(call, payment, &pairs)))
        }
        Way::Page => {
            let pairs = signed(call, payment, "alipay.trade.page.pay", "FAST_INSTANT_TRADE_PAY", &[])?;
            Ok(started(payment, page(call, payment, &pairs)))
        }
    }
}

fn way(payment: &NewPayment<'_>) -> Way {
    let accepts = |kind: &str| payment.accepts.iter().any(|a| a == kind);
    let phone =
        matches!(payment.platform, Some("mobile_web" | "ios" | "android" | "wechat" | "mini_program"));
    let app = payment.sdks.iter().any(|sdk| sdk == "alipay.app");
    match () {
        () if app && (payment.accepts.is_empty() || accepts("sdk")) => Way::App,
        () if phone => Way::Wap,
        () if accepts("qr") => Way::Code,
        () => Way::Page,
    }
}

fn started(payment: &NewPayment<'_>, action: Action) -> Started {
    Started { gateway_reference: None, action, expires_at: Some(payment.expires_at) }
}

/// The same signed page as an address, or as a form for a client that can post one and nothing else.
fn page(call: &Call<'_>, payment: &NewPayment<'_>, pairs: &[(String, String)]) -> Action {
    let accepts = |kind: &str| payment.accepts.iter().any(|a| a == kind);
    if accepts("form") && !accepts("redirect") {
        let (url, fields) = wire::posted(call, pairs);
        return Action::Form { url, fields };
    }
    Action::Redirect { url: format!("{}?{}", wire::endpoint(call), form::encoded(wire::borrowed(pairs))) }
}

/// What every way says about the trade. `time_expire` is a moment and not a span, so that a repeat says the same.
fn trade(payment: &NewPayment<'_>, expires_at: DateTime<Utc>) -> Map<String, Value> {
    let mut trade = Map::new();
    trade.insert("out_trade_no".into(), json!(event::number_there(payment.number)));
    trade.insert("total_amount".into(), json!(payment.money.decimal()));
    trade.insert("subject".into(), json!(subject(payment)));
    trade.insert("time_expire".into(), json!(beijing::stamp(expires_at)));
    trade
}

/// Alipay wants no `/`, `=`, `&` in a subject, at most 256 characters; commas and quotes would break its statements.
fn subject(payment: &NewPayment<'_>) -> String {
    let clean = |c: char| if c.is_control() || "/=&,\"'<>\\%+".contains(c) { ' ' } else { c };
    let text: String = payment.title.chars().map(clean).take(128).collect();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() { payment.number.to_owned() } else { text }
}

fn signed(
    call: &Call<'_>,
    payment: &NewPayment<'_>,
    method: &str,
    product: &str,
    extra: &[(&str, Value)],
) -> Result<Vec<(String, String)>, StartFailure> {
    let mut trade = trade(payment, payment.expires_at);
    trade.insert("product_code".into(), json!(product));
    trade.extend(extra.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    let mut addresses = vec![("notify_url", payment.notify_url)];
    if method != "alipay.trade.app.pay" {
        addresses.push(("return_url", payment.return_url));
    }
    wire::signed(call, method, &addresses, &Value::Object(trade))
        .ok_or_else(|| StartFailure::NotSent("no private key to sign with".into()))
}

/// The trade itself comes to be only when the code is scanned; until then a query does not find it.
async fn precreate(
    outbound: &Outbound,
    call: &Call<'_>,
    payment: &NewPayment<'_>,
) -> Result<Started, StartFailure> {
    let expires_at = payment.expires_at.min(payment.started_at + CODE_LIFE);
    let trade = Value::Object(trade(payment, expires_at));
    let addresses = [("notify_url", payment.notify_url)];
    let answer = match wire::ask(outbound, call, "alipay.trade.precreate", &addresses, &trade).await {
        wire::Exchanged::Done(answer) => answer,
        wire::Exchanged::No { code, .. } if code == "ACQ.TRADE_HAS_SUCCESS" => {
            return Err(StartFailure::Unknown("the trade is paid there already: ask".into()));
        }
        wire::Exchanged::No { code, message } => return Err(StartFailure::Refused { code, message }),
        wire::Exchanged::NotSent(text) => return Err(StartFailure::NotSent(text)),
        wire::Exchanged::Unknown(text) => return Err(StartFailure::Unknown(text)),
    };
    let ours = json::text(&answer, &["out_trade_no"]) == Some(&event::number_there(payment.number));
    match json::text(&answer, &["qr_code"]).filter(|text| ours && !text.is_empty()) {
        Some(text) => Ok(Started {
            gateway_reference: None,
            action: Action::Qr { text: text.to_owned() },
            expires_at: Some(expires_at),
        }),
        None => Err(StartFailure::Unknown("the answer does not describe this payment".into())),
    }
}
