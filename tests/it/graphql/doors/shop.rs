//! A shop with goods, people and orders in it, made as a frontend makes them: by GraphQL over HTTP, files and keys by
//! REST, payments at the simulated gateway. Not by the API: the role of the first admin, and the reading of mailed codes.

use std::ops::Deref;

use dispense::base::actor::Role;
use dispense::people::code::Purpose;
use serde_json::{Value, json};

use crate::harness::visitor::Visitor;
use crate::harness::{PASSWORD, TestApp, TestDatabase};
use crate::payments::street::{HURRY, Street, street_of};

pub const BOOK: &[u8] = b"The first chapter, and the last.";
pub const ADMIN: &str = "admin@people.example";
pub const BUYER: &str = "buyer@people.example";
pub const GUEST: &str = "guest@people.example";

/// What is asked of an order.
pub const ORDER: &str = "id number state stage email total { amount } paid { amount } refunded { amount } canPay canCancel
    live { watchTicket } timeline { kind source } payments { id state } refunds { id state amount { amount } reason }
    lines { id kind state quantity deliveredQuantity deliveries { nodes { id state } }
        grants { id used file { id version } } }";

/// Somebody who has signed in.
pub struct Person {
    door: Visitor,
    pub id: String,
    pub email: String,
    pub access: String,
    pub refresh: String,
}

impl Deref for Person {
    type Target = Visitor;

    fn deref(&self) -> &Visitor {
        &self.door
    }
}

/// A product of one variant, on sale.
pub struct Goods {
    pub product: String,
    pub variant: String,
    pub slug: String,
}

/// An order whose payment was started.
pub struct Bought {
    pub id: String,
    pub number: String,
    /// Null for who is signed in.
    pub token: Value,
    pub payment: String,
    /// Where the buyer pays.
    pub url: String,
}

pub struct Shop {
    pub street: Street,
    pub admin: Person,
    pub support: Person,
    pub seller: Person,
    pub buyer: Person,
    pub guest: Visitor,
    /// Licence keys at 12.50, six of them left.
    pub keys: Goods,
    /// A file at 3.00.
    pub book: Goods,
    /// The only version of the file.
    pub version: String,
    /// A guest's two keys, paid.
    pub by_guest: Bought,
    /// A key and the book of the buyer who signed in, paid.
    pub by_buyer: Bought,
    /// A guest's key, not paid.
    pub unpaid: Bought,
}

/// A key of an idempotent call.
pub fn once() -> String {
    format!("once-{}", hex::encode(dispense::base::clock::random::<12>()))
}

