//! `dispense demo`: one whole purchase, played over real HTTP against a private shop and reported as it happens.
//! Whatever is reported was seen; whatever differs ends the story with a reason.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::base::clock::random;
use crate::base::outcome::Fault;
use crate::demo::child::DemoShop;
use crate::demo::client::{Client, text};
use crate::demo::seed;
use crate::demo::seller;
use crate::goods;

const EMAIL: &str = "ada@buyer.example";
/// How long anything that goes by itself may take.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(100);

const PRODUCTS: &str = "query Products { products(first: 20, sort: NAME) { nodes { slug name summary
  availability { text } variants { id price(currency: \"USD\") { unit { amount } }
  goods { kind ... on FileGoods { files { name size sha256 } } } } } } }";
const QUOTE: &str =
    "query Quote($in: QuoteInput!) { quote(input: $in) { token canPlace total { amount currency }
  paymentMethods { id title gateway available } } }";
const BUY: &str = "mutation Buy($in: OrderPlaceInput!) { orderPlace(input: $in) { accessToken
  order { number state stage } payment { id state action { kind hostedUrl } } userErrors { code message }
  paymentErrors { code message } } }";
const ORDER: &str =
    "query DemoOrder($n: String!, $t: String) { order(number: $n, accessToken: $t) { state stage
  lines { id title kind state deliveries { nodes { id } } grants { id canDownload file { name size sha256 } } } } }";
const STATUS: &str = "query Status($t: String!) { orderStatus(ticket: $t) { number stage } }";
const REVEAL: &str =
    "mutation Reveal($line: ID!, $t: String) { deliveryReveal(input: {target: {lineId: $line},
  accessToken: $t}) { secrets { text } line { state } userErrors { code message } } }";
const REPORT: &str = "mutation Report($in: DeliveryReportInput!) { deliveryReport(input: $in) {
  userErrors { code message } } }";
const CASES: &str = "query Cases($n: String!, $t: String) { order(number: $n, accessToken: $t) {
  lines { kind canReport cases { problem wish state } } } }";
const LINK: &str =
    "mutation Link($in: DownloadLinkCreateInput!) { downloadLinkCreate(input: $in) { link { url }
  userErrors { code message } } }";

/// Plays the story and cleans up behind it. An interrupt ends it early, and cleans up too.
pub async fn play() -> Result<(), Fault> {
    println!("Starting a private shop: its own PostgreSQL, its own folder, a simulated payment gateway.");
    let shop = DemoShop::start().await?;
    println!("  shop     {}\n  gateway  {}\n", shop.base, shop.sandbox);
    let outcome = tokio::select! {
        outcome = act(&shop) => outcome,
        _ = tokio::signal::ctrl_c() => Err(Fault::setup("interrupted")),
    };
    if outcome.is_err() {
        // What the server said about it, for whoever has to mend it.
        let log = shop.log().unwrap_or_default();
        let from = log.lines().count().saturating_sub(20);
        log.lines().skip(from).for_each(|line| eprintln!("{line}"));
    }
    let stopped = shop.stop().await;
    outcome?;
    stopped?;
    println!("The shop has stopped, and its folder is gone. That was all of it.");
    Ok(())
}

async fn act(shop: &DemoShop) -> Result<(), Fault> {
    let buyer = Client::new(&shop.base)?;
    let (key_variant, file_variant, promised) = look_around(&buyer).await?;
    let order = place(shop, &buyer, &key_variant, &file_variant).await?;
    pay(shop, &buyer, &order).await?;
    let paid = await_delivery(&buyer, &order).await?;
    let key = reveal(&buyer, &order, &paid).await?;
    download(&buyer, &order, &paid, &promised).await?;
    read_mail(&shop.data().join("mail"), &key).await?;
    report(&buyer, &order, &paid).await?;
    let seller = seller::sign_in(shop).await?;
    seller::answer_case(&seller).await?;
    let second = reveal_another(&buyer, &order, &paid, &[&key]).await?;
    seller::recall_batch(&seller, &key_variant).await?;
    let third = reveal_another(&buyer, &order, &paid, &[&key, &second]).await?;
    let keys = [("the key", key.as_str()), ("the second key", &second), ("the third key", &third)];
    search_log(&shop.log()?, &[&keys[..], &[("the guest's token", &order.token)]].concat())
}

