//! Downloads the files of an order that was paid, and checks what arrived against the hash the shop shows.
//!
//! ```text
//! cargo run --example download_a_file -- http://127.0.0.1:8080 ORDER-NUMBER ACCESS-TOKEN
//! ```

use std::error::Error;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

type Fallible<T> = Result<T, Box<dyn Error>>;

async fn ask(http: &reqwest::Client, shop: &str, query: &str, variables: Value) -> Fallible<Value> {
    let body = json!({ "query": query, "variables": variables }).to_string();
    let request = http.post(format!("{shop}/graphql")).header("content-type", "application/json");
    let answer: Value = serde_json::from_str(&request.body(body).send().await?.text().await?)?;
    match answer.get("errors") {
        Some(errors) => Err(errors.to_string().into()),
        None => Ok(answer["data"].clone()),
    }
}

#[tokio::main]
async fn main() -> Fallible<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [shop, number, token] = arguments.as_slice() else {
        return Err("give the shop's address, an order's number and its access token".into());
    };
    let http = reqwest::Client::new();
    let query = "query($n: String!, $t: String) { order(number: $n, accessToken: $t) { lines { grants { id \
                 canDownload file { name sha256 } } } } }";
    let seen = ask(&http, shop, query, json!({ "n": number, "t": token })).await?;
    let lines = seen["order"]["lines"].as_array().ok_or("no such order, or not its token")?;
    for grant in lines.iter().flat_map(|line| line["grants"].as_array().into_iter().flatten()) {
        let query = "mutation($in: DownloadLinkCreateInput!) { downloadLinkCreate(input: $in) { link { url } \
                     userErrors { message } } }";
        let input = json!({ "in": { "grantId": grant["id"], "accessToken": token } });
        let made = ask(&http, shop, query, input).await?;
        let url = made["downloadLinkCreate"]["link"]["url"].as_str().ok_or_else(|| made.to_string())?;

        // A real client keeps what it has and goes on with `Range` when the line breaks.
        let bytes = http.get(url).send().await?.error_for_status()?.bytes().await?;
        let hash = hex::encode(Sha256::digest(&bytes));
        if grant["file"]["sha256"] != hash.as_str() {
            return Err(format!("what arrived is not what was promised: {hash}").into());
        }
        // Only the last part of the name: it comes from elsewhere.
        let name =
            grant["file"]["name"].as_str().and_then(|n| n.rsplit(['/', '\\']).next()).unwrap_or("file");
        std::fs::write(name, &bytes)?;
        println!("{name}: {} bytes, sha256 {hash}", bytes.len());
    }
    Ok(())
}
