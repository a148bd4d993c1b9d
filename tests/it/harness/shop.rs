//! A shop with something on sale, and buyers.

use std::io::Cursor;

use dispense::base::actor::Actor;
use dispense::base::ids::{OrderId, PaymentId, SHOP, VariantId};
use dispense::base::money::Currency;
use dispense::base::text::{Email, Locale};
use dispense::catalogue::intake;
use dispense::config::{Account, Config};
use dispense::fulfilment::restock;
use dispense::infra::epoch;
use dispense::orders::buyer::Proof;
use dispense::orders::place::{self, PlaceOrder, Placed};
use dispense::orders::quote::CartLine;
use dispense::payments::attempts::number;
use dispense::payments::attempts::store::{self as attempts, NewAttempt};
use dispense::vault::batch::NewBatch;
use serde_json::{Value, json};

use super::{TestApp, signing};

/// The account that `with_generic` configures.
pub const GENERIC: &str = "generic";

/// The configuration of a test account of the generic gateway that only receives.
pub fn with_generic(config: &mut Config) {
    config.accounts.push(Account {
        id: GENERIC.into(),
        gateway: "generic".into(),
        currencies: vec!["USD".into(), "EUR".into(), "CNY".into()],
        secrets: vec![dispense::base::secret::Secret::new(generic_secret())],
        sandbox: true,
        ..Account::default()
    });
}

pub fn generic_secret() -> String {
    use base64::Engine;
    use sha2::Digest;
    let bytes = sha2::Sha256::digest(b"the generic account of the tests");
    format!("whsec_{}", base64::engine::general_purpose::STANDARD.encode(bytes))
}

pub fn usd() -> Currency {
    Currency::parse("USD").unwrap()
}

/// A notice of the generic gateway about an order.
#[derive(Clone, Debug)]
pub struct Said {
    pub id: String,
    pub kind: &'static str,
    pub number: String,
    pub trade_no: String,
    pub amount_minor: i64,
    pub currency: &'static str,
    pub refunded_minor: Option<i64>,
}

impl Said {
    /// The order was paid as asked.
    pub fn paid(order: &Placed, trade_no: &str) -> Self {
        Self {
            id: format!("evt_{trade_no}"),
            kind: "payment.succeeded",
            number: order.order.number.clone(),
            trade_no: trade_no.into(),
            amount_minor: order.order.total_minor,
            currency: "USD",
            refunded_minor: None,
        }
    }

    /// As it is said now.
    pub fn body(&self) -> String {
        self.body_of(dispense::base::clock::Clock::default().unix())
    }

    /// As it was said at this time.
    pub fn body_of(&self, at: i64) -> String {
        let status = match self.kind {
            "payment.succeeded" => "paid",
            "payment.refunded" if self.refunded_minor < Some(self.amount_minor) => "partially_refunded",
            "payment.refunded" => "refunded",
            "payment.closed" => "closed",
            _ => "failed",
        };
        let mut data = json!({
            "order_no": self.number, "trade_no": self.trade_no, "amount_minor": self.amount_minor,
            "currency": self.currency, "status": status,
        });
        if let Some(refunded) = self.refunded_minor {
            data["refunded_minor"] = json!(refunded);
        }
        let at = chrono::DateTime::from_timestamp(at, 0).unwrap().to_rfc3339();
        json!({ "type": self.kind, "timestamp": at, "data": data }).to_string()
    }

    /// The signed headers and body at this time.
    pub fn signed(&self, at: i64) -> (Vec<(String, String)>, String) {
        let body = self.body_of(at);
        (signing::webhook(&generic_secret(), &self.id, at, &body).headers, body)
    }
}

/// Sends a notice and gives status and body of the answer.
pub async fn notify(
    http: &reqwest::Client,
    base: &str,
    at: i64,
    said: &Said,
) -> Result<(u16, String), reqwest::Error> {
    let (headers, body) = said.signed(at);
    let mut request = http.post(format!("{base}/webhooks/{GENERIC}")).body(body);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let answer = request.send().await?;
    Ok((answer.status().as_u16(), answer.text().await?))
}

