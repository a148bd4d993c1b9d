//! The seller, who brings keys all the time: lines that wait are filled while money goes back.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use dispense::base::clock::random;
use serde_json::{Value, json};

use super::world::World;
use crate::payments::stories::chance::Chance;

const CREATE: &str = "mutation($in: KeyImportCreateInput!) { keyImportCreate(input: $in) {
    uploadUrl userErrors { code } } }";

pub async fn fill(world: Arc<World>, seed: u64) {
    let mut chance = Chance::of(seed ^ 0x5e11);
    while !world.is_over() {
        let variant = chance.pick(&world.variants).1;
        let key = |_| format!("CANARY-KEY-{}", hex::encode_upper(random::<12>()));
        let texts: Vec<String> = (0..4 + chance.below(20)).map(key).collect();
        import(&world, &json!({ "variantId": variant.to_string() }), &texts).await;
        world.counts.imported.fetch_add(texts.len(), Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(200 + chance.below(900) as u64)).await;
    }
}

/// Sends a file until it was taken whole.
async fn import(world: &World, batch: &Value, texts: &[String]) {
    let staff = || world.shop.staff_token();
    let opened =
        world.insist(CREATE, json!({ "in": batch }), || Some(staff())).await["keyImportCreate"].clone();
    let url = opened["uploadUrl"].as_str().unwrap_or_else(|| panic!("{opened}")).to_owned();
    let deadline = Instant::now() + Duration::from_secs(90);
    loop {
        let request = world.shop.street.t.http().post(&url).header("content-type", "text/plain");
        let request = request.header("authorization", format!("Bearer {}", staff())).body(texts.join("\n"));
        let answer = match request.send().await {
            Ok(answer) => (answer.status().as_u16(), answer.text().await.unwrap_or_default()),
            Err(error) => (0, error.to_string()),
        };
        let code = serde_json::from_str::<Value>(&answer.1).map(|body| body["code"].clone());
        // The answer to the first of two was lost.
        if answer.0 == 200 || code.is_ok_and(|code| code == "IMPORT_ALREADY_COMMITTED") {
            return;
        }
        assert!(answer.0 == 0 || answer.0 >= 500 || answer.0 == 409, "an import was refused: {answer:?}");
        assert!(Instant::now() < deadline, "an import was never taken: {answer:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