/// An idempotency key: made once for one act, and sent again with every repeat of it.
pub(super) fn once() -> String {
    format!("demo-{}", hex::encode(random::<16>()))
}

/// The variants to buy, and the hash that the shop promises for its file.
async fn look_around(buyer: &Client) -> Result<(String, String, String), Fault> {
    println!("A guest looks around (GraphQL: products).");
    let products = buyer.ask(PRODUCTS, json!({}), "products").await?;
    let nodes = products["nodes"].as_array().cloned().unwrap_or_default();
    for product in &nodes {
        println!(
            "  {:<34} {:>6} USD  {}",
            text(product, "/name")?,
            text(product, "/variants/0/price/unit/amount")?,
            text(product, "/availability/text")?
        );
    }
    let find = |slug: &str| {
        let found = nodes.iter().find(|p| p["slug"] == slug);
        found.ok_or_else(|| Fault::setup(format!("the shop has no product `{slug}`")))
    };
    let file = find(seed::FILE_PRODUCT)?;
    let promised = text(file, "/variants/0/goods/files/0/sha256")?;
    same("the hash that the shop shows", &promised, "that of the uploaded file", &hash(seed::GUIDE))?;
    let key = text(find(seed::KEY_PRODUCT)?, "/variants/0/id")?;
    println!();
    Ok((key, text(file, "/variants/0/id")?, promised))
}

struct DemoOrder {
    number: String,
    /// Opens the order without an account.
    token: String,
    hosted_url: String,
}

async fn place(shop: &DemoShop, buyer: &Client, key: &str, file: &str) -> Result<DemoOrder, Fault> {
    let lines = json!([
        { "key": "a", "variantId": key, "quantity": 1 },
        { "key": "b", "variantId": file, "quantity": 1 },
    ]);
    let cart = json!({ "in": { "lines": lines, "currency": "USD", "email": EMAIL } });
    let quote = buyer.ask(QUOTE, cart, "quote").await?;
    let total = text(&quote, "/total/amount")?;
    let methods = quote["paymentMethods"].as_array().cloned().unwrap_or_default();
    let method = methods.iter().find(|m| m["gateway"] == "generic" && m["available"] == true);
    let method = method.ok_or_else(|| Fault::setup("the shop offers no way to pay"))?;
    println!("The guest puts a key and a file into the cart: {total} USD, and buys (GraphQL: orderPlace).");
    let input = json!({ "in": {
        "idempotencyKey": once(),
        "lines": lines, "currency": "USD", "expectedTotal": total, "quoteToken": quote["token"], "email": EMAIL,
        "start": { "methodId": method["id"], "accepts": ["REDIRECT"],
                   "returnUrl": format!("{}/storefront/", shop.base) },
    } });
    let placed = buyer.ask(BUY, input, "orderPlace").await?;
    let order = DemoOrder {
        number: text(&placed, "/order/number")?,
        token: text(&placed, "/accessToken")?,
        hosted_url: text(&placed, "/payment/action/hostedUrl")?,
    };
    println!("  order {}: {}\n", order.number, text(&placed, "/order/stage")?);
    Ok(order)
}

/// The way of a browser: the hosted page, the gateway's page, its button, and back.
async fn pay(shop: &DemoShop, buyer: &Client, order: &DemoOrder) -> Result<(), Fault> {
    println!("The browser opens the payment page and lands at the gateway.");
    let at_gateway = buyer.follow(&buyer.get(&order.hosted_url).await?).await?;
    if !at_gateway.starts_with(&shop.sandbox) {
        return Err(Fault::setup(format!("the payment page leads to {at_gateway}, not to the gateway")));
    }
    let pressed = buyer.press(&format!("{}/pay", at_gateway.trim_end_matches('/'))).await?;
    let back = buyer.follow(&pressed).await?;
    println!("  Paid there. The gateway signs a notification and sends it to the shop:");
    let notice = await_notice(shop, buyer, order).await?;
    println!("  {notice}");
    let client = buyer.follow(&buyer.get(&back).await?).await?;
    let client = url::Url::parse(&client).map_err(|e| Fault::setup(format!("the way back: {e}")))?;
    let parameter = |name: &str| client.query_pairs().find(|(n, _)| n == name).map(|(_, v)| v.into_owned());
    let ticket = parameter("ticket").ok_or_else(|| Fault::setup("the way back carries no ticket"))?;
    same("the order of the way back", &parameter("order").unwrap_or_default(), "ours", &order.number)?;
    let seen = buyer.ask(STATUS, json!({ "t": ticket }), "orderStatus").await?;
    println!(
        "  Back in the shop; the ticket in the address shows that {} is {} and nothing more.\n",
        text(&seen, "/number")?,
        text(&seen, "/stage")?
    );
    Ok(())
}

