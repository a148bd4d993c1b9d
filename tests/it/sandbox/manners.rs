//! What each gateway takes for an answer, and what it refuses of a shop.

use dispense::base::money::{Currency, Money};
use dispense::base::secret::Secret;
use dispense::infra::outbound::Outbound;
use dispense::payments::gateways;
use dispense::payments::gateways::gateway::{Action, Gateway, StartFailure};
use dispense::sandbox::{Drawer, Simulator, SimulatorConfig};
use serde_json::{Value, json};

use super::play::{Shop, Side};
use dispense::base::clock::Clock;

fn gateway(name: &str) -> std::sync::Arc<dyn Gateway> {
    gateways::all(&Outbound::new().unwrap()).into_iter().find(|g| g.name() == name).unwrap()
}

async fn simulator(names: &[&str]) -> Simulator {
    Simulator::start(SimulatorConfig::new(names, Drawer::default(), Clock::default())).await.unwrap()
}

fn yuan(minor: i64) -> Money {
    Money::new(minor, Currency::parse("CNY").unwrap())
}

/// Starts a payment and opens what the buyer is sent to.
async fn started(side: &Side, number: &str) {
    let payment = side.payment(number, yuan(990), Clock::default().now());
    let started = side.gateway.start(&side.call(), &payment).await.unwrap();
    let url = match started.action {
        Action::Redirect { url } | Action::Qr { text: url } => url,
        other => panic!("{other:?}"),
    };
    let browser = reqwest::Client::builder().no_proxy().build().unwrap();
    assert_eq!(browser.get(url).send().await.unwrap().status(), 200);
}

fn attempts(simulator: &Simulator) -> Vec<Value> {
    let journal = simulator.journal();
    let attempts = journal["notices"][0]["attempts"].as_array().unwrap();
    attempts.iter().map(|a| json!([a["status"], a["answer"]])).collect()
}

/// Rows: P11, P3.
#[tokio::test]
async fn each_gateway_listens_for_its_own_word_of_success() {
    for (name, answers, last) in [
        ("alipay", vec![(200, "failure"), (200, "success\n"), (200, "SUCCESS")], (200, "success")),
        ("epay_v1", vec![(200, "fail"), (503, "{\"ok\":true}")], (500, "{\"success\":false}")),
        ("epay_v2", vec![(200, ""), (404, "no")], (200, "Success!")),
        ("wechatpay", vec![(500, "{\"code\":\"SUCCESS\"}"), (302, "")], (200, "{\"code\":\"FAIL\"}")),
    ] {
        let simulator = simulator(&[name]).await;
        let shop = Shop::default();
        let mut side = Side::of(&simulator, gateway(name));
        side.notify_url = shop.listen().await;
        shop.says.lock().unwrap().extend(answers.iter().copied().chain([last]));
        started(&side, "DMANNERS1").await;
        simulator.act("DMANNERS1", "pay", json!({})).unwrap();
        tokio::time::timeout(std::time::Duration::from_secs(20), simulator.settled()).await.unwrap();
        let wanted: Vec<Value> =
            answers.iter().chain([&last]).map(|(status, text)| json!([status, text])).collect();
        assert_eq!(attempts(&simulator), wanted, "{name}");
        assert_eq!(simulator.journal()["notices"][0]["state"], "delivered", "{name}");
        let genuine = shop.notices(&side);
        assert!(
            genuine.iter().all(|n| n.event_key() == genuine[0].event_key()),
            "{name}: one event, signed anew"
        );
    }
}

/// Rows: P11, P2.
#[tokio::test]
async fn the_same_number_with_another_amount_and_calls_with_another_key_are_refused() {
    let names = ["alipay", "wechatpay", "epay_v1", "epay_v2", "paypal"];
    let simulator = simulator(&names).await;
    for name in names {
        let mut side = Side::of(&simulator, gateway(name));
        let at = Clock::default().now();
        let qr = vec!["qr".to_owned()];
        let currency = if name == "paypal" { "USD" } else { "CNY" };
        if name.starts_with("epay") {
            side.keys.settings.insert("type".into(), "alipay".into());
        }
        let money = |minor| Money::new(minor, Currency::parse(currency).unwrap());
        let start = async |side: &Side, minor| {
            let mut payment = side.payment("DSAME1", money(minor), at);
            payment.accepts = &qr;
            side.gateway.start(&side.call(), &payment).await
        };
        let first = start(&side, 990).await.unwrap();
        assert_eq!(start(&side, 990).await.unwrap(), first, "{name}");
        let changed = start(&side, 991).await;
        assert!(matches!(changed, Err(StartFailure::Refused { .. })), "{name}: {changed:?}");
        match name {
            "epay_v1" => side.keys.secrets = vec![Secret::new("0123456789abcdef0123456789abcdef")],
            "paypal" => side.keys.api_key = Some(Secret::new("EsecretOfSomebodyElse0000000")),
            _ => {
                let other = if name == "alipay" { "wechatpay" } else { "alipay" };
                side.keys.api_key = simulator.account(other).unwrap().api_key;
            }
        }
        // A client that has not been given a token yet.
        side.gateway = gateway(name);
        let foreign = start(&side, 990).await;
        assert!(foreign.is_err(), "{name}: {foreign:?}");
    }
    assert_eq!(simulator.journal()["payments"].as_array().unwrap().len(), names.len());
}
