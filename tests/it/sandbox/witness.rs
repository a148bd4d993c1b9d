//! Somebody who reads what the simulated gateways send, with keys and checks of the tests' own: nothing of the shop's
//! verifier and nothing of the simulator's signing code.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dispense::base::clock::Clock;
use dispense::base::money::{Currency, Money};
use dispense::infra::outbound::Outbound;
use dispense::payments::gateways;
use dispense::payments::gateways::gateway::{Action, RawNotice};
use dispense::sandbox::{Drawer, Simulator, SimulatorConfig};
use serde_json::{Map, Value, json};

use super::play::{STRIPE_KEY, STRIPE_SECRET, Shop, Side, named};
use crate::harness::rsa::Pair;
use crate::harness::signing;

const API_V3_KEY: &str = "0123456789abcdef0123456789abcdef";
const WEBHOOK_ID: &str = "8PT597110X687430L";

/// A simulator whose secrets are known, a shop that takes its notices, and a payment.
pub struct Witness {
    pub simulator: Simulator,
    pub side: Side,
    shop: Shop,
    alipay: Pair,
    wechat: [Pair; 2],
    paypal: Pair,
    seen: std::cell::Cell<usize>,
    pub payment: String,
}

/// The number that all payments here have.
pub const NUMBER: &str = "DWITNESS1";

impl Witness {
    /// A payment of 19.99 that was started and paid at this gateway, and its notices read.
    pub async fn paid(gateway: &str) -> Self {
        let witness = Self::started(gateway).await;
        witness.act("pay", json!({}));
        if gateway == "paypal" {
            witness.settled().await;
            let asked = named(NUMBER, &witness.payment, witness.money());
            witness.side.gateway.capture(&witness.side.call(), &asked).await;
        }
        witness.settled().await;
        witness.read();
        witness
    }

    pub fn money(&self) -> Money {
        let code =
            if ["stripe", "generic", "paypal"].contains(&self.side.gateway.name()) { "USD" } else { "CNY" };
        Money::new(1_999, Currency::parse(code).unwrap())
    }

    async fn started(gateway: &str) -> Self {
        let (alipay, wechat, paypal) = (Pair::new(), [Pair::new(), Pair::new()], Pair::new());
        let secrets = Drawer::default()
            .with("stripe_secret", STRIPE_SECRET)
            .with("stripe_key", STRIPE_KEY)
            .with("generic_secret", &signing::webhook_secret(7))
            .with("alipay_key", alipay.private().expose())
            .with("wechatpay_platform_key", wechat[0].private().expose())
            .with("wechatpay_public_key", wechat[1].private().expose())
            .with("wechatpay_api_v3_key", API_V3_KEY)
            .with("paypal_key", paypal.private().expose())
            .with("paypal_webhook_id", WEBHOOK_ID);
        let config = SimulatorConfig::new(&[gateway], secrets, Clock::default());
        let simulator = Simulator::start(config).await.unwrap();
        let all = gateways::all(&Outbound::new().unwrap());
        let mut side = Side::of(&simulator, all.into_iter().find(|g| g.name() == gateway).unwrap());
        let shop = Shop::default();
        side.notify_url = shop.listen().await;
        simulator.set_notify_url(gateway, &side.notify_url);
        let mut witness =
            Self { simulator, side, shop, alipay, wechat, paypal, seen: 0.into(), payment: String::new() };
        witness.shop.says.lock().unwrap().extend(std::iter::repeat_n((200, "success"), 500));
        let qr = vec!["qr".to_owned()];
        let mut payment = witness.side.payment(NUMBER, witness.money(), Clock::default().now());
        payment.accepts = &qr;
        let started = witness.side.gateway.start(&witness.side.call(), &payment).await.unwrap();
        if let Action::Redirect { url } | Action::Qr { text: url } = started.action {
            let browser = reqwest::Client::builder().no_proxy().build().unwrap();
            assert_eq!(browser.get(url).send().await.unwrap().status(), 200);
        }
        witness.payment = witness.books()["id"].as_str().unwrap().to_owned();
        witness
    }

    /// The payment in the gateway's books.
    pub fn books(&self) -> Value {
        self.simulator.payment(NUMBER).unwrap()["payment"].clone()
    }

    pub fn trade(&self) -> String {
        self.books()["captures"][0]["trade_no"].as_str().unwrap().to_owned()
    }

    pub fn act(&self, act: &str, input: Value) -> Value {
        self.simulator.act(NUMBER, act, input).unwrap_or_else(|e| panic!("{act}: {e}"))
    }

