//! What the program of a buyer or a seller does: GraphQL and plain HTTP against a shop, and no knowledge of its inside.

use std::time::Duration;

use serde_json::{Value, json};

use crate::base::outcome::Fault;
use crate::infra::outbound::{HttpAnswer, Method, Outbound, Request};

const LARGEST: usize = 8 * 1024 * 1024;

pub struct Client {
    http: Outbound,
    base: String,
    /// Of somebody who signed in.
    access_token: Option<String>,
}

impl Client {
    /// A guest's.
    pub fn new(base: &str) -> Result<Self, Fault> {
        Ok(Self { http: Outbound::new()?, base: base.to_owned(), access_token: None })
    }

    /// From now on somebody's who signed in.
    pub fn sign_in(&mut self, access_token: String) {
        self.access_token = Some(access_token);
    }

    pub async fn get(&self, url: &str) -> Result<HttpAnswer, Fault> {
        self.call(Method::Get, url, Vec::new(), Vec::new()).await
    }

    /// Presses a button of a page: a form without fields.
    pub async fn press(&self, url: &str) -> Result<HttpAnswer, Fault> {
        let kind = ("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned());
        self.call(Method::Post, url, vec![kind], Vec::new()).await
    }

    /// Where an answer sends the browser.
    pub async fn follow(&self, answer: &HttpAnswer) -> Result<String, Fault> {
        match (answer.status, answer.header("location")) {
            (302 | 303, Some(location)) => Ok(location.to_owned()),
            (status, _) => Err(Fault::setup(format!("a redirect was expected, status {status} came"))),
        }
    }

    /// One operation; its root field. Errors of both kinds end the story.
    pub async fn ask(&self, document: &str, variables: Value, field: &str) -> Result<Value, Fault> {
        let mut headers = vec![
            ("content-type".to_owned(), "application/json".to_owned()),
            ("accept".to_owned(), "application/graphql-response+json".to_owned()),
            ("accept-language".to_owned(), "en".to_owned()),
        ];
        if let Some(token) = &self.access_token {
            headers.push(("authorization".to_owned(), format!("Bearer {token}")));
        }
        let body = json!({ "query": document, "variables": variables }).to_string().into_bytes();
        let answer = self.call(Method::Post, &format!("{}/graphql", self.base), headers, body).await?;
        let mut body: Value = serde_json::from_slice(&answer.body)
            .map_err(|e| Fault::setup(format!("GraphQL answered {} and no JSON: {e}", answer.status)))?;
        let answered = body["data"][field].take();
        let refused = answered["userErrors"].as_array().is_some_and(|errors| !errors.is_empty());
        if body.get("errors").is_some() || refused || answered.is_null() {
            let errors = if refused { &answered["userErrors"] } else { &body["errors"] };
            return Err(Fault::setup(format!("`{field}` was refused: {errors}")));
        }
        Ok(answered)
    }

    async fn call(
        &self,
        method: Method,
        url: &str,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    ) -> Result<HttpAnswer, Fault> {
        let timeout = Duration::from_secs(30);
        let request =
            Request { method, url: url.to_owned(), headers, body, timeout, largest_answer: LARGEST };
        self.http.call(request).await.map_err(|e| Fault::setup(format!("the shop does not answer: {e}")))
    }
}

/// The text at a path of an answer, such as `/order/number`.
pub fn text(value: &Value, path: &str) -> Result<String, Fault> {
    let found = value.pointer(path).and_then(Value::as_str).map(str::to_owned);
    found.ok_or_else(|| Fault::setup(format!("the shop's answer has no {path}")))
}
