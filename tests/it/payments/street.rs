//! A shop that has an account at every gateway, the gateways as the simulator plays them, and buyers with money. The
//! simulator's journal is the gateways' truth.

use std::sync::Mutex;

use dispense::base::actor::Actor;
use dispense::base::clock::Clock;
use dispense::base::ids::{PaymentId, VariantId};
use dispense::base::secret::Secret;
use dispense::config::{Account, Config};
use dispense::orders::place::Placed;
use dispense::payments::attempts::start::{self, Attempt, Start, StartOptions};
use dispense::payments::gateways::gateway::Action;
use dispense::payments::refunds::request::{RefundOf, RefundRequest};
use dispense::sandbox::{Drawer, Simulator, SimulatorConfig};
use serde_json::{Value, json};

use crate::harness::{Server, Setup, TestApp, TestDatabase};

/// Every gateway that can be paid at; the ids of the accounts are the same words.
pub const GATEWAYS: [&str; 7] = ["stripe", "generic", "alipay", "wechatpay", "paypal", "epay_v1", "epay_v2"];

/// How much faster than the real ones gateways come back here with a notice that was not taken.
pub const HURRY: f64 = 100_000.0;

/// Keys take a while to be made: one set serves all tests of this process.
static SECRETS: Mutex<Option<Drawer>> = Mutex::new(None);

pub struct Street {
    pub t: TestApp,
    pub simulator: Simulator,
}

/// The currency that orders are paid in at a gateway.
pub fn currency(method: &str) -> &'static str {
    match method {
        "stripe" | "generic" | "paypal" => "USD",
        _ => "CNY",
    }
}

pub async fn street() -> Street {
    street_with(|_| {}).await
}

/// The same with accounts that are configured in another way.
pub async fn street_with(change: impl Fn(&mut Account)) -> Street {
    street_over(TestDatabase::migrated().await, HURRY, change, |_| {}).await
}

/// The same over a database that exists, with gateways that come back with their notices this much faster than the real
/// ones, and another configuration of the rest.
pub async fn street_over(
    database: TestDatabase,
    speed: f64,
    change: impl Fn(&mut Account),
    configure: impl FnOnce(&mut Config),
) -> Street {
    street_of(&GATEWAYS, database, speed, change, configure).await
}

/// The same with these gateways alone.
pub async fn street_of(
    gateways: &[&str],
    database: TestDatabase,
    speed: f64,
    change: impl Fn(&mut Account),
    configure: impl FnOnce(&mut Config),
) -> Street {
    let clock = Clock::default();
    let secrets = SECRETS.lock().unwrap().clone().unwrap_or_default();
    let config = SimulatorConfig { speed, ..SimulatorConfig::new(gateways, secrets, clock.clone()) };
    let simulator = Simulator::start(config).await.unwrap();
    *SECRETS.lock().unwrap() = Some(simulator.secrets().clone());
    let account = |name: &str| {
        let mut account = Account {
            id: name.into(),
            currencies: vec![currency(name).to_owned()],
            ..simulator.account(name).unwrap()
        };
        change(&mut account);
        account
    };
    let accounts: Vec<Account> = gateways.iter().map(|name| account(name)).collect();
    let secret = |account: &Account| {
        let keys = [&account.api_key, &account.decryption_key].into_iter().flatten();
        let own = account.secrets.iter().filter(|secret| !secret.expose().starts_with("-----BEGIN PUBLIC"));
        own.chain(keys).map(|secret| secret.expose().to_owned()).collect::<Vec<_>>()
    };
    let canaries: Vec<String> = accounts.iter().flat_map(secret).collect();
    let t = TestApp::start_by(clock, database, |config| {
        config.shop.currencies.extend(accounts.iter().flat_map(|account| account.currencies.clone()));
        config.accounts = accounts;
        config.server.allowed_origins =
            ["https://shop.example", "myapp://", "com.example.SHOP://"].map(str::to_owned).to_vec();
        configure(config);
    })
    .await;
    for name in gateways {
        simulator.set_notify_url(name, format!("{}/webhooks/{name}", t.base));
    }
    for secret in canaries {
        t.canary(&secret);
    }
    Street { t, simulator }
}

