//! Buyers, sellers, and what goes wrong outside of the shop meanwhile.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use dispense::base::clock::random;
use dispense::base::ids::OrderId;
use serde_json::{Value, json};

use super::world::{Goods, World};
use crate::harness::Trouble;
use crate::payments::stories::chance::Chance;
use crate::payments::stories::shop::Bought;
use crate::payments::storm::buyers::action;
use crate::payments::street::{GATEWAYS, currency};

const PLACE: &str = "mutation($in: OrderPlaceInput!) { orderPlace(input: $in) {
    order { id number } accessToken userErrors { code } } }";
const START: &str = "mutation($in: PaymentStartInput!) { paymentStart(input: $in) { payment { action {
    ... on RedirectAction { url } ... on QrCodeAction { qrText } ... on FormAction { url fields { key value } } } }
    userErrors { code message } } }";

/// What was bought, and of what.
pub struct Purchase {
    pub bought: Bought,
    pub goods: Goods,
}

const PATIENCE: Duration = Duration::from_secs(90);

/// Orders that are placed and paid, one after the other, until it is over.
pub async fn buy(world: Arc<World>, seed: u64, buyer: u64) -> Vec<Purchase> {
    let mut chance = Chance::of(seed.wrapping_add(buyer << 32));
    let mut bought = Vec::new();
    for n in 0.. {
        if world.is_over() {
            break;
        }
        let gateway = *chance.pick(&GATEWAYS);
        let of: Vec<Goods> =
            world.goods.iter().filter(|goods| goods.currency == currency(gateway)).copied().collect();
        let goods = *chance.pick(&of);
        let units = i32::try_from(chance.below(3)).unwrap() + 1;
        let lost = chance.percent(20);
        if let Some(one) =
            order(&world, (gateway, goods, units), &format!("kills-{seed}-{buyer}-{n:04}"), lost).await
        {
            bought.push(one);
        }
    }
    bought
}

/// An order that was paid at its gateway; none when the time was over before there were keys for it. `lost`: its notice is
/// never sent, and the shop has to ask.
async fn order(
    world: &World,
    (gateway, goods, units): (&'static str, Goods, i32),
    key: &str,
    lost: bool,
) -> Option<Purchase> {
    let wish = json!({
        "idempotencyKey": format!("{key}-place"), "currency": goods.currency, "email": format!("{key}@buyer.example"),
        "expectedTotal": format!("{}.00", 19 * units),
        "lines": [{ "key": "1", "variantId": goods.variant.to_string(), "quantity": units }],
    });
    let deadline = Instant::now() + PATIENCE;
    let placed = loop {
        let placed = world.insist(PLACE, json!({ "in": wish }), || None).await["orderPlace"].clone();
        let refused = placed["userErrors"][0]["code"].as_str().unwrap_or_default();
        if !["OUT_OF_STOCK", "NOT_ENOUGH_STOCK"].contains(&refused) {
            break placed;
        }
        if world.is_over() {
            return None;
        }
        assert!(Instant::now() < deadline, "{goods:?}: there is never anything: {placed}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{placed}")).to_owned();
    let (id, number) = (text(&placed["order"]["id"]), text(&placed["order"]["number"]));
    let token = text(&placed["accessToken"]);
    world.shop.street.t.canary(&token);
    let wish = json!({
        "idempotencyKey": format!("{key}-start"), "orderId": id, "accessToken": token,
        "options": { "methodId": format!("mth_{gateway}"), "accepts": ["REDIRECT", "FORM", "QR_CODE"], "platform": "DESKTOP" },
    });
    let deadline = Instant::now() + PATIENCE;
    let payment = loop {
        let started = world.insist(START, json!({ "in": wish }), || None).await["paymentStart"].clone();
        if let Some(action) = action(&started["payment"]["action"]) {
            let _ = world.shop.street.try_follow(action).await;
        }
        if let Some(payment) = world.shop.there_by(&number) {
            break payment;
        }
        assert!(Instant::now() < deadline, "{gateway} has never heard of {number}: {started}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let act = if lost { "lose-notice" } else { "pay" };
    world
        .shop
        .street
        .simulator
        .act(&payment, act, json!({}))
        .unwrap_or_else(|said| panic!("{gateway}: {said}"));
    let id = OrderId::parse(&id).unwrap();
    Some(Purchase { bought: Bought { id, number, token, gateway, payment, units }, goods })
}

const CREATE: &str = "mutation($in: KeyImportCreateInput!) { keyImportCreate(input: $in) {
    batch { id } uploadUrl userErrors { code } } }";
const COMMIT: &str =
    "mutation($id: ID!) { keyImportCommit(input: { importId: $id }) { userErrors { code } } }";

/// Files of keys, small ones and such of several chunks; every third is looked at first and committed then.
pub async fn bring(world: Arc<World>, seed: u64, seller: u64) {
    let mut chance = Chance::of(seed ^ (0x5e11 + seller));
    let keys: Vec<Goods> = world.goods.iter().filter(|goods| !goods.from_supplier).copied().collect();
    while !world.is_over() {
        let goods = *chance.pick(&keys);
        let key = |_| format!("CANARY-KEY-{}", hex::encode_upper(random::<12>()));
        let lines = if chance.percent(30) { 1_200 + chance.below(1_500) } else { 4 + chance.below(20) };
        let texts: Vec<String> = (0..lines).map(key).collect();
        import(&world, goods, texts, chance.percent(33)).await;
        world.counts.imports.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(100 + chance.below(400) as u64)).await;
    }
}

