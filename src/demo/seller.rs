//! The seller's side of the story: what a person of the shop does about a key that does not work.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::base::outcome::Fault;
use crate::demo::child::DemoShop;
use crate::demo::client::{Client, text};
use crate::demo::story::once;

const EMAIL: &str = "grace@shop.example";
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(100);

const SIGN_IN: &str = "mutation SignIn($in: SessionCreateInput!) { sessionCreate(input: $in) {
  tokens { accessToken } user { email roles } userErrors { code message } } }";
const CASES: &str = "query Cases { seller { cases(first: 1, filter: { states: [OPEN] }) {
  totalCount nodes { id problem wish text line { title } } } } }";
const ANSWER: &str = "mutation Answer($in: CaseAnswerInput!) { caseAnswer(input: $in) {
  case { state outcome } userErrors { code message } } }";
const BATCHES: &str = "query Batches { seller { keyBatches(first: 20) {
  nodes { id variant { id } } } } }";
const GENERATE: &str = "mutation Generate($in: KeysGenerateInput!) { keysGenerate(input: $in) {
  batch { id added } userErrors { code message } } }";
const RECALL: &str = "mutation Recall($in: KeyBatchRecallInput!) { keyBatchRecall(input: $in) {
  recall { frozen holders } job { id } userErrors { code message } } }";
const JOB: &str = "query Job($id: ID!) { job(id: $id) { state } }";

/// Makes an administrator by the command line and signs in as one.
pub async fn sign_in(shop: &DemoShop) -> Result<Client, Fault> {
    let password = shop.create_admin(EMAIL).await?;
    let mut seller = Client::new(&shop.base)?;
    let input = json!({ "in": { "email": EMAIL, "password": password, "device": "demo" } });
    let session = seller.ask(SIGN_IN, input, "sessionCreate").await?;
    seller.sign_in(text(&session, "/tokens/accessToken")?);
    println!("Somebody of the shop signs in (`dispense admin create`, then GraphQL: sessionCreate).\n");
    Ok(seller)
}

/// Gives another piece for the one that the open case is about.
pub async fn answer_case(seller: &Client) -> Result<(), Fault> {
    let cases = seller.ask(CASES, json!({}), "seller").await?;
    let case = &cases["cases"]["nodes"][0];
    println!("The open case (GraphQL: seller.cases) is answered with another key (GraphQL: caseAnswer).");
    println!("  {}: \"{}\"", text(case, "/line/title")?, text(case, "/text")?);
    let input = json!({ "in": { "idempotencyKey": once(), "caseId": text(case, "/id")?, "action": "REPLACE",
        "text": "Sorry for that. Here is another one." } });
    let answered = seller.ask(ANSWER, input, "caseAnswer").await?;
    println!("  The case is {}: {}.", text(&answered, "/case/state")?, text(&answered, "/case/outcome")?);
    Ok(())
}

/// Takes the whole batch back, after others were made that take its keys' place.
pub async fn recall_batch(seller: &Client, variant: &str) -> Result<(), Fault> {
    println!(
        "The whole batch turns out to be bad. Others are made (GraphQL: keysGenerate), then it is recalled"
    );
    println!("and whoever holds one of its keys gets another (GraphQL: keyBatchRecall).");
    let batches = seller.ask(BATCHES, json!({}), "seller").await?;
    let mut batches = batches["keyBatches"]["nodes"].as_array().into_iter().flatten();
    let bad = batches.find(|batch| batch["variant"]["id"] == variant);
    let bad = text(bad.ok_or_else(|| Fault::setup("the key came from no batch"))?, "/id")?;
    let input = json!({ "in": { "variantId": variant, "quantity": 50 } });
    seller.ask(GENERATE, input, "keysGenerate").await?;
    let input = json!({ "in": { "idempotencyKey": once(), "batchId": bad, "action": "REPLACE",
        "reason": "The maker has withdrawn these keys." } });
    let recalled = seller.ask(RECALL, input, "keyBatchRecall").await?;
    println!(
        "  {} keys are taken out of sale, {} buyers hold one.",
        recalled["recall"]["frozen"], recalled["recall"]["holders"]
    );
    await_job(seller, &text(&recalled, "/job/id")?).await
}

async fn await_job(seller: &Client, id: &str) -> Result<(), Fault> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let job: Value = seller.ask(JOB, json!({ "id": id }), "job").await?;
        match job["state"].as_str() {
            Some("DONE") => return Ok(()),
            Some("RUNNING") if Instant::now() < deadline => tokio::time::sleep(PAUSE).await,
            state => return Err(Fault::setup(format!("the recall is {state:?}"))),
        }
    }
}