impl Street {
    /// Keys on sale in the currency of a gateway.
    pub async fn selling(&self, method: &str, keys: usize, unit_minor: i64) -> VariantId {
        let variant = self.t.selling_keys(keys, unit_minor).await;
        let code = currency(method);
        self.t
            .db
            .sql(&format!("update price set currency = '{code}' where variant_id = '{}'", variant.0))
            .await;
        variant
    }

    /// One key, ordered to be paid at a gateway.
    pub async fn place(&self, method: &str, variant: VariantId) -> Placed {
        self.t.place_in(&[(variant, 1)], currency(method)).await
    }

    /// A new variant of so many keys, one of them ordered, and its payment started.
    pub async fn started(&self, method: &str, keys: usize, unit_minor: i64) -> (Placed, Attempt) {
        let variant = self.selling(method, keys, unit_minor).await;
        let placed = self.place(method, variant).await;
        let attempt = self.start(&placed, method).await;
        (placed, attempt)
    }

    /// Starts a payment, and the buyer goes where the shop sends them.
    pub async fn start(&self, placed: &Placed, method: &str) -> Attempt {
        self.start_by(placed, StartOptions { method: method.into(), ..StartOptions::default() }).await
    }

    pub async fn start_by(&self, placed: &Placed, options: StartOptions) -> Attempt {
        let wish = Start {
            idempotency_key: format!("start-{}-{}", placed.order.number, options.method),
            order_id: placed.order.id,
            access_token: Some(placed.access_token.expose().to_owned()),
            options,
        };
        let attempt = start::start(&self.t.app.payments, &Actor::guest(), wish).await.unwrap();
        let action = attempt.payment.action.clone().unwrap();
        self.follow(serde_json::from_value(action).unwrap()).await;
        attempt
    }

    /// A server process, or a command, of this shop: over its database, with its accounts at the simulator.
    pub fn setup(&self) -> Setup {
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let account = |account: &Account| {
            let secrets: Vec<String> = account.secrets.iter().map(|secret| quoted(secret.expose())).collect();
            let settings = account.settings.iter().map(|(name, value)| format!("{name} = {}", quoted(value)));
            let key = |name: &str, secret: &Option<Secret>| {
                secret.as_ref().map(|s| format!("{name} = {}\n", quoted(s.expose()))).unwrap_or_default()
            };
            format!(
                "[[accounts]]\nid = {}\ngateway = {}\ncurrencies = [{}]\nsecrets = [{}]\n{}{}api_url = {}\n\
                 sandbox = true\nsettings = {{ {} }}\n",
                quoted(&account.id),
                quoted(&account.gateway),
                quoted(&account.currencies[0]),
                secrets.join(", "),
                key("api_key", &account.api_key),
                key("decryption_key", &account.decryption_key),
                quoted(account.api_url.as_deref().unwrap()),
                settings.collect::<Vec<_>>().join(", "),
            )
        };
        let accounts: Vec<String> = self.t.app.config.accounts.iter().map(account).collect();
        Server::of(&self.t.db.app_url()).config(&accounts.join("\n"))
    }

    /// The buyer's browser goes to an address that the shop gave.
    pub async fn visit(&self, url: &str) {
        self.follow(Action::Redirect { url: url.into() }).await;
    }

    /// What the buyer's browser, camera or app does; it must end at a page of the simulator's.
    pub async fn follow(&self, action: Action) {
        self.try_follow(action).await.unwrap();
    }

