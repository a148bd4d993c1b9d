//! Every door asks one rule: each door against each state of money and piece.

use chrono::TimeDelta;
use dispense::base::ids::{GrantId, UnitId};
use dispense::delivery::claim_links;
use futures::StreamExt;
use serde_json::{Value, json};

use super::shop::{Bought, bought, bought_with_file};
use crate::downloads::shop::{content, refusal};
use crate::graphql::client::Client;

const REVEAL: &str = "mutation($d: [ID!]!, $t: String) { deliveryReveal(input: { target: { deliveryIds: $d }, accessToken: $t }) {
    secrets { text } userErrors { code } } }";
const RESEND: &str = "mutation($o: ID!, $t: String) { deliveryResend(input: { orderId: $o, accessToken: $t }) { userErrors { code } } }";
const REPORT: &str =
    "mutation($i: DeliveryReportInput!) { deliveryReport(input: $i) { userErrors { code } } }";

const LINK: &str =
    "mutation($g: ID!, $t: String) { downloadLinkCreate(input: { grantId: $g, accessToken: $t }) {
    link { url } userErrors { code } } }";
const SHOWN: &str = "query($n: String!, $t: String) { order(number: $n, accessToken: $t) { lines { grants { id canDownload } } } }";
const NODE: &str = "query($id: ID!) { node(id: $id) { ... on DownloadGrant { id canDownload } } }";

/// What happens to the money, and what every door says then.
struct Case {
    name: &'static str,
    door: &'static str,
}

async fn happen(shop: &Bought, name: &str) {
    let open = async |kind: &str| {
        shop.street.simulator.set_trouble(json!({ "refunds": kind })).unwrap();
    };
    match name {
        "paid" => {}
        "full refund open" => {
            open("pending").await;
            shop.staff_refund(json!({})).await;
        }
        "refund of the unit open" => {
            open("pending").await;
            let units = [shop.deliveries(0).await, shop.deliveries(1).await].concat();
            shop.staff_refund(json!({ "units": units })).await;
        }
        "refund failed" => {
            open("failed").await;
            shop.staff_refund(json!({})).await;
        }
        "refunded" => {
            shop.staff_refund(json!({})).await;
        }
        "part refunded by amount" => {
            shop.staff_refund(json!({ "amount": "1.00" })).await;
        }
        "inquiry" => {
            shop.report(&shop.dispute("charge.dispute.created", "dp_1", 1_900, "warning_needs_response", 0))
                .await;
        }
        "disputed" | "dispute won" | "dispute lost" | "dispute lost in part" => {
            let amount = if name == "dispute lost in part" { 500 } else { 1_900 };
            shop.report(&shop.dispute("charge.dispute.created", "dp_1", amount, "needs_response", 0)).await;
            let end = match name {
                "dispute won" => "won",
                "disputed" => return,
                _ => "lost",
            };
            shop.report(&shop.dispute("charge.dispute.closed", "dp_1", amount, end, 1)).await;
        }
        other => panic!("{other}"),
    }
    shop.street.simulator.settled().await;
}

fn code(payload: &Value) -> String {
    payload["userErrors"][0]["code"].as_str().unwrap_or("open").to_owned()
}

