//! A simulator with both gateways, the accounts that speak to it, and a shop that takes its notices.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use dispense::base::clock::Clock;
use dispense::base::money::{Currency, Money};
use dispense::infra::outbound::Outbound;
use dispense::payments::gateways::gateway::{
    AccountKeys, Call, Evidence, Gateway, NewPayment, Notice, PaymentRef, RawNotice,
};
use dispense::payments::gateways::generic::Generic;
use dispense::payments::gateways::stripe::Stripe;
use dispense::sandbox::{Drawer, Simulator, SimulatorConfig};
use poem::http::StatusCode;
use poem::listener::{Acceptor, Listener, TcpListener};
use poem::web::Data;
use poem::{EndpointExt, Request, Route, Server, handler};

use crate::harness::signing::webhook_secret;

pub const STRIPE_SECRET: &str = "whsec_of_the_simulated_endpoint_1";
pub const STRIPE_KEY: &str = "sk_test_of_the_simulated_account";

pub fn config() -> SimulatorConfig {
    let secrets = Drawer::default()
        .with("stripe_secret", STRIPE_SECRET)
        .with("stripe_key", STRIPE_KEY)
        .with("generic_secret", &webhook_secret(7));
    SimulatorConfig::new(&["stripe", "generic"], secrets, Clock::default())
}

pub async fn simulator() -> Simulator {
    Simulator::start(config()).await.unwrap()
}

/// One gateway and an account of it.
pub struct Side {
    pub gateway: Arc<dyn Gateway>,
    pub keys: AccountKeys,
    pub timeout: Duration,
    pub notify_url: String,
}

impl Side {
    pub fn stripe(simulator: &Simulator) -> Self {
        Self::of(simulator, Arc::new(Stripe::new(Outbound::new().unwrap())))
    }

    pub fn generic(simulator: &Simulator) -> Self {
        Self::of(simulator, Arc::new(Generic::new(Outbound::new().unwrap())))
    }

    /// The account that the simulator gives out for this gateway.
    pub fn of(simulator: &Simulator, gateway: Arc<dyn Gateway>) -> Self {
        let account = simulator.account(gateway.name()).unwrap();
        let keys = AccountKeys {
            id: account.id,
            secrets: account.secrets,
            api_key: account.api_key,
            decryption_key: account.decryption_key,
            other_decryption_keys: account.other_decryption_keys,
            signs_with: 0,
            settings: account.settings,
            api_url: account.api_url,
            sandbox: account.sandbox,
        };
        Self::new(gateway, keys)
    }

    pub fn both(simulator: &Simulator) -> [Self; 2] {
        [Self::stripe(simulator), Self::generic(simulator)]
    }

    fn new(gateway: Arc<dyn Gateway>, keys: AccountKeys) -> Self {
        let timeout = Duration::from_secs(10);
        Self { gateway, keys, timeout, notify_url: "http://127.0.0.1:9/webhooks/none".into() }
    }

    pub fn call(&self) -> Call<'_> {
        Call { keys: &self.keys, now_unix: Clock::default().unix(), timeout: self.timeout }
    }

    pub fn payment<'a>(&'a self, number: &'a str, money: Money, at: DateTime<Utc>) -> NewPayment<'a> {
        NewPayment {
            number,
            payment_id: number,
            money,
            title: "Two keys & a file",
            locale: "en",
            email: None,
            return_url: "http://127.0.0.1:9/return/1",
            cancel_url: "http://127.0.0.1:9/cancel/1",
            notify_url: &self.notify_url,
            started_at: at,
            expires_at: at + TimeDelta::minutes(30),
            accepts: &[],
            sdks: &[],
            platform: None,
            payer: None,
            client_address: None,
        }
    }

    /// Starts a payment; answers the gateway's reference.
    pub async fn start(&self, number: &str, money: Money) -> String {
        let payment = self.payment(number, money, Clock::default().now());
        self.gateway.start(&self.call(), &payment).await.unwrap().gateway_reference.unwrap()
    }
}

pub fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::parse("USD").unwrap())
}

pub fn named<'a>(number: &'a str, reference: &'a str, money: Money) -> PaymentRef<'a> {
    PaymentRef { number, gateway_reference: Some(reference), trade_no: None, money }
}

/// What a shop got, raw, and what it will answer next (success once the list is used up).
#[derive(Clone, Default)]
pub struct Shop {
    pub got: Arc<Mutex<Vec<RawNotice>>>,
    pub answers: Arc<Mutex<VecDeque<u16>>>,
    /// The same with texts; used first.
    pub says: Arc<Mutex<VecDeque<(u16, &'static str)>>>,
}

impl Shop {
    /// Listens; answers the notify address.
    pub async fn listen(&self) -> String {
        let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.unwrap();
        let address = *acceptor.local_addr()[0].as_socket_addr().unwrap();
        let app = Route::new().at("/webhooks/it", poem::get(take).post(take)).data(self.clone());
        tokio::spawn(Server::new_with_acceptor(acceptor).run(app));
        format!("http://{address}/webhooks/it")
    }

    /// Everything received, through the production check.
    pub fn notices(&self, side: &Side) -> Vec<Notice> {
        let got = self.got.lock().unwrap();
        got.iter()
            .map(|raw| side.gateway.authenticate(&side.keys, raw, &Evidence::default()).unwrap())
            .collect()
    }
}

#[handler]
fn take(shop: Data<&Shop>, request: &Request, body: Vec<u8>) -> poem::Response {
    let headers = request.headers().iter();
    shop.got.lock().unwrap().push(RawNotice {
        method: request.method().to_string(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        headers: headers.map(|(n, v)| (n.to_string(), v.to_str().unwrap().to_owned())).collect(),
        body,
        now_unix: Clock::default().unix(),
    });
    let said = shop.says.lock().unwrap().pop_front();
    let (status, text) =
        said.unwrap_or_else(|| (shop.answers.lock().unwrap().pop_front().unwrap_or(200), ""));
    poem::Response::builder().status(StatusCode::from_u16(status).unwrap()).body(text)
}
