//! Each pair of what moves money back and what lets goods out, with the order's lock held so that one comes before the
//! other, both ways round.

use std::time::Duration;

use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
use dispense::base::ids::VariantId;
use dispense::fulfilment::fill;
use dispense::mail;
use serde_json::{Value, json};

use super::shop::Bought;
use crate::downloads::shop::{FileShop, content};
use crate::graphql::client::Client;
use crate::payments::street::{Street, street};

const ACTORS: [&str; 7] = ["refund", "dispute", "mail", "resend", "fill", "reveal", "download"];

/// An order of a key that is there, a key that is not, and a file; paid, and its mail not sent yet.
struct Scene {
    shop: Bought,
    waiting: VariantId,
    grant: Value,
    lines: Value,
}

async fn scene(street: Street, staff: Client, files: &FileShop) -> Scene {
    let t = &street.t;
    let (there, waiting) = (t.selling_keys(1, 1_900).await, t.selling_keys(1, 500).await);
    let placed = t.place(&[(there, 1), (waiting, 1), (files.variant, 1)]).await;
    street.start(&placed, "stripe").await;
    t.db.sql(&format!(
        "update vault_key set state = 'voided', voided_at = app_now() where variant_id = '{}'",
        waiting.0
    ))
    .await;
    street.act(&placed.order.number, "pay");
    street.simulator.settled().await;
    let id = placed.order.id.0;
    let intent = t.db.one(&format!("select trade_no from payment where order_id = '{id}'")).await;
    let total = placed.order.total_minor;
    let shop = Bought { street, placed, intent, total, staff };
    let query = "query($n: String!, $t: String) { order(number: $n, accessToken: $t) {
        lines { id kind grants { id } } } }";
    let asked = json!({ "n": shop.placed.order.number, "t": shop.placed.access_token.expose() });
    let order = Client::new(&shop.street.t.app).data(query, asked).await["order"].clone();
    let lines = order["lines"].clone();
    let grant =
        lines.as_array().unwrap().iter().find(|l| l["kind"] == "file").unwrap()["grants"][0]["id"].clone();
    Scene { shop, waiting, grant, lines }
}

