//! A shop that sells a bundle of four kinds.

use dispense::base::actor::Role;
use dispense::base::ids::{UnitId, VariantId};
use dispense::orders::place::Placed;
use serde_json::{Value, json};

use crate::downloads::shop::{FileShop, content};
use crate::harness::visitor::Visitor;
use crate::harness::{TestApp, behind_a_proxy, with_generic};

pub const SECRET: &str = "CANARY-SHARED: user reader, password 71";

/// Everything that an order shows of its lines.
const ORDER: &str = "query($n: String!, $t: String) { order(number: $n, accessToken: $t) {
    stage total { amount } whyNotDelivered { code message }
    lines { id kind title quantity deliveredQuantity state unit { amount } total { amount } refunded { amount }
      whyNotDelivered { code message } grants { canDownload }
      deliveries(first: 100) { totalCount nodes { id kind title unit state } }
      parts { id kind quantity deliveredQuantity state unit { amount } discount { amount } total { amount }
        refunded { amount } partOf { id } parts { id } deliveries(first: 100) { nodes { id state } } } } } }";

pub struct Shelf {
    pub t: TestApp,
    pub key: VariantId,
    pub file: VariantId,
    pub secret: VariantId,
    pub manual: VariantId,
    /// Two keys, a file, the secret and something made by hand, which cost 32.00 by themselves, for 19.99.
    pub bundle: VariantId,
}

impl Shelf {
    pub async fn open() -> Self {
        let t = TestApp::start_with(|config| {
            with_generic(config);
            behind_a_proxy(config);
        })
        .await;
        Self::over(t).await
    }

    /// Of a shop that runs.
    pub async fn over(t: TestApp) -> Self {
        t.canary("CANARY-SHARED");
        t.person("boss@shop.example", &[Role::Admin, Role::Seller]).await;
        let key = t.selling_keys(0, 700).await;
        let file = t.variant_on_sale("file", 500).await;
        FileShop { variant: file }.publish(&t, "book.zip", "1", &content(500, 1)).await;
        let secret = t.variant_on_sale("secret", 300).await;
        let manual = t.variant_on_sale("manual", 1_000).await;
        let bundle = t.variant_on_sale("bundle", 1_999).await;
        let shelf = Self { t, key, file, secret, manual, bundle };
        let boss = shelf.boss().await;
        let text = json!({ "variantId": secret.to_string(), "secretText": SECRET });
        let published = boss.act("secretVersionPublish", text, "secretVersion { number }").await;
        assert_eq!(published["userErrors"], json!([]));
        shelf.consists_of(bundle, &[(key, 2), (file, 1), (secret, 1), (manual, 1)]).await;
        shelf
    }

    /// The shop's admin, signed in just now.
    pub async fn boss(&self) -> Visitor {
        self.who("boss@shop.example").await
    }

    pub async fn who(&self, email: &str) -> Visitor {
        self.t.visitor("198.51.100.9").signed_in(&self.t.sign_in(email).await.tokens.access)
    }

    /// Sets what a bundle consists of, as its seller does.
    pub async fn consists_of(&self, bundle: VariantId, parts: &[(VariantId, i32)]) {
        let part =
            |(id, quantity): &(VariantId, i32)| json!({ "variantId": id.to_string(), "quantity": quantity });
        let parts: Vec<Value> = parts.iter().map(part).collect();
        let refused = self.edit(bundle, json!({ "parts": parts })).await;
        assert_eq!(refused, Value::Null);
    }

    /// Edits a variant; the first refusal's code and field, or null.
    pub async fn edit(&self, variant: VariantId, fields: Value) -> Value {
        let input = json!({ "variantId": variant.to_string(), "fields": fields });
        let edited = self.boss().await.act("variantUpdate", input, "variant { id }").await;
        match edited["userErrors"].get(0) {
            Some(error) => json!([error["code"], error["field"]]),
            None => Value::Null,
        }
    }

    /// The order as its guest sees it.
    pub async fn see(&self, placed: &Placed) -> Value {
        let asked = json!({ "n": placed.order.number, "t": placed.access_token.expose() });
        self.t.visitor("192.0.2.7").ask(ORDER, asked).await["order"].clone()
    }

