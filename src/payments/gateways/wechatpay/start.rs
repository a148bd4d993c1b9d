//! Ways to pay: `native` gives a QR code, `h5` a page for phone browsers outside WeChat, `jsapi` parameters for an
//! official account's page or a mini program, `app` those for the merchant's app. Inside WeChat only `jsapi` pays, and it
//! must know the buyer's openid; `h5` must know the buyer's address.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{WechatPay, wire};
use crate::infra::outbound::Method;
use crate::payments::gateways::gateway::{Action, Call, NewPayment, StartFailure, Started};
use crate::payments::gateways::{beijing, form, json};

/// How long a code or a prepared payment can be used.
const PREPARED_LIFE: TimeDelta = TimeDelta::hours(2);
/// How long the address of a phone page can be opened.
const PAGE_LIFE: TimeDelta = TimeDelta::minutes(5);
/// Bytes of a description that are taken.
const DESCRIPTION: usize = 127;

enum Way<'a> {
    Native,
    Jsapi { openid: &'a str },
    App,
    H5 { client: &'a str },
}

pub(super) async fn start(
    gateway: &WechatPay,
    call: &Call<'_>,
    payment: &NewPayment<'_>,
) -> Result<Started, StartFailure> {
    if payment.money.currency.as_str() != "CNY" || payment.money.minor <= 0 {
        let message = format!("{} is no amount WeChat Pay can take", payment.money);
        return Err(StartFailure::Refused { code: "amount_inexpressible".into(), message });
    }
    let way = way(payment)?;
    let expires_at = payment.expires_at.min(payment.started_at + PREPARED_LIFE);
    let path = match way {
        Way::Native => "/v3/pay/transactions/native",
        Way::Jsapi { .. } => "/v3/pay/transactions/jsapi",
        Way::App => "/v3/pay/transactions/app",
        Way::H5 { .. } => "/v3/pay/transactions/h5",
    };
    let order = order(call, payment, &way, expires_at);
    let (status, answer) = match wire::exchange(gateway, call, Method::Post, path, Some(order)).await {
        Ok(answered) => answered,
        Err(wire::Trouble::NotSent(text)) => return Err(StartFailure::NotSent(text)),
        Err(wire::Trouble::Unknown(text)) => return Err(StartFailure::Unknown(text)),
    };
    match status {
        200 => {}
        status if wire::is_final_no(status) => {
            let (code, message) = wire::error_of(&answer);
            if matches!(code.as_str(), "ORDERPAID" | "ORDER_PAID") {
                return Err(StartFailure::Unknown("the order is paid there already: ask".into()));
            }
            return Err(StartFailure::Refused { code, message });
        }
        status => return Err(StartFailure::Unknown(format!("status {status}"))),
    }
    let action = action(call, payment, &way, &answer)
        .ok_or_else(|| StartFailure::Unknown("the answer has nothing to pay with".into()))?;
    let expires_at = match way {
        Way::H5 { .. } => expires_at.min(payment.started_at + PAGE_LIFE),
        _ => expires_at,
    };
    Ok(Started { gateway_reference: None, action, expires_at: Some(expires_at) })
}

fn way<'a>(payment: &NewPayment<'a>) -> Result<Way<'a>, StartFailure> {
    let has = |list: &[String], word: &str| list.iter().any(|w| w == word);
    let sdk = payment.accepts.is_empty() || has(payment.accepts, "sdk");
    let (jsapi, app) = (has(payment.sdks, "wechat.jsapi"), has(payment.sdks, "wechat.app"));
    let inside = matches!(payment.platform, Some("wechat" | "mini_program"));
    let phone = matches!(payment.platform, Some("mobile_web" | "ios" | "android"));
    if sdk && jsapi && (inside || !app) {
        let openid = payment.payer.filter(|payer| !payer.is_empty());
        return openid.map(|openid| Way::Jsapi { openid }).ok_or(StartFailure::PayerNeeded);
    }
    Ok(match payment.client_address {
        _ if sdk && app && !inside => Way::App,
        Some(client) if phone => Way::H5 { client },
        _ => Way::Native,
    })
}

fn order(call: &Call<'_>, payment: &NewPayment<'_>, way: &Way<'_>, expires_at: DateTime<Utc>) -> Value {
    let mut order = json!({
        "appid": call.keys.setting("appid"),
        "mchid": call.keys.setting("mchid"),
        "description": description(payment),
        "out_trade_no": payment.number,
        "time_expire": beijing::rfc3339(expires_at),
        "notify_url": payment.notify_url,
        "amount": { "total": payment.money.minor, "currency": "CNY" },
    });
    match way {
        Way::Native | Way::App => {}
        Way::Jsapi { openid } => order["payer"] = json!({ "openid": openid }),
        Way::H5 { client } => {
            let mut page = json!({ "type": "Wap" });
            if let Some(host) = call.keys.setting("h5_domain") {
                page["app_url"] = json!(format!("https://{host}"));
            }
            order["scene_info"] = json!({ "payer_client_ip": client, "h5_info": page });
        }
    }
    order
}

fn description(payment: &NewPayment<'_>) -> String {
    let mut text = String::new();
    for letter in payment.title.chars().filter(|c| !c.is_control()) {
        if text.len() + letter.len_utf8() > DESCRIPTION {
            break;
        }
        text.push(letter);
    }
    if text.trim().is_empty() { payment.number.to_owned() } else { text }
}

fn action(call: &Call<'_>, payment: &NewPayment<'_>, way: &Way<'_>, answer: &Value) -> Option<Action> {
    let text = |key| json::text(answer, &[key]).filter(|text| !text.is_empty());
    match way {
        Way::Native => Some(Action::Qr { text: text("code_url")?.to_owned() }),
        Way::H5 { .. } => {
            let url =
                text("h5_url").filter(|url| url.starts_with("https://") || url.starts_with("http://"))?;
            let back = form::encoded([("redirect_url", payment.return_url)]);
            let joint = if url.contains('?') { '&' } else { '?' };
            Some(Action::Redirect { url: format!("{url}{joint}{back}") })
        }
        Way::Jsapi { .. } => jsapi(call, text("prepay_id")?),
        Way::App => app(call, text("prepay_id")?),
    }
}

/// Parameters of `WeixinJSBridge.invoke('getBrandWCPayRequest')` and `wx.requestPayment`.
fn jsapi(call: &Call<'_>, prepay_id: &str) -> Option<Action> {
    let appid = call.keys.setting("appid")?;
    let (nonce, at, package) = (wire::nonce(), call.now_unix.to_string(), format!("prepay_id={prepay_id}"));
    let signature = wire::sign(call, &[appid, &at, &nonce, &package])?;
    let parameters = json!({
        "appId": appid, "timeStamp": at, "nonceStr": nonce, "package": package,
        "signType": "RSA", "paySign": signature,
    });
    Some(Action::Sdk { name: "wechat.jsapi".into(), parameters })
}

/// Parameters of the open SDK's `PayReq`.
fn app(call: &Call<'_>, prepay_id: &str) -> Option<Action> {
    let appid = call.keys.setting("appid")?;
    let (nonce, at) = (wire::nonce(), call.now_unix.to_string());
    let signature = wire::sign(call, &[appid, &at, &nonce, prepay_id])?;
    let parameters = json!({
        "appid": appid, "partnerid": call.keys.setting("mchid")?, "prepayid": prepay_id,
        "package": "Sign=WXPay", "noncestr": nonce, "timestamp": at, "sign": signature,
    });
    Some(Action::Sdk { name: "wechat.app".into(), parameters })
}
