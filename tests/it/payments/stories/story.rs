//! One story: a buyer or a few pay, money goes back in every way, and what is reported of it comes when it likes.

use std::panic::AssertUnwindSafe;
use std::sync::{Mutex, PoisonError};

use chrono::TimeDelta;
use futures::FutureExt;
use serde_json::json;

use super::books;
use super::chance::Chance;
use super::shop::{Bought, Shop};
use crate::payments::street::GATEWAYS;

/// What happened, and what was wrong at its end.
pub struct Story {
    pub seed: u64,
    pub steps: Vec<String>,
    pub faults: Vec<String>,
}

/// Plays the story of a seed. A panic on the way is a fault of the story and not the end of all.
pub async fn play(shop: &Shop, seed: u64) -> Story {
    let steps = Mutex::new(Vec::new());
    let faults = match AssertUnwindSafe(act(shop, seed, &steps)).catch_unwind().await {
        Ok(faults) => faults,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|t| (*t).to_owned()));
            vec![format!("it broke off: {}", text.unwrap_or_default())]
        }
    };
    let _ = shop.street.simulator.set_trouble(json!({}));
    let steps = steps.into_inner().unwrap_or_else(PoisonError::into_inner);
    Story { seed, steps, faults }
}

async fn act(shop: &Shop, seed: u64, steps: &Mutex<Vec<String>>) -> Vec<String> {
    let mut chance = Chance::of(seed);
    shop.keep_staff().await;
    let (street, simulator) = (&shop.street, &shop.street.simulator);
    let write = |line: String| steps.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    let mut bought: Vec<Bought> = Vec::new();
    for _ in 0..=chance.below(3) {
        let gateway = *chance.pick(&GATEWAYS);
        let units = i32::try_from(chance.below(3)).unwrap() + 1;
        let one = shop.order(gateway, units).await;
        write(format!("order {} of {units} keys at {gateway}", one.number));
        bought.push(one);
    }
    let ids: Vec<&str> = bought.iter().map(|b| b.payment.as_str()).collect();
    let length = 4 + u64::try_from(chance.below(14)).unwrap();
    let story = simulator.begin_story(seed, &ids, length).unwrap();
    let mut asked = 0;
    let hurried = chance.percent(50);
    loop {
        shop.advance(pause(shop, &bought, &mut chance, hurried)).await;
        let done = simulator.next_step(story).unwrap();
        if done["over"] == true {
            break;
        }
        write(format!("{} {} {} {}", done["payment"], done["act"], done["input"], done["refused"]));
        simulator.settled().await;
        // The shop's own work is done now or after some more has happened; approved money is taken at once.
        if chance.percent(35) || bought.iter().any(|b| b.gateway == "paypal") {
            street.settled().await;
        }
        if chance.percent(20) {
            asked += 1;
            shop_acts(
                shop,
                chance.pick(&bought),
                &format!("story-{seed}-refund-{asked:02}"),
                &mut Chance::of(seed + asked),
                &write,
            )
            .await;
        }
    }
    end(shop, &bought).await;
    let mut faults = Vec::new();
    for one in &bought {
        let differences = books::differences(shop, one).await;
        if !differences.is_empty() {
            write(format!("stored of {}:\n{}", one.number, shop.stored(one).await));
        }
        faults.extend(differences);
    }
    faults
}

/// How long it takes until the next thing happens. While somebody has still to pay, seconds; after that, longer than
/// what clocks of gateways may disagree by, unless the story is reported in a hurry.
fn pause(shop: &Shop, bought: &[Bought], chance: &mut Chance, hurried: bool) -> TimeDelta {
    let unpaid = |b: &&Bought| shop.there(b)["payment"]["captures"].as_array().unwrap().is_empty();
    let seconds = match hurried || bought.iter().any(|b| unpaid(&b)) {
        true => 1 + chance.below(60),
        false => 301 + chance.below(1_200),
    };
    TimeDelta::seconds(i64::try_from(seconds).unwrap())
}

/// Staff or the buyer do something of their own, perhaps while the gateway is in trouble.
async fn shop_acts(shop: &Shop, bought: &Bought, key: &str, chance: &mut Chance, write: &impl Fn(String)) {
    let simulator = &shop.street.simulator;
    if chance.percent(25) {
        write(format!("{} reveal → {:?}", bought.number, shop.reveal(bought).await));
        return;
    }
    let reported = *chance.pick(&["sum_last", "sum_first", "sum_alone", "refund_alone"]);
    let trouble = match chance.below(6) {
        0 => json!({ "refunds": "pending", "report": reported }),
        1 => json!({ "refunds": "failed" }),
        2 => json!({ "spoil_answers": true, "report": reported }),
        3 => json!({ "fail_calls": true }),
        _ => json!({ "report": reported }),
    };
    simulator.set_trouble(trouble.clone()).unwrap();
    let done = shop.give_back(bought, key.to_owned(), chance).await;
    simulator.set_trouble(json!({})).unwrap();
    write(format!("{} {done} during {trouble}", bought.number));
    shop.street.settled().await;
}

/// Waits, by the movable clock, until the shop has asked for everything that it was not reported.
pub async fn end(shop: &Shop, bought: &[Bought]) {
    let street = &shop.street;
    street.settled().await;
    for round in 0..30 {
        street.t.sweep().await;
        for one in bought {
            // The shop asked once more for what the gateway did not hear of, and the gateway took its time.
            let there = shop.there(one)["payment"].clone();
            let pending = |r: &&serde_json::Value| r["status"] == "pending" || r["status"] == "abnormal";
            for refund in there["refunds"].as_array().unwrap().iter().filter(pending) {
                let about = json!({ "refund": refund["id"] });
                let _ = street.simulator.act(&one.payment, "finish-refund", about);
            }
        }
        street.settled().await;
        // Notices that nobody took, and questions that wait for clocks, have their time too.
        if round > 0 && shop.open_refunds(bought).await == 0 {
            return;
        }
        shop.advance(TimeDelta::minutes(30)).await;
        street.settled().await;
    }
}