impl Scene {
    /// Does what the actor does and says how it went: `done`, or a code.
    async fn play(&self, actor: &str) -> String {
        let (shop, t) = (&self.shop, &self.shop.street.t);
        let buyer = Client::new(&t.app);
        let token = shop.placed.access_token.expose();
        let said = |payload: &Value| payload["userErrors"][0]["code"].as_str().unwrap_or("done").to_owned();
        match actor {
            "refund" => said(&shop.staff_refund(json!({})).await),
            "dispute" => {
                shop.report(&shop.dispute("charge.dispute.created", "dp_1", shop.total, "needs_response", 0))
                    .await;
                "done".into()
            }
            "mail" => {
                let id = shop.placed.order.id.0;
                let message =
                    format!("select id from message where order_id = '{id}' and kind = 'order_delivered'");
                let message = t.db.one(&message).await.parse().unwrap();
                mail::send::send(&t.app, message).await.unwrap();
                "done".into()
            }
            "resend" => {
                let query = "mutation($o: ID!, $t: String) { deliveryResend(input: { orderId: $o, accessToken: $t }) {
                    userErrors { code } } }";
                let order = shop.placed.order.id.to_string();
                said(&buyer.data(query, json!({ "o": order, "t": token })).await["deliveryResend"])
            }
            "fill" => {
                t.import(self.waiting, 1).await;
                "done".into()
            }
            "reveal" => {
                let query = "mutation($l: ID!, $t: String) { deliveryReveal(input: { target: { lineId: $l }, accessToken: $t }) {
                    secrets { text } userErrors { code } } }";
                let line = self.lines[0]["id"].clone();
                said(&buyer.data(query, json!({ "l": line, "t": token })).await["deliveryReveal"])
            }
            "download" => {
                let query = "mutation($g: ID!, $t: String) { downloadLinkCreate(input: { grantId: $g, accessToken: $t }) {
                    link { url } userErrors { code } } }";
                let made =
                    buyer.data(query, json!({ "g": self.grant, "t": token })).await["downloadLinkCreate"]
                        .clone();
                let Some(url) = made["link"]["url"].as_str() else { return said(&made) };
                let answer = t.http().get(url).send().await.unwrap();
                if answer.status().is_success() {
                    "done".into()
                } else {
                    answer.status().as_u16().to_string()
                }
            }
            other => panic!("{other}"),
        }
    }

    /// Until the actor waits for the lock, or has done without it.
    async fn lined_up(&self, waiters: usize) {
        let sql = "select count(*) from pg_locks l join pg_database d on d.oid = l.database
            where d.datname = current_database() and not l.granted";
        for _ in 0..60 {
            let waiting: usize = self.shop.street.t.db.one(sql).await.parse().unwrap();
            if waiting >= waiters {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The first actor gets the order's lock before the second.
    async fn race(&self, first: &str, second: &str) -> (String, String) {
        let t = &self.shop.street.t;
        let mut holder = AsyncPgConnection::establish(&t.db.owner_url()).await.unwrap();
        let id = self.shop.placed.order.id.0;
        let lock = format!("begin; select 1 from orders where id = '{id}' for update");
        holder.batch_execute(&lock).await.unwrap();
        let run = async {
            self.lined_up(1).await;
            tokio::time::sleep(Duration::from_millis(15)).await;
            let second = self.play(second);
            let release = async {
                self.lined_up(2).await;
                tokio::time::sleep(Duration::from_millis(15)).await;
                holder.batch_execute("commit").await.unwrap();
            };
            tokio::join!(second, release).0
        };
        tokio::join!(self.play(first), run)
    }
}

/// Rows: P9, L8, D3, K10.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_comes_first_money_that_goes_back_lets_nothing_out_after_it() {
    let mut street = street().await;
    let files = FileShop { variant: street.t.variant_on_sale("file", 990).await };
    files.publish(&street.t, "book.zip", "1", &content(5_000, 7)).await;
    street.t.person("support@shop.example", &[dispense::base::actor::Role::Support]).await;
    for first in ACTORS {
        for second in ACTORS.into_iter().filter(|second| *second != first) {
            let token = street.t.sign_in("support@shop.example").await.tokens.access;
            let staff = Client::new(&street.t.app).with(token.expose());
            let scene = scene(street, staff, &files).await;
            let (one, two) = scene.race(first, second).await;
            assert_eq!(one, "done", "{first} before {second}");
            let id = scene.shop.placed.order.id.0;
            let t = &scene.shop.street.t;
            let money = |actor: &str| ["refund", "dispute"].contains(&actor);
            let seen = format!(
                "select count(*) from vault_key k join unit u on u.id = k.unit_id where u.order_id = '{id}'
                   and (k.mailed_at is not null or k.revealed_at is not null)"
            );
            match (first, second) {
                ("refund", "dispute") => assert_eq!(two, "done"),
                ("dispute", "refund") => assert_eq!(two, "DISPUTE_OPEN"),
                // A download does not wait for the order: it came before, and the next one is refused.
                (first, second) if money(first) => {
                    let refused = two != "done" || ["mail", "fill", "download"].contains(&second);
                    assert!(refused, "{first} before {second}: {two}");
                    assert_eq!(t.db.one(&seen).await, "0", "{first} before {second}: a key left the shop");
                }
                _ => {}
            }
            scene.shop.street.settled().await;
            fill::sweep(&t.app).await.unwrap();
            if [first, second].contains(&"refund") && two == "done" {
                let kept = "select count(*) from unit where state not in ('revoked', 'cancelled')";
                assert_eq!(
                    t.db.one(&format!("{kept} and order_id = '{id}'")).await,
                    "0",
                    "{first} before {second}"
                );
            }
            if money(first) || money(second) {
                for door in ["reveal", "download", "resend"] {
                    assert_ne!(scene.play(door).await, "done", "{door} after {first} before {second}");
                }
            }
            street = scene.shop.street;
        }
    }
    let report = dispense::check::run(&street.t.app.db, &street.t.app.config.secrets).await.unwrap();
    assert!(report.is_clean(), "{report}");
    street.t.finish_with_jobs().await;
}
