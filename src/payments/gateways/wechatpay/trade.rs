//! The state of a payment: query and close, both by our number.

use serde_json::{Value, json};

use super::{WechatPay, event, wire};
use crate::infra::outbound::Method;
use crate::payments::gateways::form;
use crate::payments::gateways::gateway::{Call, Closing, GatewayState, Meaning, PaymentRef, Queried};

fn path(payment: &PaymentRef<'_>) -> String {
    format!("/v3/pay/transactions/out-trade-no/{}", form::escaped(payment.number))
}

fn is_unknown(status: u16, answer: &Value) -> bool {
    status == 404 && matches!(wire::error_of(answer).0.as_str(), "ORDER_NOT_EXIST" | "ORDERNOTEXIST")
}

pub(super) async fn query(gateway: &WechatPay, call: &Call<'_>, payment: &PaymentRef<'_>) -> Queried {
    let mchid = call.keys.setting("mchid").unwrap_or_default();
    let path = format!("{}?{}", path(payment), form::encoded([("mchid", mchid)]));
    match wire::exchange(gateway, call, Method::Get, &path, None).await {
        Ok((200, answer)) => match state(call, payment, &answer) {
            Ok(state) => Queried::Known(state),
            Err(text) => Queried::Unknown(text.to_owned()),
        },
        Ok((status, answer)) if is_unknown(status, &answer) => Queried::NotFound,
        Ok((status, answer)) => Queried::Unknown(format!("status {status}: {}", wire::error_of(&answer).0)),
        Err(trouble) => Queried::Unknown(trouble.text()),
    }
}

fn state(call: &Call<'_>, payment: &PaymentRef<'_>, answer: &Value) -> Result<GatewayState, &'static str> {
    let facts = event::transaction(answer)?;
    if facts.number.as_deref() != Some(payment.number) {
        return Err("the answer is about another payment");
    }
    // The sum that went back is not given. Beside a capture that is known this changes nothing; without one it could be
    // the whole, and goods would be delivered for nothing.
    if facts.meaning == Meaning::PartiallyRefunded && payment.trade_no.is_none() {
        return Err("paid and refunded there, nobody says how much: see the statement");
    }
    Ok(GatewayState::new(&call.keys.id, facts))
}

pub(super) async fn close(gateway: &WechatPay, call: &Call<'_>, payment: &PaymentRef<'_>) -> Closing {
    let path = format!("{}/close", path(payment));
    let body = json!({ "mchid": call.keys.setting("mchid") });
    match wire::exchange(gateway, call, Method::Post, &path, Some(body)).await {
        Ok((204 | 200, _)) => Closing::Closed,
        Ok((status, answer)) if is_unknown(status, &answer) => Closing::NothingToClose,
        // Not open: see what it is.
        Ok((status, _)) if wire::is_final_no(status) => match query(gateway, call, payment).await {
            Queried::Known(state) => match state.meaning {
                Meaning::Closed => Closing::Closed,
                Meaning::Paid | Meaning::PartiallyRefunded => Closing::AlreadyPaid(state),
                _ => Closing::Unknown("the payment is open and WeChat Pay does not close it".into()),
            },
            Queried::NotFound => Closing::NothingToClose,
            Queried::Unknown(text) => Closing::Unknown(text),
            Queried::Unsupported => Closing::Unsupported,
        },
        Ok((status, _)) => Closing::Unknown(format!("status {status}")),
        Err(trouble) => Closing::Unknown(trouble.text()),
    }
}