impl TestApp {
    /// A variant of unique keys on sale at this price in US cents.
    pub async fn selling_keys(&self, keys: usize, unit_minor: i64) -> VariantId {
        let variant = self.variant_on_sale("key", unit_minor).await;
        self.import(variant, keys).await;
        variant
    }

    /// A product on sale with one variant of this kind and no goods yet.
    pub async fn variant_on_sale(&self, kind: &str, unit_minor: i64) -> VariantId {
        let (product, variant) = (self.app.clock.uuid(), self.app.clock.uuid());
        let (seller, slug) = (SHOP.0, format!("p-{}", &product.simple().to_string()[20..]));
        let sql = format!(
            "insert into product (id, seller_id, slug, state, on_sale_at) values ('{product}', '{seller}', '{slug}', 'on_sale', app_now());
             insert into translation values ('{product}', 'en', 'name', 'Thing {slug}'), ('{variant}', 'en', 'name', 'Standard');
             insert into variant (id, seller_id, product_id, kind) values ('{variant}', '{seller}', '{product}', '{kind}');
             insert into price (seller_id, variant_id, currency, unit_minor) values ('{seller}', '{variant}', 'USD', {unit_minor});"
        );
        self.db.sql(&sql).await;
        VariantId(variant)
    }

    /// Imports this many new keys. All begin with one text that nobody else writes, which is remembered as a canary.
    pub async fn import(&self, variant: VariantId, keys: usize) -> Vec<String> {
        let key = |_| format!("CANARY-KEY-{}", hex::encode_upper(dispense::base::clock::random::<12>()));
        let texts: Vec<String> = (0..keys).map(key).collect();
        self.canary("CANARY-KEY-");
        self.import_texts(variant, &texts).await;
        texts
    }

    pub async fn import_texts(&self, variant: VariantId, texts: &[String]) {
        let actor = Actor::system();
        let opened = intake::open_batch(&self.app, &actor, NewBatch::import(variant)).await.unwrap();
        restock::import(&self.app, &actor, opened.id, Cursor::new(texts.join("\n"))).await.unwrap();
    }

    /// A guest's order, with its first attempt to pay by the generic account.
    pub async fn order(&self, variant: VariantId, quantity: i32) -> Placed {
        self.order_of(&[(variant, quantity)]).await
    }

    pub async fn order_of(&self, wanted: &[(VariantId, i32)]) -> Placed {
        let placed = self.place(wanted).await;
        self.attempt(&placed, 1).await;
        placed
    }

    /// A guest's order without any attempt to pay.
    pub async fn place(&self, wanted: &[(VariantId, i32)]) -> Placed {
        self.place_in(wanted, "USD").await
    }

    /// The same in another currency, for which there must be a price.
    pub async fn place_in(&self, wanted: &[(VariantId, i32)], currency: &str) -> Placed {
        let buyer = hex::encode(dispense::base::clock::random::<6>());
        let mut total = 0;
        for (variant, quantity) in wanted {
            let price = self
                .db
                .one(&format!(
                    "select unit_minor from price where variant_id = '{}' and currency = '{currency}'",
                    variant.0
                ))
                .await;
            total += price.parse::<i64>().unwrap() * i64::from(*quantity);
        }
        let line = |(index, (variant_id, quantity)): (usize, &(VariantId, i32))| CartLine {
            key: index.to_string(),
            variant_id: *variant_id,
            quantity: *quantity,
        };
        let new = PlaceOrder {
            idempotency_key: format!("order-{}", hex::encode(dispense::base::clock::random::<12>())),
            lines: wanted.iter().enumerate().map(line).collect(),
            currency: Currency::parse(currency).unwrap(),
            locale: Locale::En,
            expected_total: total,
            quote_token: None,
            email: Some(format!("{buyer}@buyer.example")),
            gift: None,
            reference: None,
            metadata: Vec::new(),
        };
        // A guest who has typed a mailed code.
        let email = new.email.as_deref().map(|text| Email::parse(text).unwrap());
        let proof = Proof { email, ..Proof::default() };
        let placed = place::place_proven(&self.app, &Actor::guest(), &proof, new).await.unwrap();
        self.canary(placed.access_token.expose());
        placed
    }

