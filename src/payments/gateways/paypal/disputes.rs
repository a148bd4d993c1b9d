//! The disputes about a capture (developer.paypal.com, Disputes v1): the list has summaries, each has its outcome.

use serde_json::Value;

use super::api::{Sent, exchange};
use super::{PayPal, event};
use crate::payments::gateways::gateway::{Call, DisputesThere, GatewayState, PaymentRef};
use crate::payments::gateways::json;

const PATH: &str = "/v1/customer/disputes";

pub(super) async fn of_payment(paypal: &PayPal, call: &Call<'_>, payment: &PaymentRef<'_>) -> DisputesThere {
    match list(paypal, call, payment).await {
        Ok(states) => DisputesThere::Known(states),
        Err(why) => DisputesThere::Unknown(why),
    }
}

async fn list(
    paypal: &PayPal,
    call: &Call<'_>,
    payment: &PaymentRef<'_>,
) -> Result<Vec<GatewayState>, String> {
    let capture = payment.trade_no.filter(|id| event::is_id(id)).ok_or("the payment has no trade number")?;
    let answer = get(paypal, call, format!("{PATH}?disputed_transaction_id={capture}&page_size=50")).await?;
    let items = answer.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let merchant = call.keys.setting("merchant_id").unwrap_or_default();
    let mut states = Vec::new();
    for item in items {
        let id = json::text(item, &["dispute_id"]).filter(|id| event::is_id(id));
        let id = id.ok_or("a dispute has no number")?;
        let facts = event::dispute(&get(paypal, call, format!("{PATH}/{id}")).await?, merchant)?;
        if facts.trade_no.as_deref() == Some(capture) {
            states.push(GatewayState::new(&call.keys.id, facts));
        }
    }
    Ok(states)
}

async fn get(paypal: &PayPal, call: &Call<'_>, path: String) -> Result<Value, String> {
    match exchange(paypal, call, &Sent::get(path)).await {
        Ok((200, answer)) => Ok(answer),
        Ok((status, _)) => Err(format!("status {status}")),
        Err(error) => Err(error.to_string()),
    }
}
