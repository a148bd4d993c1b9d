//! The shop's admin, who sets up through the public API what is measured.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::client::{self, Connection};
use crate::shop::{PROGRAM, Shop};

pub const EMAIL: &str = "admin@bench.example";
const PASSWORD: &str = "a long password for the bench";

pub struct Admin {
    address: String,
    bearer: String,
}

impl Admin {
    /// Somebody who is not signed in.
    pub fn nobody(shop: &Shop) -> Self {
        Self { address: shop.address.clone(), bearer: String::new() }
    }

    /// Makes the admin by the command line and signs in.
    pub async fn of(home: &Path, shop: &Shop) -> Self {
        let mut child = Command::new(PROGRAM)
            .args(["admin", "create", EMAIL, "--password-stdin", "--config"])
            .arg(home.join("bench.toml"))
            .arg("--data")
            .arg(&shop.data)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(PASSWORD.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success(), "no admin could be made");
        let mut admin = Self { address: shop.address.clone(), bearer: String::new() };
        let query = "mutation($e: String!, $p: String!) { sessionCreate(input: { email: $e, password: $p }) {
            tokens { accessToken } userErrors { code } } }";
        let done = admin.ask(query, json!({ "e": EMAIL, "p": PASSWORD })).await;
        let token = done["sessionCreate"]["tokens"]["accessToken"].as_str().expect("an access token");
        admin.bearer = format!("Bearer {token}");
        admin
    }

    /// The data of an answer; any error ends the run.
    pub async fn ask(&self, query: &str, variables: Value) -> Value {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let headers = [("authorization", self.bearer.as_str())];
        let headers = if self.bearer.is_empty() { &headers[..0] } else { &headers[..] };
        let request = client::post("/graphql", headers, &body);
        let (status, body) = Connection::open(&self.address).await.ask(&request).await;
        let mut answer: Value = serde_json::from_slice(&body).unwrap();
        assert!(status == 200 && answer.get("errors").is_none(), "{query}: {answer}");
        answer["data"].take()
    }

    /// The payload of a mutation with one argument `input`; a refusal ends the run.
    pub async fn act(&self, name: &str, input: Value, fields: &str) -> Value {
        let kind = format!("{}{}Input", name[..1].to_uppercase(), &name[1..]);
        let query = format!(
            "mutation($i: {kind}!) {{ {name}(input: $i) {{ {fields} userErrors {{ code message }} }} }}"
        );
        let payload = self.ask(&query, json!({ "i": input })).await[name].take();
        assert_eq!(payload["userErrors"], json!([]), "{name}");
        payload
    }

    /// A product with one variant of keys: their ids.
    pub async fn keys_product(&self, slug: &str, fields: Value) -> (String, String) {
        let texts = json!([{ "locale": "en", "name": slug }]);
        let made = self.act("productCreate", json!({ "slug": slug, "texts": texts }), "product { id }").await;
        let product = made["product"]["id"].as_str().unwrap().to_owned();
        let input = json!({ "productId": product, "kind": "key", "fields": fields });
        let made = self.act("variantCreate", input, "variant { id }").await;
        (product, made["variant"]["id"].as_str().unwrap().to_owned())
    }

    /// Imports this many keys by one upload, each `prefix` and a number of nine digits.
    pub async fn import(&self, variant: &str, prefix: &str, count: usize) {
        let opened = self.act("keyImportCreate", json!({ "variantId": variant }), "batch { id }").await;
        let batch = opened["batch"]["id"].as_str().unwrap();
        let line = prefix.len() + 10;
        let head = format!(
            "POST /keys/import/{batch} HTTP/1.1\r\nhost: bench\r\nauthorization: {}\r\ncontent-type: text/plain\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n",
            self.bearer,
            line * count
        );
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut lines = Vec::with_capacity(line * 10_000);
        for first in (0..count).step_by(10_000) {
            lines.clear();
            for n in first..count.min(first + 10_000) {
                lines.extend_from_slice(format!("{prefix}{n:09}\n").as_bytes());
            }
            stream.write_all(&lines).await.unwrap();
        }
        let mut answer = String::new();
        tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut answer).await.unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.contains(&format!("\"added\":{count}")),
            "{answer}"
        );
    }
}
