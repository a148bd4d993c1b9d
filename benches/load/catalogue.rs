//! (c) `products(first: 20)` with 7 fields over HTTP, from the database against the same query over fixed rows, which a
//! server of the bench's own resolves with the same engine.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use async_graphql::{EmptyMutation, EmptySubscription, Object, Request, Schema, SimpleObject};
use poem::listener::{Acceptor, Listener, TcpListener};
use poem::web::{Data, Json};
use poem::{EndpointExt, Route, Server, handler, post};
use serde_json::{Value, json};

use crate::client::{self, Connection};
use crate::shop::{self, SHOP, Shop};
use crate::{median, per_second, rounds, scaled, verdict};

const QUERY: &str =
    "{ products(first: 20) { nodes { id slug name summary onSale tags priceFrom { amount } } } }";

const IN_FLIGHT: usize = 32;

pub async fn measure() {
    println!(
        "\n(c) products(first: 20) with 7 fields per second: from the database / over fixed rows in memory"
    );
    let home = shop::folder();
    let shop = Shop::start(home.path());
    let sql = shop.sql().await;
    sql.batch_execute(&format!(
        "insert into product (id, seller_id, slug, state, on_sale_at, tags)
           select ('10000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, '{SHOP}', 'product-' || n, 'on_sale',
             app_now() - make_interval(secs => n), '{{games,steam}}' from generate_series(1, 200) n;
         insert into variant (id, seller_id, product_id, kind)
           select ('20000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, '{SHOP}',
             ('10000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, 'key' from generate_series(1, 200) n;
         insert into price (seller_id, variant_id, currency, unit_minor)
           select '{SHOP}', id, 'USD', 990 from variant;
         insert into translation (object_id, locale, field, value)
           select id, 'en', 'name', 'The product called ' || slug from product
           union all select id, 'en', 'summary', 'What there is to say about it in one line, ' || slug from product;
         analyze"
    ))
    .await
    .unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .arg("fixed")
        .stdout(Stdio::piped())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let fixed = line.trim().to_owned();
    let body = json!({ "query": QUERY }).to_string();
    let request = client::post("/graphql", &[("accept", "application/json")], &body);
    let rows = |bytes: &[u8]| -> usize {
        let answer: Value = serde_json::from_slice(bytes).unwrap();
        answer["data"]["products"]["nodes"].as_array().unwrap_or_else(|| panic!("{answer}")).len()
    };
    for address in [&shop.address, &fixed] {
        let (status, answer) = Connection::open(address).await.ask(&request).await;
        assert_eq!((status, rows(&answer)), (200, 20));
        println!("    an answer is {} bytes", answer.len());
    }
    let count = scaled(8_000.0);
    let (mut ours, mut memory) = (Vec::new(), Vec::new());
    for _ in 0..rounds() {
        for (address, figures) in [(&shop.address, &mut ours), (&fixed, &mut memory)] {
            let request = request.clone();
            let run = client::run(address, IN_FLIGHT, count, move |_| request.clone()).await;
            figures.push(per_second(count, run.took));
        }
    }
    let _ = child.kill();
    let _ = child.wait();
    let (ours, memory) = (median(ours), median(memory));
    let ratio = ours / memory;
    println!(
        "    {IN_FLIGHT} in flight: {ours:.0}/s / {memory:.0}/s = {ratio:.2} (wanted 0.5: {})",
        verdict(ratio, 0.5)
    );
    drop(sql);
    shop.stop();
}

#[derive(Clone, SimpleObject)]
struct Money {
    amount: String,
}

#[derive(Clone, SimpleObject)]
struct Product {
    id: String,
    slug: String,
    name: String,
    summary: Option<String>,
    on_sale: bool,
    tags: Vec<String>,
    price_from: Option<Money>,
}

#[derive(SimpleObject)]
struct Products {
    nodes: Vec<Product>,
}

struct Query(Vec<Product>);

#[Object]
impl Query {
    async fn products(&self, first: Option<i32>) -> Products {
        Products { nodes: self.0.iter().take(first.unwrap_or(20) as usize).cloned().collect() }
    }
}

type FixedSchema = Schema<Query, EmptyMutation, EmptySubscription>;

#[handler]
async fn resolve(schema: Data<&FixedSchema>, Json(asked): Json<Value>) -> Json<Value> {
    let query = asked["query"].as_str().unwrap_or_default();
    Json(serde_json::to_value(schema.execute(Request::new(query)).await).unwrap())
}

/// Serves the same answer from rows in memory; the address is the first line it prints.
pub async fn serve_fixed() {
    let product = |n: usize| Product {
        id: format!("prd_0g0000000000g80000000000{n:02}"),
        slug: format!("product-{n}"),
        name: format!("The product called product-{n}"),
        summary: Some(format!("What there is to say about it in one line, product-{n}")),
        on_sale: true,
        tags: vec!["games".into(), "steam".into()],
        price_from: Some(Money { amount: "9.90".into() }),
    };
    let query = Query((1..=200).map(product).collect());
    let schema = FixedSchema::new(query, EmptyMutation, EmptySubscription);
    let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.unwrap();
    let address = acceptor.local_addr()[0].clone();
    println!("{}", address.as_socket_addr().unwrap());
    let app = Route::new().at("/graphql", post(resolve)).data(schema);
    Server::new_with_acceptor(acceptor).run(app).await.unwrap();
}