/// What the doors that serve the file answer: the link that was made before, the page and the button of the mailed
/// link, a new link, and the file's line as the order and `node` show it.
async fn file_doors(shop: &Bought, link: &str, claim: &str) -> Vec<(&'static str, String)> {
    let t = &shop.street.t;
    let (buyer, token) = (Client::new(&t.app), shop.placed.access_token.expose());
    let said = async |answer: reqwest::Response| match answer.status().as_u16() {
        200 | 303 => "open".to_owned(),
        _ => refusal(answer).await.split(' ').nth(1).unwrap().to_owned(),
    };
    let grant = t.db.one("select id from download_grant").await;
    let grant = GrantId(grant.parse().unwrap()).to_string();
    let made = buyer.data(LINK, json!({ "g": grant, "t": token })).await["downloadLinkCreate"].clone();
    let shown =
        buyer.data(SHOWN, json!({ "n": shop.placed.order.number, "t": token })).await["order"].clone();
    let shown = shown["lines"][1]["grants"][0].clone();
    assert_eq!(shown["id"], json!(grant));
    let by_id = shop.staff.data(NODE, json!({ "id": grant })).await["node"].clone();
    assert_eq!(by_id["canDownload"], shown["canDownload"], "{by_id}");
    let can = shown["canDownload"] == true;
    vec![
        ("a link that was made before", said(t.http().get(link).send().await.unwrap()).await),
        ("the page of the mailed link", said(t.http().get(claim).send().await.unwrap()).await),
        ("the button of the mailed link", said(t.http().post(claim).send().await.unwrap()).await),
        ("a new link", code(&made)),
        ("what is shown", if can { "open".into() } else { code(&made) }),
    ]
}

/// Rows: L8, P9, D3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_door_says_the_same_in_every_state_of_the_money() {
    let cases = [
        Case { name: "paid", door: "open" },
        Case { name: "part refunded by amount", door: "open" },
        Case { name: "refund of the unit open", door: "REFUNDED" },
        Case { name: "full refund open", door: "REFUNDED" },
        Case { name: "refund failed", door: "open" },
        Case { name: "refunded", door: "REFUNDED" },
        Case { name: "inquiry", door: "open" },
        Case { name: "disputed", door: "REVOKED" },
        Case { name: "dispute won", door: "open" },
        Case { name: "dispute lost in part", door: "open" },
        Case { name: "dispute lost", door: "REVOKED" },
    ];
    for case in cases {
        let shop = bought_with_file(&content(48 << 20, 3)).await;
        let t = &shop.street.t;
        let (buyer, token) = (Client::new(&t.app), shop.placed.access_token.expose());
        let unit = shop.deliveries(0).await.remove(0);
        let grant = GrantId(t.db.one("select id from download_grant").await.parse().unwrap());
        let given = json!({ "g": grant.to_string(), "t": token });
        let made = buyer.data(LINK, given).await["downloadLinkCreate"].clone();
        let link = made["link"]["url"].as_str().unwrap().to_owned();
        let claim = claim_links(&t.app, shop.placed.order.id).await.unwrap().remove(0);
        // A download that is under way.
        let mut stream = t.http().get(&link).send().await.unwrap().bytes_stream();
        stream.next().await.unwrap().unwrap();
        happen(&shop, case.name).await;
        let mut ended_well = true;
        while let Some(piece) = stream.next().await {
            ended_well &= piece.is_ok();
            if !ended_well {
                break;
            }
        }
        assert_eq!(ended_well, case.door == "open", "a running stream, {}", case.name);
        for (door, said) in file_doors(&shop, &link, &claim.url).await {
            assert_eq!(said, case.door, "{door}, {}", case.name);
        }
        let shown = buyer.data(REVEAL, json!({ "d": [unit], "t": token })).await["deliveryReveal"].clone();
        assert_eq!(code(&shown), case.door, "reveal, {}", case.name);
        assert_eq!(
            shown["secrets"].as_array().unwrap().len(),
            usize::from(case.door == "open"),
            "{}",
            case.name
        );
        t.advance(TimeDelta::hours(2)).await;
        let order = shop.placed.order.id.to_string();
        let sent = buyer.data(RESEND, json!({ "o": order, "t": token })).await["deliveryResend"].clone();
        assert_eq!(code(&sent), case.door, "resend, {}", case.name);
        let report = json!({ "idempotencyKey": "a report of one piece", "deliveryId": unit, "accessToken": token,
            "problem": "not_working", "wish": "HELP" });
        let reported = buyer.data(REPORT, json!({ "i": report })).await["deliveryReport"].clone();
        assert_eq!(code(&reported), case.door, "report, {}", case.name);
        // A mail that was asked for before the money moved says nothing of the key after it.
        let key = "select count(*) from vault_key where mailed_at is not null";
        assert_eq!(t.db.one(key).await, "1", "the delivery itself was mailed");
        let id = UnitId::parse(&unit).unwrap().0;
        let restocked = format!(
            "select count(*) from vault_key where unit_id is distinct from '{id}' and mailed_at is not null"
        );
        assert_eq!(t.db.one(&restocked).await, "0", "a key that was mailed never goes back, {}", case.name);
        shop.street.t.finish_with_jobs().await;
    }
}