    /// The texts of all pages that `deliveryReveal` has for a line.
    pub async fn texts(&self, placed: &Placed, line: &Value, page: i32) -> Vec<String> {
        let (mut texts, mut after) = (Vec::new(), Value::Null);
        loop {
            let input = json!({ "target": { "lineId": line }, "accessToken": placed.access_token.expose(),
                "first": page, "after": after });
            let fields = "secrets { text delivery { id } } pageInfo { hasNextPage endCursor } line { id }";
            let shown = self.t.visitor("192.0.2.7").act("deliveryReveal", input, fields).await;
            assert_eq!(shown["userErrors"], json!([]), "{shown}");
            let secrets = shown["secrets"].as_array().unwrap();
            assert!(secrets.len() <= page as usize);
            if !secrets.is_empty() {
                assert_eq!(shown["line"]["id"], *line, "the line that was asked for");
            }
            texts.extend(secrets.iter().map(|secret| secret["text"].as_str().unwrap().to_owned()));
            if shown["pageInfo"]["hasNextPage"] == false {
                return texts;
            }
            after = shown["pageInfo"]["endCursor"].clone();
        }
    }

    /// Delivers, as staff does, everything of an order that waits for a person.
    pub async fn fulfil(&self, placed: &Placed) -> usize {
        let sql = format!(
            "select id from unit where order_id = '{}' and state = 'awaiting_person' order by unit_no",
            placed.order.id.0
        );
        let units = self.t.db.sql(&sql).await;
        let boss = self.boss().await;
        for row in &units {
            let id = UnitId(row[0].as_ref().unwrap().parse().unwrap()).to_string();
            let input = json!({ "deliveryId": id, "secretText": "made for you" });
            let done = boss.act("deliveryFulfilManually", input, "line { state partOf { kind } }").await;
            assert_eq!(
                (&done["userErrors"], &done["line"]["partOf"]["kind"]),
                (&json!([]), &json!("bundle"))
            );
        }
        units.len()
    }

    /// What buyers see of a variant's stock.
    pub async fn availability(&self, variant: VariantId) -> Value {
        let query = "query($id: ID!) { node(id: $id) { ... on Variant { availability { level quantity canBuy reason text } } } }";
        let seen = self.t.visitor("192.0.2.8").ask(query, json!({ "id": variant.to_string() })).await;
        seen["node"]["availability"].clone()
    }

    /// The codes with which one more of a variant is refused in a cart, with what can be had.
    pub async fn problems(&self, variant: VariantId, quantity: i32) -> Vec<(String, Value)> {
        let lines = json!([{ "key": "1", "variantId": variant.to_string(), "quantity": quantity }]);
        let query = "query($i: QuoteInput!) { quote(input: $i) { canPlace lines { problems { code message available } } } }";
        let quote =
            self.t.visitor("192.0.2.8").ask(query, json!({ "i": { "lines": lines } })).await["quote"].clone();
        let problems = quote["lines"][0]["problems"].as_array().unwrap().clone();
        assert_eq!(quote["canPlace"], json!(problems.is_empty()));
        problems.iter().map(|p| (p["code"].as_str().unwrap().to_owned(), p["available"].clone())).collect()
    }

    /// The states of an order's units, by the kind of their part.
    pub async fn states(&self, placed: &Placed) -> String {
        let sql = format!(
            "select coalesce(string_agg(kind || ' ' || state || ':' || n, ', ' order by kind, state), '') from
               (select l.kind, u.state, count(*) n from unit u join order_line l on l.id = u.line_id
                 where u.order_id = '{}' group by 1, 2) s",
            placed.order.id.0
        );
        self.t.db.one(&sql).await
    }

    pub async fn must_be_sound(&self) {
        sound(&self.t).await;
    }
}

pub async fn sound(t: &TestApp) {
    let report = dispense::check::run(&t.app.db, &t.app.config.secrets).await.unwrap();
    assert!(report.is_clean(), "{report}");
}