/// The gateway's own record of the notice and of our answer to it.
async fn await_notice(shop: &DemoShop, buyer: &Client, order: &DemoOrder) -> Result<String, Fault> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let journal = buyer.get(&format!("{}/sandbox/journal", shop.sandbox)).await?;
        let journal: Value = serde_json::from_slice(&journal.body)
            .map_err(|e| Fault::setup(format!("the gateway's journal: {e}")))?;
        let payments = journal["payments"].as_array().cloned().unwrap_or_default();
        let payment = payments.iter().find(|p| p["number"] == order.number.as_str());
        let notices = journal["notices"].as_array().cloned().unwrap_or_default();
        let mine = notices.iter().filter(|n| payment.is_some_and(|p| p["id"] == n["payment"]));
        let taken = mine
            .filter_map(|n| Some((n, n["attempts"].as_array()?.last()?)))
            .find(|(_, a)| a["status"] == 200);
        if let Some((notice, _)) = taken {
            return Ok(format!("{} ({}): answered 200", text(notice, "/kind")?, text(notice, "/id")?));
        }
        if Instant::now() > deadline {
            return Err(Fault::setup("the gateway's notification was never accepted"));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn await_delivery(buyer: &Client, order: &DemoOrder) -> Result<Value, Fault> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let seen = buyer.ask(ORDER, json!({ "n": order.number, "t": order.token }), "order").await?;
        if seen["state"] == "PAID" && seen["stage"] == "DELIVERED" {
            println!("Order {} is PAID and DELIVERED:", order.number);
            for line in seen["lines"].as_array().into_iter().flatten() {
                println!("  {:<34} {}", text(line, "/title")?, text(line, "/state")?);
            }
            println!();
            return Ok(seen);
        }
        if Instant::now() > deadline {
            return Err(Fault::setup(format!("the order is still {} {}", seen["state"], seen["stage"])));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn line<'a>(order: &'a Value, kind: &str) -> Result<&'a Value, Fault> {
    let lines = order["lines"].as_array().into_iter().flatten();
    lines
        .into_iter()
        .find(|l| l["kind"] == kind)
        .ok_or_else(|| Fault::setup(format!("no line of kind {kind}")))
}

async fn reveal(buyer: &Client, order: &DemoOrder, seen: &Value) -> Result<String, Fault> {
    let variables = json!({ "line": text(line(seen, goods::KEY)?, "/id")?, "t": order.token });
    let shown = buyer.ask(REVEAL, variables, "deliveryReveal").await?;
    let key = text(&shown, "/secrets/0/text")?;
    println!("The guest reveals the key (GraphQL: deliveryReveal).\n  key  {key}\n");
    Ok(key)
}

/// A bad key becomes a case.
async fn report(buyer: &Client, order: &DemoOrder, seen: &Value) -> Result<(), Fault> {
    let input = json!({ "in": {
        "idempotencyKey": once(), "accessToken": order.token,
        "deliveryId": text(line(seen, goods::KEY)?, "/deliveries/nodes/0/id")?,
        "problem": "INVALID_KEY", "wish": "REPLACE", "text": "It says that the key is used already.",
    } });
    buyer.ask(REPORT, input, "deliveryReport").await?;
    let seen = buyer.ask(CASES, json!({ "n": order.number, "t": order.token }), "order").await?;
    let case = &line(&seen, goods::KEY)?["cases"][0];
    println!("The guest reports that the key does not work (GraphQL: deliveryReport).");
    println!(
        "  {}, wish {}: the case is {}.\n",
        text(case, "/problem")?,
        text(case, "/wish")?,
        text(case, "/state")?
    );
    Ok(())
}