/// Rows: K10, P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stock_that_comes_while_money_goes_back_fills_nothing_until_the_money_stays() {
    let street = crate::payments::street::street().await;
    let t = &street.t;
    let variant = t.selling_keys(1, 1_900).await;
    let placed = t.place(&[(variant, 1)]).await;
    street.start(&placed, "stripe").await;
    // Somebody else buys the last key meanwhile.
    t.db.sql("update vault_key set state = 'voided', voided_at = app_now()").await;
    street.act(&placed.order.number, "pay");
    street.settled().await;
    assert_eq!(t.unit_states(placed.order.id).await, "awaiting_stock:1");
    let intent = t.db.one("select trade_no from payment").await;
    let shop = Bought { intent, total: 1_900, staff: Client::new(&t.app), placed, street };
    let t = &shop.street.t;
    shop.report(&shop.dispute("charge.dispute.created", "dp_1", 1_900, "needs_response", 0)).await;
    t.import(variant, 1).await;
    shop.street.settled().await;
    dispense::fulfilment::fill::sweep(&t.app).await.unwrap();
    assert_eq!(shop.units().await, "awaiting_stock:1", "nothing is assigned while the payment is disputed");
    shop.report(&shop.dispute("charge.dispute.closed", "dp_1", 1_900, "won", 1)).await;
    shop.street.settled().await;
    assert_eq!(shop.units().await, "assigned:1", "the end of the dispute fills what waited");
    shop.sound().await;
}

/// Rows: L8, K6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_line_whose_pieces_went_back_in_part_the_others_are_shown() {
    const LINE: &str = "mutation($l: ID!, $t: String, $n: Int, $a: String) {
        deliveryReveal(input: { target: { lineId: $l }, accessToken: $t, first: $n, after: $a }) {
            secrets { text delivery { id } } pageInfo { hasNextPage endCursor } userErrors { code } } }";
    let shop = bought(&[(3, 1_900)]).await;
    let units = shop.deliveries(0).await;
    let line = shop.order().await["lines"][0]["id"].clone();
    let (buyer, token) = (Client::new(&shop.street.t.app), shop.placed.access_token.expose());
    let show = async |first: i32, after: Value| {
        let given = json!({ "l": line, "t": token, "n": first, "a": after });
        buyer.data(LINE, given).await["deliveryReveal"].clone()
    };
    let ids = |page: &Value| {
        let secrets = page["secrets"].as_array().unwrap().iter();
        secrets.map(|s| s["delivery"]["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    shop.staff_refund(json!({ "units": [units[0]] })).await;
    assert_eq!(ids(&show(100, Value::Null).await), units[1..]);
    // A page without anything to show leads on.
    let first = show(1, Value::Null).await;
    assert_eq!((ids(&first).len(), &first["pageInfo"]["hasNextPage"]), (0, &json!(true)));
    assert_eq!(ids(&show(1, first["pageInfo"]["endCursor"].clone()).await), units[1..2]);
    let named = json!({ "d": units, "t": token });
    assert_eq!(code(&buyer.data(REVEAL, named).await["deliveryReveal"]), "REFUNDED");
    shop.street.simulator.set_trouble(json!({ "refunds": "pending" })).unwrap();
    shop.staff_refund(json!({ "units": [units[1]] })).await;
    assert_eq!(ids(&show(100, Value::Null).await), units[2..], "nor one whose refund is open");
    shop.staff_refund(json!({ "units": [units[2]] })).await;
    assert_eq!(code(&show(100, Value::Null).await), "REFUNDED");
    shop.sound().await;
}
