//! Speaks to the endpoint without a socket between.

use std::sync::Arc;

use dispense::app::App;
use dispense::base::caller::Caller;
use dispense::base::secret::Secret;
use dispense::base::text::Locale;
use dispense::graphql::GraphqlEndpoint;
use poem::http::{HeaderMap, Method, StatusCode};
use poem::{Endpoint, Request};
use serde_json::{Value, json};

pub struct Client {
    app: Arc<App>,
    pub token: Option<String>,
}

pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {}", self.text))
    }

    /// `extensions.code` of the first error.
    pub fn code(&self) -> String {
        let json = self.json();
        json["errors"][0]["extensions"]["code"]
            .as_str()
            .unwrap_or_else(|| panic!("no code in {json}"))
            .to_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|v| v.to_str().unwrap()).unwrap_or_default()
    }
}

pub const NEW: &str = "application/graphql-response+json";

impl Client {
    pub fn new(app: &Arc<App>) -> Self {
        Self { app: app.clone(), token: None }
    }

    pub fn with(&self, token: &str) -> Self {
        Self { app: self.app.clone(), token: Some(token.to_owned()) }
    }

    pub async fn send(&self, method: Method, uri: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Reply {
        let mut request = Request::builder().method(method).uri(uri.parse().unwrap());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let locale = headers.iter().find(|h| h.0 == "accept-language").and_then(|h| Locale::negotiate(h.1));
        let caller = Caller {
            request_id: "test-request".into(),
            bearer: self.token.as_deref().map(Secret::new),
            locale,
            ..Caller::local()
        };
        request = request.extension(self.app.http().graphql.clone()).extension(caller);
        let response = GraphqlEndpoint.get_response(request.body(body)).await;
        let (parts, body) = response.into_parts();
        Reply { status: parts.status, headers: parts.headers, text: body.into_string().await.unwrap() }
    }

    /// A POST as a present client makes it, with this body.
    pub async fn post(&self, body: impl Into<Vec<u8>>) -> Reply {
        self.send(
            Method::POST,
            "/graphql",
            &[("content-type", "application/json"), ("accept", NEW)],
            body.into(),
        )
        .await
    }

    pub async fn ask(&self, query: &str, variables: Value) -> Reply {
        self.post(json!({ "query": query, "variables": variables }).to_string()).await
    }

    /// The data; any error fails the test.
    pub async fn data(&self, query: &str, variables: Value) -> Value {
        let reply = self.ask(query, variables).await;
        let json = reply.json();
        assert!(json.get("errors").is_none(), "{query}: {json}");
        json["data"].clone()
    }

    pub async fn get(&self, parameters: &[(&str, &str)], accept: &str) -> Reply {
        let text = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        self.send(Method::GET, &format!("/graphql?{text}"), &[("accept", accept)], Vec::new()).await
    }
}
