//! Buyers, and the staff that give their money back: each plays a story of one to three orders, then another.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use dispense::base::ids::OrderId;
use dispense::payments::gateways::gateway::Action;
use serde_json::{Value, json};

use super::world::World;
use crate::payments::stories::chance::Chance;
use crate::payments::stories::shop::{Bought, ORDER, REFUND, REVEAL, refund_wish};
use crate::payments::street::{GATEWAYS, currency};

const PLACE: &str = "mutation($in: OrderPlaceInput!) { orderPlace(input: $in) {
    order { id number } accessToken userErrors { code } } }";
const START: &str = "mutation($in: PaymentStartInput!) { paymentStart(input: $in) { payment { action {
    ... on RedirectAction { url } ... on QrCodeAction { qrText } ... on FormAction { url fields { key value } } } }
    userErrors { code message } } }";
const RESEND: &str =
    "mutation($in: DeliveryResendInput!) { deliveryResend(input: $in) { userErrors { code } } }";

/// Stories until the storm is over; what was bought in them.
pub async fn buy(world: Arc<World>, seed: u64) -> Vec<Bought> {
    let mut bought = Vec::new();
    let mut reported = 0;
    while !world.is_over() {
        reported += 1;
        bought.extend(story(&world, seed.wrapping_add(reported)).await);
    }
    bought
}

async fn story(world: &World, seed: u64) -> Vec<Bought> {
    let mut chance = Chance::of(seed);
    let simulator = &world.shop.street.simulator;
    let mut bought = Vec::new();
    for n in 0..=chance.below(3) {
        let gateway = *chance.pick(&GATEWAYS);
        let units = i32::try_from(chance.below(3)).unwrap() + 1;
        bought.extend(order(world, gateway, units, &format!("storm-{seed}-{n:04}")).await);
    }
    if bought.is_empty() {
        return bought;
    }
    let ids: Vec<&str> = bought.iter().map(|b| b.payment.as_str()).collect();
    let story = simulator.begin_story(seed, &ids, 4 + u64::try_from(chance.below(14)).unwrap()).unwrap();
    let mut asked = 0;
    while simulator.next_step(story).unwrap()["over"] != true {
        if chance.percent(30) {
            asked += 1;
            act(
                world,
                chance.pick(&bought),
                &format!("storm-{seed}-act-{asked:04}"),
                &mut Chance::of(seed + asked),
            )
            .await;
        }
        // Gateways give times in whole seconds: what happens to one payment within one has no order.
        tokio::time::sleep(Duration::from_millis(1_000 + chance.below(200) as u64)).await;
    }
    bought
}

/// An order whose payment has been started at its gateway; none when the storm is over before there were keys for it.
async fn order(world: &World, gateway: &'static str, units: i32, key: &str) -> Option<Bought> {
    let money = currency(gateway);
    let variant = world.variants.iter().find(|(of, _)| *of == money).unwrap().1;
    let wish = json!({
        "idempotencyKey": format!("{key}-place"), "currency": money, "email": format!("{key}@buyer.example"),
        "expectedTotal": format!("{}.00", 19 * units),
        "lines": [{ "key": "1", "variantId": variant.to_string(), "quantity": units }],
    });
    let deadline = Instant::now() + Duration::from_secs(90);
    let placed = loop {
        let placed = world.insist(PLACE, json!({ "in": wish }), || None).await["orderPlace"].clone();
        let refused = placed["userErrors"][0]["code"].as_str().unwrap_or_default();
        if !["OUT_OF_STOCK", "NOT_ENOUGH_STOCK"].contains(&refused) {
            break placed;
        }
        if world.is_over() {
            return None;
        }
        assert!(Instant::now() < deadline, "{money}: no keys come in");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let said = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{placed}")).to_owned();
    let (id, number) = (said(&placed["order"]["id"]), said(&placed["order"]["number"]));
    let token = said(&placed["accessToken"]);
    world.shop.street.t.canary(&token);
    let wish = json!({
        "idempotencyKey": format!("{key}-start"), "orderId": id, "accessToken": token,
        "options": { "methodId": format!("mth_{gateway}"), "accepts": ["REDIRECT", "FORM", "QR_CODE"], "platform": "DESKTOP" },
    });
    let deadline = Instant::now() + Duration::from_secs(90);
    let payment = loop {
        let started = world.insist(START, json!({ "in": wish }), || None).await["paymentStart"].clone();
        if let Some(action) = action(&started["payment"]["action"]) {
            // Where the gateway is in trouble, the buyer comes again.
            let _ = world.shop.street.try_follow(action).await;
        }
        if let Some(payment) = world.shop.there_by(&number) {
            break payment;
        }
        assert!(Instant::now() < deadline, "{gateway} has never heard of {number}: {started}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    Some(Bought { id: OrderId::parse(&id).unwrap(), number, token, gateway, payment, units })
}

/// What the buyer has to do, as the client reads it.
pub fn action(said: &Value) -> Option<Action> {
    let text = |name: &str| said[name].as_str().map(str::to_owned);
    if let Some(text) = text("qrText") {
        return Some(Action::Qr { text });
    }
    let url = text("url")?;
    let Some(fields) = said["fields"].as_array() else { return Some(Action::Redirect { url }) };
    let pair = |field: &Value| Some((field["key"].as_str()?.to_owned(), field["value"].as_str()?.to_owned()));
    Some(Action::Form { url, fields: fields.iter().filter_map(pair).collect() })
}

/// Something that a buyer or the staff do of their own.
async fn act(world: &World, bought: &Bought, key: &str, chance: &mut Chance) {
    let ours = json!({ "n": bought.number, "t": bought.token });
    let page = world.insist(ORDER, ours, || None).await["order"].clone();
    match chance.below(5) {
        0 | 1 => {
            let wish = json!({ "in": refund_wish(&page, key.to_owned(), chance) });
            let staff = || Some(world.shop.staff_token());
            let asked = world.insist(REFUND, wish.clone(), staff).await;
            if asked["orderRefund"]["refund"].is_object() {
                world.counts.refunds.fetch_add(1, Ordering::Relaxed);
            }
            if chance.percent(50) {
                let again = world.insist(REFUND, wish, staff).await;
                let id = |answer: &Value| answer["orderRefund"]["refund"]["id"].clone();
                assert!(id(&asked).is_null() || id(&asked) == id(&again), "{asked} then {again}");
            }
        }
        2 => {
            let resend = json!({ "in": { "orderId": page["id"], "accessToken": bought.token } });
            world.insist(RESEND, resend, || None).await;
        }
        _ => {
            let line = json!({ "l": page["lines"][0]["id"], "t": bought.token });
            let shown = world.insist(REVEAL, line, || None).await["deliveryReveal"].clone();
            let mut known = world.shown.lock().unwrap();
            for secret in shown["secrets"].as_array().into_iter().flatten() {
                let key = secret["text"].as_str().unwrap().to_owned();
                known.entry(key).or_default().push(bought.number.clone());
            }
        }
    }
}