async fn import(world: &World, goods: Goods, texts: Vec<String>, preview: bool) {
    let staff = || Some(world.shop.staff_token());
    let input = json!({ "variantId": goods.variant.to_string(), "preview": preview });
    let opened = world.insist(CREATE, json!({ "in": input }), staff).await["keyImportCreate"].clone();
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{opened}")).to_owned();
    let (batch, url) = (text(&opened["batch"]["id"]), text(&opened["uploadUrl"]));
    let deadline = Instant::now() + PATIENCE;
    loop {
        let request = world.shop.street.t.http().post(&url).header("content-type", "text/plain");
        let request = request.header("authorization", format!("Bearer {}", world.shop.staff_token()));
        let answer = match request.body(texts.join("\n")).send().await {
            Ok(answer) => (answer.status().as_u16(), answer.text().await.unwrap_or_default()),
            Err(error) => (0, error.to_string()),
        };
        let code = serde_json::from_str::<Value>(&answer.1).map(|body| body["code"].clone());
        // The answer to the first of two was lost.
        if answer.0 == 200 || code.is_ok_and(|code| code == "IMPORT_ALREADY_COMMITTED") {
            break;
        }
        assert!(answer.0 == 0 || answer.0 >= 500 || answer.0 == 409, "an import was refused: {answer:?}");
        assert!(Instant::now() < deadline, "an import was never taken: {answer:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    if preview {
        let done = world.insist(COMMIT, json!({ "id": batch }), staff).await["keyImportCommit"].clone();
        let code = done["userErrors"][0]["code"].as_str();
        assert!(code.is_none_or(|code| code == "IMPORT_ALREADY_COMMITTED"), "{done}");
    }
    world.brought.lock().unwrap().insert(batch, texts);
}

/// The supplier, the mail server and the receiver misbehave for moments.
pub async fn vex(world: Arc<World>, seed: u64) {
    use crate::hooks::receiver::Manner;
    const SUPPLIER: [&str; 7] =
        ["lose_answer", "lose_request", "spoil", "bad_json", "pending", "busy", "none"];
    let mut chance = Chance::of(seed ^ 0x0bad);
    let simulator = &world.shop.street.simulator;
    while !world.is_over() {
        simulator.set_supplier_trouble(json!({ "next": [chance.pick(&SUPPLIER)] })).unwrap();
        let trouble = match chance.below(4) {
            0 => Trouble::CutAfterDot,
            1 => Trouble::Say("RCPT", "451 later"),
            2 => Trouble::Cut("DATA"),
            _ => Trouble::Say(".", "452 full"),
        };
        if world.smtp.waiting() == 0 {
            world.smtp.next(trouble);
        }
        let path = super::world::ENDPOINTS[chance.below(2)].0;
        world
            .receiver
            .answers(path, if chance.percent(30) { Manner::Status(503) } else { Manner::Status(200) });
        world.counts.troubles.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(200 + chance.below(600) as u64)).await;
    }
    simulator.set_supplier_trouble(json!({ "next": [] })).unwrap();
    world.smtp.be_well();
    for (path, _) in super::world::ENDPOINTS {
        world.receiver.answers(path, Manner::Status(200));
    }
}
