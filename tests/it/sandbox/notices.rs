//! What the simulator sends, checked by the production code, and how long it keeps sending.

use std::time::Duration;

use dispense::payments::gateways::gateway::{Meaning, Notice};
use dispense::sandbox::Simulator;
use serde_json::{Value, json};

use super::play::{Shop, Side, simulator, usd};

/// Both sides with a shop that takes their notices.
async fn listening(simulator: &Simulator) -> Vec<(Side, Shop)> {
    let mut pairs = Vec::new();
    for mut side in Side::both(simulator) {
        let shop = Shop::default();
        side.notify_url = shop.listen().await;
        if side.gateway.name() == "stripe" {
            simulator.set_notify_url("stripe", &side.notify_url);
        }
        pairs.push((side, shop));
    }
    pairs
}

/// Returns when nothing is on its way any more.
async fn settled(simulator: &Simulator) {
    tokio::time::timeout(Duration::from_secs(20), simulator.settled()).await.unwrap();
}

fn meanings(notices: &[Notice]) -> Vec<Meaning> {
    notices.iter().map(|n| n.meaning).collect()
}

/// Rows: P11.
#[tokio::test]
async fn each_button_sends_what_a_real_gateway_would() {
    let simulator = simulator().await;
    for (side, shop) in listening(&simulator).await {
        let name = side.gateway.name();
        let mut seen = 0;
        for (index, (act, wanted)) in [
            ("pay", vec![Meaning::Paid]),
            ("wrong-amount", vec![Meaning::Paid]),
            ("wrong-currency", vec![Meaning::Paid]),
            ("lose-notice", vec![]),
            ("pend", vec![Meaning::Pending]),
            ("decline", vec![Meaning::Failed]),
            ("expire", vec![Meaning::Closed]),
            ("pay-late", vec![Meaning::Closed, Meaning::Paid]),
            ("pay-twice", vec![Meaning::Paid, Meaning::Paid]),
        ]
        .into_iter()
        .enumerate()
        {
            let number = format!("D{index}");
            let reference = side.start(&number, usd(1999)).await;
            simulator.act(&reference, act, json!({})).unwrap();
            settled(&simulator).await;
            let all = shop.notices(&side);
            let new = &all[seen..];
            seen = all.len();
            assert_eq!(meanings(new), wanted, "{name} {act}");
            for notice in new {
                assert_eq!(notice.number.as_deref(), Some(number.as_str()));
                assert_eq!(notice.gateway_reference.as_deref(), Some(reference.as_str()));
                assert_eq!(notice.amount_minor == Some(1999), act != "wrong-amount", "{name} {act}");
                let usd = notice.currency.unwrap().as_str() == "USD";
                assert_eq!(usd, act != "wrong-currency", "{name} {act}");
            }
            if act == "pay-twice" {
                assert_ne!(new[0].event_key(), new[1].event_key());
                assert_ne!(new[0].trade_no, new[1].trade_no, "two payments of one order");
            }
        }
    }
}

/// Rows: P11, P9.
#[tokio::test]
async fn refunds_and_disputes_made_at_the_gateway_are_told() {
    let simulator = simulator().await;
    for (side, shop) in listening(&simulator).await {
        let reference = side.start("D1", usd(1000)).await;
        simulator.act(&reference, "pay", json!({})).unwrap();
        settled(&simulator).await;
        simulator.act(&reference, "refund", json!({ "amount": 400 })).unwrap();
        settled(&simulator).await;
        simulator.act(&reference, "refund", json!({})).unwrap();
        settled(&simulator).await;
        assert!(simulator.act(&reference, "refund", json!({})).is_err());
        let notices = shop.notices(&side);
        let sums: Vec<_> = notices.iter().filter(|n| n.refunded_minor > Some(0)).collect();
        assert_eq!(
            meanings(&sums.iter().map(|n| (*n).clone()).collect::<Vec<_>>()),
            [Meaning::PartiallyRefunded, Meaning::Refunded]
        );
        assert_eq!((sums[0].refunded_minor, sums[1].refunded_minor), (Some(400), Some(1000)));
        assert_eq!(sums[0].trade_no, notices[0].trade_no);
        let disputed = simulator.act(&reference, "dispute", json!({}));
        assert_eq!(disputed.is_ok(), side.gateway.name() == "stripe");
        settled(&simulator).await;
        if side.gateway.name() == "stripe" {
            let last = shop.notices(&side).pop().unwrap();
            assert_eq!((last.meaning, &last.trade_no), (Meaning::DisputeOpened, &notices[0].trade_no));
        }
    }
}

fn attempts(journal: &Value, index: usize) -> Vec<Value> {
    let attempts = journal["notices"][index]["attempts"].as_array().unwrap();
    attempts.iter().map(|a| a["status"].clone()).collect()
}

/// Rows: P11.
#[tokio::test]
async fn a_notice_is_sent_under_the_same_id_until_the_shop_says_success_or_the_limit_is_reached() {
    let simulator = simulator().await;
    for (index, (side, shop)) in listening(&simulator).await.into_iter().enumerate() {
        shop.answers.lock().unwrap().extend([503, 301, 500]);
        let reference = side.start("D1", usd(1000)).await;
        simulator.act(&reference, "pay", json!({})).unwrap();
        settled(&simulator).await;
        let notices = shop.notices(&side);
        assert_eq!(notices.len(), 4);
        assert!(notices.iter().all(|n| n.event_key() == notices[0].event_key()));
        let journal = simulator.journal();
        assert_eq!(attempts(&journal, index), [503, 301, 500, 200]);
        assert_eq!(journal["notices"][index]["state"], "delivered");
        simulator.act(&reference, "repeat-notice", json!({})).unwrap();
    }

    let silent = Side::generic(&simulator);
    let mut config = super::play::config();
    config.speed = 1e9;
    let stubborn = Simulator::start(config).await.unwrap();
    let mut side = Side::generic(&stubborn);
    side.notify_url = silent.notify_url;
    let reference = side.start("D1", usd(1000)).await;
    stubborn.act(&reference, "pay", json!({})).unwrap();
    settled(&stubborn).await;
    let journal = stubborn.journal();
    assert_eq!(journal["notices"][0]["state"], "given_up");
    assert_eq!(attempts(&journal, 0), vec![Value::Null; 10], "nobody listens there");
}