    /// The same while the gateway may be in trouble; the error is what came instead of its page.
    pub async fn try_follow(&self, action: Action) -> Result<(), String> {
        let browser = reqwest::Client::builder().no_proxy().build().unwrap();
        let form = "application/x-www-form-urlencoded";
        let request = match action {
            Action::Redirect { url } | Action::Qr { text: url } => browser.get(url),
            Action::Form { url, fields } => {
                let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
                browser.post(url).header("content-type", form).body(body)
            }
            Action::Sdk { name, parameters } if name == "alipay.app" => {
                let order = parameters["orderString"].as_str().unwrap().to_owned();
                let url = format!("http://{}/alipay/gateway.do", self.simulator.address());
                browser.post(url).header("content-type", form).body(order)
            }
            Action::Sdk { parameters, .. } => {
                let id = parameters["orderId"].as_str().or(parameters["prepayid"].as_str());
                let package = parameters["package"].as_str().and_then(|p| p.strip_prefix("prepay_id="));
                browser.get(format!("http://{}/pay/{}", self.simulator.address(), id.or(package).unwrap()))
            }
            Action::Instructions { text } => panic!("nowhere to go: {text}"),
        };
        let page = request.send().await.unwrap();
        let (status, path) = (page.status(), page.url().path().to_owned());
        let text = page.text().await.unwrap();
        if status == 200 && path.starts_with("/pay/") {
            Ok(())
        } else {
            Err(format!("{status} {path}: {text}"))
        }
    }

    /// A payment in the gateways' books, by the shop's number of the attempt.
    pub fn there(&self, number: &str) -> Value {
        let journal = self.simulator.journal();
        let written = number.replace('-', "_");
        let is = |p: &&Value| p["number"] == number || p["number"] == *written;
        journal["payments"]
            .as_array()
            .unwrap()
            .iter()
            .find(is)
            .unwrap_or_else(|| panic!("{number}: {journal}"))
            .clone()
    }

    pub fn act(&self, number: &str, act: &str) {
        self.try_act(number, act, json!({})).unwrap();
    }

    pub fn try_act(&self, number: &str, act: &str, input: Value) -> Result<Value, String> {
        self.simulator.act(self.there(number)["id"].as_str().unwrap(), act, input)
    }

    /// An order that was paid and delivered.
    pub async fn bought(&self, method: &str) -> (Placed, PaymentId) {
        let variant = self.selling(method, 2, 990).await;
        let placed = self.place(method, variant).await;
        let attempt = self.start(&placed, method).await;
        self.act(&placed.order.number, "pay");
        self.settled().await;
        let reported = self.reported(&placed.order.number);
        assert_eq!(self.t.order_state(placed.order.id).await, "paid", "{method}: {reported}");
        assert_eq!(self.t.unit_states(placed.order.id).await, "assigned:1", "{method}");
        (placed, attempt.payment.id)
    }

    /// Returns once no notice is on its way and the shop has done what they made due (taking approved money).
    pub async fn settled(&self) {
        self.simulator.settled().await;
        while self.t.drain().await > 0 {
            self.simulator.settled().await;
        }
    }

    /// What the gateway's own books say was refunded of an order, minor units.
    pub fn refunded(&self, number: &str) -> i64 {
        let refunds = self.there(number)["refunds"].as_array().cloned().unwrap_or_default();
        refunds.iter().filter(|r| r["status"] == "succeeded").filter_map(|r| r["amount"].as_i64()).sum()
    }

    /// The notices of a payment with the shop's answers, for a failing test.
    pub fn reported(&self, number: &str) -> String {
        let id = self.there(number)["id"].clone();
        let notices = self.simulator.journal()["notices"].as_array().cloned().unwrap_or_default();
        notices.iter().filter(|n| n["payment"] == id).map(Value::to_string).collect::<Vec<_>>().join("\n")
    }

    /// One value of a payment's row.
    pub async fn payment(&self, id: PaymentId, columns: &str) -> String {
        self.t.db.one(&format!("select {columns} from payment where id = '{}'", id.0)).await
    }
}

pub fn refund(payment_id: PaymentId, key: &str, amount_minor: Option<i64>) -> RefundRequest {
    RefundRequest {
        idempotency_key: format!("refund-key-{key}"),
        of: RefundOf::Payment(payment_id),
        units: Vec::new(),
        amount_minor,
        reason: Some("asked for".into()),
    }
}