    pub async fn settled(&self) {
        tokio::time::timeout(std::time::Duration::from_secs(20), self.simulator.settled()).await.unwrap();
    }

    /// Does it and reads what is reported of it.
    pub async fn reported(&self, act: &str, input: Value) -> Vec<Value> {
        self.act(act, input);
        self.settled().await;
        self.read()
    }

    /// What came since the last look, each checked and opened: `{"kind", "about"}`.
    pub fn read(&self) -> Vec<Value> {
        let got = self.shop.got.lock().unwrap();
        let new = got[self.seen.get()..].iter().map(|raw| self.open(raw)).collect();
        self.seen.set(got.len());
        new
    }

    fn open(&self, raw: &RawNotice) -> Value {
        let body = std::str::from_utf8(&raw.body).unwrap();
        let header = |name: &str| {
            let found = raw.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.clone()).unwrap_or_else(|| panic!("no header {name}"))
        };
        let same = |made: RawNotice, name: &str| {
            let wanted = made.headers.into_iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).unwrap().1;
            assert_eq!(header(name), wanted, "{body}");
        };
        let json = || serde_json::from_str::<Value>(body).unwrap();
        match self.side.gateway.name() {
            "stripe" => {
                let at = header("stripe-signature");
                let at = at.strip_prefix("t=").unwrap().split(',').next().unwrap().parse().unwrap();
                same(signing::stripe(STRIPE_SECRET, at, body), "stripe-signature");
                let event = json();
                assert!(event["created"].is_i64() && event["object"] == "event", "{event}");
                json!({ "kind": event["type"], "about": event["data"]["object"] })
            }
            "generic" => {
                let at = header("webhook-timestamp").parse().unwrap();
                let secret = signing::webhook_secret(7);
                same(signing::webhook(&secret, &header("webhook-id"), at, body), "webhook-signature");
                let event = json();
                json!({ "kind": event["type"], "about": event["data"] })
            }
            "paypal" => {
                let crc = crc32fast::hash(&raw.body);
                let (id, time) = (header("paypal-transmission-id"), header("paypal-transmission-time"));
                let text = format!("{id}|{time}|{WEBHOOK_ID}|{crc}");
                assert!(self.paypal.signed(text.as_bytes(), &header("paypal-transmission-sig")), "{body}");
                let event = json();
                json!({ "kind": event["event_type"], "about": event["resource"] })
            }
            "wechatpay" => {
                let text =
                    format!("{}\n{}\n{body}\n", header("wechatpay-timestamp"), header("wechatpay-nonce"));
                let by_key = header("wechatpay-serial").starts_with("PUB_KEY_ID_");
                let pair = &self.wechat[usize::from(by_key)];
                assert!(pair.signed(text.as_bytes(), &header("wechatpay-signature")), "{body}");
                let event = json();
                json!({ "kind": event["event_type"], "about": unsealed(&event["resource"]) })
            }
            "alipay" => {
                let mut fields: Vec<(String, String)> =
                    url::form_urlencoded::parse(&raw.body).into_owned().collect();
                let sign = fields.iter().find(|(name, _)| name == "sign").unwrap().1.clone();
                fields.retain(|(name, _)| name != "sign" && name != "sign_type");
                fields.sort();
                let text: Vec<String> =
                    fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
                assert!(self.alipay.signed(text.join("&").as_bytes(), &sign), "{body}");
                let about: Map<String, Value> = fields.into_iter().map(|(n, v)| (n, json!(v))).collect();
                json!({ "kind": about["trade_status"], "about": about })
            }
            other => panic!("nobody reads {other} here"),
        }
    }
}

/// The content of a notice of WeChat Pay.
fn unsealed(resource: &Value) -> Value {
    let text = |key: &str| resource[key].as_str().unwrap().to_owned();
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, API_V3_KEY.as_bytes()).unwrap());
    let nonce = Nonce::try_assume_unique_for_key(text("nonce").as_bytes()).unwrap();
    let mut sealed = STANDARD.decode(text("ciphertext")).unwrap();
    let plain = key.open_in_place(nonce, Aad::from(text("associated_data").as_bytes()), &mut sealed).unwrap();
    serde_json::from_slice(plain).unwrap()
}

/// The kinds of what was reported, in order.
pub fn kinds(reported: &[Value]) -> Vec<&str> {
    reported.iter().map(|event| event["kind"].as_str().unwrap()).collect()
}
