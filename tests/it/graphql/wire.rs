//! Speaks to a served shop over HTTP, as clients do.

use dispense::base::actor::Role;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use crate::harness::TestApp;

/// A client of a served shop, with what it proves.
#[derive(Clone)]
pub struct Wire<'a> {
    t: &'a TestApp,
    headers: Vec<(String, String)>,
}

/// One answer.
pub struct Said {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Said {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {}", self.text))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|v| v.to_str().unwrap()).unwrap_or_default()
    }

    /// `extensions.code` of the first error.
    pub fn code(&self) -> String {
        self.json()["errors"][0]["extensions"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

impl<'a> Wire<'a> {
    pub fn new(t: &'a TestApp) -> Self {
        Self { t, headers: Vec::new() }
    }

    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut headers = self.headers.clone();
        headers.push((name.into(), value.into()));
        Self { t: self.t, headers }
    }

    /// Somebody with these roles who has just signed in.
    pub async fn person(t: &'a TestApp, email: &str, roles: &[Role]) -> Self {
        t.person(email, roles).await;
        Self::signed_in(t, email).await
    }

    pub async fn signed_in(t: &'a TestApp, email: &str) -> Self {
        let tokens = t.sign_in(email).await.tokens;
        Self::new(t).with("authorization", &format!("Bearer {}", tokens.access.expose()))
    }

    async fn said(&self, mut request: reqwest::RequestBuilder) -> Said {
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Said { status, headers, text: answer.text().await.unwrap() }
    }

    pub async fn post(&self, body: &Value) -> Said {
        let request = self.t.http().post(format!("{}/graphql", self.t.base));
        let said = self.said(request.header("content-type", "application/json").body(body.to_string())).await;
        if let (Some(query), Ok(answer)) = (body["query"].as_str(), serde_json::from_str(&said.text)) {
            self.t.sent.record(query, body["operationName"].as_str(), &answer);
        }
        said
    }

    pub async fn get(&self, parameters: &[(&str, &str)]) -> Said {
        let text = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        self.said(self.t.http().get(format!("{}/graphql?{text}", self.t.base))).await
    }

    pub async fn ask(&self, query: &str, variables: Value) -> Said {
        self.post(&json!({ "query": query, "variables": variables })).await
    }

    /// The data; any error fails the test.
    pub async fn data(&self, query: &str, variables: Value) -> Value {
        let json = self.ask(query, variables).await.json();
        assert!(json.get("errors").is_none(), "{query}: {json}");
        json["data"].clone()
    }
}