    /// Writes the n-th attempt to pay an order by the generic account, as starting one does.
    pub async fn attempt(&self, placed: &Placed, n: i32) -> PaymentId {
        let order = &placed.order;
        let mut conn = self.app.db.conn().await.unwrap();
        let epoch = epoch::current(&mut conn).await.unwrap();
        let number = number::of_attempt(&order.number, order.placed_at, n, &epoch);
        let new = NewAttempt {
            id: PaymentId(self.app.clock.uuid()),
            order_id: order.id,
            account_id: GENERIC.into(),
            account_snapshot: json!({ "id": GENERIC }),
            attempt: n,
            gateway_number: number,
            expected_minor: order.total_minor,
            expected_currency: order.currency.as_str().into(),
            options: Value::Null,
            expires_at: order.pay_by,
            // Nobody can be asked: this account only receives.
            next_check_at: Some(order.pay_by + chrono::TimeDelta::days(365)),
        };
        attempts::insert(&mut conn, &new).await.unwrap();
        new.id
    }

    /// Sends a notice to this shop.
    pub async fn notify(&self, said: &Said) -> (u16, String) {
        notify(self.http(), &self.base, self.app.clock.unix(), said).await.unwrap()
    }

    /// An order for keys that is paid by a signed notice.
    pub async fn paid_order(&self, variant: VariantId, quantity: i32) -> Placed {
        let placed = self.order(variant, quantity).await;
        let (status, _) = self.notify(&Said::paid(&placed, &format!("T{}", placed.order.number))).await;
        assert_eq!(status, 200);
        placed
    }

    /// Paid orders of one key each, the last key of whose variant went to an order before them.
    pub async fn waiting_orders(&self, variant: VariantId, count: usize) -> Vec<Placed> {
        self.import(variant, 1).await;
        let mut orders = Vec::new();
        for _ in 0..=count {
            orders.push(self.order(variant, 1).await);
        }
        for placed in &orders {
            let paid = Said::paid(placed, &format!("T{}", placed.order.number));
            assert_eq!(self.notify(&paid).await.0, 200);
        }
        orders.split_off(1)
    }

    pub async fn order_state(&self, id: OrderId) -> String {
        self.db.one(&format!("select state from orders where id = '{}'", id.0)).await
    }

    /// States of an order's units and how many there are of each, as `assigned:2`.
    pub async fn unit_states(&self, id: OrderId) -> String {
        let sql = format!(
            "select coalesce(string_agg(state || ':' || n, ' ' order by state), '') from
               (select state, count(*) n from unit where order_id = '{}' group by state) s",
            id.0
        );
        self.db.one(&sql).await
    }
}

impl TestApp {
    /// Looks for the test's secrets in what a server process has logged.
    pub fn search_log(&self, log: &str) {
        for canary in self.canaries() {
            assert!(!log.contains(canary.as_str()), "a secret was logged by a server: {canary}");
        }
    }

    /// Until a query answers true.
    pub async fn wait_until(&self, sql: &str) {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while self.db.one(sql).await != "t" {
            assert!(std::time::Instant::now() < deadline, "never came true: {sql}");
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    }

    /// Until some session of this database waits for a lock.
    pub async fn wait_for_lock_waiter(&self) {
        self.wait_until(
            "select exists (select 1 from pg_locks l join pg_database d on d.oid = l.database
               where d.datname = current_database() and not l.granted)",
        )
        .await;
    }
}