/// What the guest sees instead of keys that do not count any more.
async fn reveal_another(
    buyer: &Client,
    order: &DemoOrder,
    seen: &Value,
    before: &[&str],
) -> Result<String, Fault> {
    let variables = json!({ "line": text(line(seen, goods::KEY)?, "/id")?, "t": order.token });
    let deadline = Instant::now() + PATIENCE;
    loop {
        let shown = buyer.ask(REVEAL, variables.clone(), "deliveryReveal").await;
        let key = shown.and_then(|shown| text(&shown, "/secrets/0/text"));
        match key {
            Ok(key) if !before.contains(&key.as_str()) => {
                println!("  The guest reveals another key: {key}\n");
                return Ok(key);
            }
            Err(fault) if Instant::now() > deadline => return Err(fault),
            _ if Instant::now() > deadline => return Err(Fault::setup("no other key came")),
            _ => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// Hashes what arrives, not what somebody says about it.
async fn download(buyer: &Client, order: &DemoOrder, seen: &Value, promised: &str) -> Result<(), Fault> {
    let grant = text(line(seen, goods::FILE)?, "/grants/0/id")?;
    let input = json!({ "in": { "grantId": grant, "accessToken": order.token } });
    let made = buyer.ask(LINK, input, "downloadLinkCreate").await?;
    let answer = buyer.get(&text(&made, "/link/url")?).await?;
    if answer.status != 200 {
        return Err(Fault::setup(format!("the download answered {}", answer.status)));
    }
    let arrived = hash(&answer.body);
    println!("The guest downloads the file by its link (REST: /downloads/…): {} bytes.", answer.body.len());
    println!("  sha256 of the uploaded file     {}", hash(seed::GUIDE));
    println!("  sha256 of what was downloaded   {arrived}");
    same("the downloaded bytes", &arrived, "the uploaded file", &hash(seed::GUIDE))?;
    same("the downloaded bytes", &arrived, "the hash shown before buying", promised)?;
    println!("  They are equal.\n");
    Ok(())
}

async fn read_mail(folder: &Path, key: &str) -> Result<(), Fault> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(mail) = mails(folder).into_iter().find(|mail| mail.contains(key)) {
            println!("Meanwhile the shop has written a mail with both (data/mail/*.eml):");
            mail.lines().for_each(|line| println!("  | {line}"));
            println!();
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(Fault::setup("no mail with the key was written"));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn mails(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mails = entries.map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "eml"));
    mails.filter_map(|path| Some(readable(&std::fs::read_to_string(path).ok()?))).collect()
}

/// The mail as a program without pages shows it: its header and its plain text (RFC 2045, RFC 2046).
fn readable(mail: &str) -> String {
    let mail = mail.replace("\r\n", "\n");
    let Some((head, parts)) = mail.split_once("\n\n") else { return mail };
    let boundary = head.split("boundary=\"").nth(1).and_then(|rest| rest.split('"').next());
    let plain = boundary.and_then(|boundary| parts.split(&format!("--{boundary}\n")).nth(1));
    let Some((fields, text)) = plain.and_then(|part| part.split_once("\n\n")) else { return mail };
    let text = match fields.to_ascii_lowercase().contains("content-transfer-encoding: quoted-printable") {
        true => unquoted(text),
        false => text.to_owned(),
    };
    format!("{head}\n\n{text}")
}

/// Undoes quoted-printable (RFC 2045, 6.7).
fn unquoted(text: &str) -> String {
    let joined = text.replace("=\n", "");
    let mut bytes = Vec::with_capacity(joined.len());
    let mut rest = joined.as_bytes();
    while let [first, more @ ..] = rest {
        let byte = match more {
            [high, low, ..] if *first == b'=' => {
                std::str::from_utf8(&[*high, *low]).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok())
            }
            _ => None,
        };
        bytes.push(byte.unwrap_or(*first));
        rest = &more[if byte.is_some() { 2 } else { 0 }..];
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn search_log(log: &str, secrets: &[(&str, &str)]) -> Result<(), Fault> {
    for (name, secret) in secrets {
        if log.contains(secret) {
            return Err(Fault::setup(format!("the server's log contains {name}")));
        }
    }
    println!(
        "The server's log has {} lines, and neither a key nor the guest's token in them.",
        log.lines().count()
    );
    Ok(())
}

fn same(what: &str, found: &str, other: &str, wanted: &str) -> Result<(), Fault> {
    if found == wanted {
        return Ok(());
    }
    Err(Fault::setup(format!("{what} ({found}) differ from {other} ({wanted})")))
}

fn hash(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