/// Code and field of the first of `userErrors`; `done` when there is none.
pub fn refusal(payload: &Value) -> String {
    let Some(error) = payload["userErrors"].get(0) else { return "done".into() };
    let code = error["code"].as_str().unwrap();
    let field: Vec<&str> =
        error["field"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if field.is_empty() { code.into() } else { format!("{code} {}", field.join(".")) }
}

/// `extensions.code` of a mutation that is refused at the top.
pub async fn denied(who: &Visitor, name: &str, input: Value) -> String {
    let kind = format!("{}{}Input", name[..1].to_uppercase(), &name[1..]);
    let query = format!("mutation($i: {kind}!) {{ {name}(input: $i) {{ userErrors {{ code }} }} }}");
    let answer = who.raw(&query, json!({ "i": input })).await;
    answer["errors"][0]["extensions"]["code"]
        .as_str()
        .unwrap_or_else(|| panic!("{name}: {answer}"))
        .to_owned()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// Registers and confirms the address by the mailed code.
pub async fn register(t: &TestApp, email: &str, name: &str) {
    let door = t.visitor("203.0.113.7");
    t.canary(PASSWORD);
    let new = json!({ "email": email, "password": PASSWORD, "name": name, "locale": "en" });
    let registered = door.act("userRegister", new, "registration").await;
    let code = t.mailed_code(Purpose::ConfirmEmail, email).await;
    let known = json!({ "email": email, "code": code.expose(), "registration": registered["registration"] });
    assert_eq!(refusal(&door.act("userConfirmEmail", known, "").await), "done");
}

/// The same, and signs in.
pub async fn join(t: &TestApp, email: &str, name: &str) -> Person {
    register(t, email, name).await;
    sign_in(t, email).await
}

pub async fn sign_in(t: &TestApp, email: &str) -> Person {
    let door = t.visitor("203.0.113.7");
    let input = json!({ "email": email, "password": PASSWORD, "device": "a test" });
    let session = door.act("sessionCreate", input, "user { id } tokens { accessToken refreshToken }").await;
    assert_eq!(refusal(&session), "done");
    let (access, refresh) =
        (text(&session["tokens"]["accessToken"]), text(&session["tokens"]["refreshToken"]));
    t.canary(&access);
    t.canary(&refresh);
    Person {
        door: door.bearer(&access),
        id: text(&session["user"]["id"]),
        email: email.into(),
        access,
        refresh,
    }
}

/// Somebody to whom the admin gives a role.
async fn hire(t: &TestApp, admin: &Visitor, email: &str, role: &str) -> Person {
    register(t, email, role).await;
    let query = "query($s: String) { desk { users(search: $s) { nodes { id } } } }";
    let found = admin.ask(query, json!({ "s": email })).await["desk"]["users"]["nodes"].clone();
    let roles = json!({ "userId": found[0]["id"], "roles": [role] });
    assert_eq!(refusal(&admin.act("userSetRoles", roles, "").await), "done");
    sign_in(t, email).await
}

/// A draft of one variant of this kind.
pub async fn draft(seller: &Visitor, slug: &str, name: &str, kind: &str, price: &str) -> Goods {
    let new = json!({ "slug": slug, "tags": ["tools"], "texts": [{ "locale": "en", "name": name }] });
    let made = seller.act("productCreate", new, "product { id state }").await;
    assert_eq!((refusal(&made).as_str(), &made["product"]["state"]), ("done", &json!("DRAFT")));
    let product = text(&made["product"]["id"]);
    let fields = json!({ "texts": [{ "locale": "en", "name": "Standard" }],
        "prices": [{ "currency": "USD", "unit": price }] });
    let new = json!({ "productId": product, "kind": kind, "fields": fields });
    let made = seller.act("variantCreate", new, "variant { id }").await;
    assert_eq!(refusal(&made), "done");
    Goods { product, variant: text(&made["variant"]["id"]), slug: slug.into() }
}

/// Asks for a review and passes it.
pub async fn put_on_sale(seller: &Visitor, staff: &Visitor, goods: &Goods) {
    let which = json!({ "productId": goods.product });
    let sent = seller.act("productSubmit", which.clone(), "product { state }").await;
    assert_eq!((refusal(&sent).as_str(), &sent["product"]["state"]), ("done", &json!("IN_REVIEW")));
    let approved = staff.act("productApprove", which, "product { state }").await;
    assert_eq!((refusal(&approved).as_str(), &approved["product"]["state"]), ("done", &json!("ON_SALE")));
}

/// Brings these keys in; the answer of the import.
pub async fn import(t: &TestApp, seller: &Person, variant: &str, keys: &[String]) -> Value {
    let opened =
        seller.act("keyImportCreate", json!({ "variantId": variant }), "uploadUrl batch { id }").await;
    assert_eq!(refusal(&opened), "done");
    let request = t.http().post(text(&opened["uploadUrl"])).bearer_auth(&seller.access);
    let answer = request.header("content-type", "text/plain").body(keys.join("\n")).send().await.unwrap();
    let (status, body) = (answer.status(), answer.text().await.unwrap());
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

/// New keys, which are remembered as canaries.
pub fn new_keys(t: &TestApp, count: usize) -> Vec<String> {
    t.canary("CANARY-KEY-");
    let key = |_| format!("CANARY-KEY-{}", hex::encode_upper(dispense::base::clock::random::<12>()));
    (0..count).map(key).collect()
}

/// Uploads a file; the id of the complete upload.
pub async fn upload(t: &TestApp, seller: &Person, name: &str, content: &[u8]) -> String {
    let new = json!({ "name": name, "size": content.len().to_string(), "contentType": "application/zip" });
    let announced = seller.act("fileUploadCreate", new, "upload { id url }").await;
    assert_eq!(refusal(&announced), "done");
    let request = t.http().patch(text(&announced["upload"]["url"])).bearer_auth(&seller.access);
    let request = request.header("tus-resumable", "1.0.0").header("upload-offset", "0");
    let request = request.header("content-type", "application/offset+octet-stream");
    assert_eq!(request.body(content.to_vec()).send().await.unwrap().status(), 204);
    text(&announced["upload"]["id"])
}

/// Uploads and publishes; the id of the version.
pub async fn publish(t: &TestApp, seller: &Person, variant: &str, version: &str, content: &[u8]) -> String {
    let upload = upload(t, seller, "book.zip", content).await;
    let new = json!({ "variantId": variant, "uploadId": upload, "version": version });
    let published = seller.act("fileVersionPublish", new, "fileVersion { id }").await;
    assert_eq!(refusal(&published), "done");
    text(&published["fileVersion"]["id"])
}

pub async fn shop() -> Shop {
    let street = street_of(&["stripe"], TestDatabase::migrated().await, HURRY, |_| {}, |_| {}).await;
    let t = &street.t;
    register(t, ADMIN, "Ada").await;
    t.appoint(ADMIN, &[Role::Admin]).await;
    let admin = sign_in(t, ADMIN).await;
    let (support, seller, buyer) = tokio::join!(
        hire(t, &admin, "support@people.example", "SUPPORT"),
        hire(t, &admin, "seller@people.example", "SELLER"),
        join(t, BUYER, "Bo"),
    );
    let guest = t.visitor("203.0.113.9");

    let keys = draft(&seller, "editor", "An editor", "key", "12.50").await;
    let imported = import(t, &seller, &keys.variant, &new_keys(t, 10)).await;
    assert_eq!(imported["added"], json!(10), "{imported}");
    put_on_sale(&seller, &support, &keys).await;
    let book = draft(&seller, "book", "A book", "file", "3.00").await;
    let version = publish(t, &seller, &book.variant, "1", BOOK).await;
    put_on_sale(&seller, &support, &book).await;

    let by_guest = order(&street, &guest, &[(&keys, 2)], "25.00", Some(GUEST)).await;
    let by_buyer = order(&street, &buyer, &[(&keys, 1), (&book, 1)], "15.50", None).await;
    let unpaid = order(&street, &guest, &[(&keys, 1)], "12.50", Some("late@people.example")).await;
    for bought in [&by_guest, &by_buyer] {
        street.visit(&bought.url).await;
        street.act(&bought.number, "pay");
    }
    street.settled().await;
    Shop { admin, support, seller, buyer, guest, keys, book, version, by_guest, by_buyer, unpaid, street }
}

/// Places an order and starts its payment at Stripe; guests name an address.
pub async fn order(
    street: &Street,
    who: &Visitor,
    lines: &[(&Goods, i32)],
    total: &str,
    email: Option<&str>,
) -> Bought {
    let line = |(key, (goods, quantity)): (usize, &(&Goods, i32))| json!({ "key": key.to_string(), "variantId": goods.variant, "quantity": quantity });
    let lines: Vec<Value> = lines.iter().enumerate().map(line).collect();
    let start = json!({ "methodId": "mth_stripe", "accepts": ["REDIRECT"], "returnUrl": "https://shop.example/back" });
    let new = json!({ "idempotencyKey": once(), "lines": lines, "currency": "USD", "expectedTotal": total,
        "email": email, "start": start });
    let fields = "accessToken order { id number } paymentErrors { code } payment { id action { ... on RedirectAction { url } } }";
    let placed = who.act("orderPlace", new, fields).await;
    assert_eq!((refusal(&placed).as_str(), &placed["paymentErrors"]), ("done", &json!([])));
    if let Some(token) = placed["accessToken"].as_str() {
        street.t.canary(token);
    }
    Bought {
        id: text(&placed["order"]["id"]),
        number: text(&placed["order"]["number"]),
        token: placed["accessToken"].clone(),
        payment: text(&placed["payment"]["id"]),
        url: text(&placed["payment"]["action"]["url"]),
    }
}

/// The buyer goes to the gateway and pays; the shop hears of it.
pub async fn pay(street: &Street, bought: &Bought) {
    street.visit(&bought.url).await;
    street.act(&bought.number, "pay");
    street.settled().await;
}

impl Shop {
    pub fn t(&self) -> &TestApp {
        &self.street.t
    }

    /// The order as its holder sees it.
    pub async fn see(&self, bought: &Bought) -> Value {
        let who = if bought.token.is_null() { &self.buyer } else { &self.guest };
        self.see_as(who, bought).await
    }

    pub async fn see_as(&self, who: &Visitor, bought: &Bought) -> Value {
        let query =
            format!("query($n: String!, $t: String) {{ order(number: $n, accessToken: $t) {{ {ORDER} }} }}");
        who.ask(&query, json!({ "n": bought.number, "t": bought.token })).await["order"].clone()
    }

    /// One list or value of the desk, as support sees it.
    pub async fn desk(&self, fields: &str) -> Value {
        self.support.ask(&format!("{{ desk {{ {fields} }} }}"), json!({})).await["desk"].clone()
    }

    /// Proves the database and ends the test.
    pub async fn sound(self) {
        let t = self.street.t;
        let report = dispense::check::run(&t.app.db, &t.app.config.secrets).await.unwrap();
        assert!(report.is_clean(), "{report}");
        t.finish_with_jobs().await;
    }
}

/// The ids of an order's deliveries of a kind of goods.
pub fn deliveries(order: &Value, kind: &str) -> Vec<String> {
    let lines = order["lines"].as_array().unwrap().iter().filter(|line| line["kind"] == kind);
    lines
        .flat_map(|line| line["deliveries"]["nodes"].as_array().unwrap())
        .map(|node| text(&node["id"]))
        .collect()
}
