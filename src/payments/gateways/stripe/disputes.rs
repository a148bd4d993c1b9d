//! The disputes about a payment intent (docs.stripe.com/api/disputes/list).

use serde_json::Value;

use super::api::{error_of, exchange};
use super::event;
use crate::infra::outbound::Outbound;
use crate::payments::gateways::gateway::{Call, DisputesThere, GatewayState, PaymentRef};

pub(super) async fn of_payment(
    outbound: &Outbound,
    call: &Call<'_>,
    payment: &PaymentRef<'_>,
) -> DisputesThere {
    let Some(intent) = payment.trade_no.filter(|id| event::is_id(id)) else {
        return DisputesThere::Unknown("the payment has no trade number".into());
    };
    let path = format!("/v1/disputes?payment_intent={intent}&limit=100");
    let answer = match exchange(outbound, call, &path, None).await {
        Ok((200, answer)) => answer,
        Ok((404, answer)) if error_of(&answer).0 == "resource_missing" => {
            return DisputesThere::Known(Vec::new());
        }
        Ok((status, _)) => return DisputesThere::Unknown(format!("status {status}")),
        Err(error) => return DisputesThere::Unknown(error.to_string()),
    };
    let Some(list) = answer.get("data").and_then(Value::as_array) else {
        return DisputesThere::Unknown("the answer is no list".into());
    };
    let of_it = list.iter().filter(|d| event::named(d, "payment_intent").as_deref() == Some(intent));
    let states = of_it.map(|d| Ok(GatewayState::new(&call.keys.id, event::dispute_now(d)?)));
    match states.collect::<Result<_, &'static str>>() {
        Ok(states) => DisputesThere::Known(states),
        Err(word) => DisputesThere::Unknown(word.to_owned()),
    }
}
