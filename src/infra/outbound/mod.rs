//! The only HTTP client. No redirects, no proxies from the environment, five seconds to connect, a total time
//! and a size limit per call. Failures are distinguished by the one question that matters for money: can
//! the other side have acted?
//!
//! `call` trusts its address: a gateway's host, which the program or its operator chose. `call_guarded` does not, and is
//! for every address that was typed somewhere.

mod guard;

use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use thiserror::Error;

use crate::base::outcome::Fault;
use crate::infra::outbound::guard::Guarded;
pub use crate::infra::outbound::guard::{Lookup, Rules, SystemLookup, is_public};

const CONNECT: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
}

impl Method {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// One call. It has no `Debug`: headers carry credentials.
pub struct Request {
    pub method: Method,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// From the first byte of the connection to the last byte of the answer.
    pub timeout: Duration,
    /// Largest answer taken, bytes; a longer one counts as unknown.
    pub largest_answer: usize,
}

/// What came back, whatever its status.
pub struct HttpAnswer {
    pub status: u16,
    /// Names in lower case; values that are no text are left out.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl HttpAnswer {
    /// The only value of a header; none when it is absent or given twice.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        match (found.next(), found.next()) {
            (Some((_, value)), None) => Some(value),
            _ => None,
        }
    }

    pub fn succeeded(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// No answer.
#[derive(Debug, Error)]
pub enum CallError {
    /// The request never left (no address, no connection, malformed): nothing has happened there.
    #[error("not sent: {0}")]
    NotSent(String),
    /// The request may have arrived and been acted upon.
    #[error("outcome unknown: {0}")]
    Unknown(String),
}

#[derive(Clone)]
pub struct Outbound {
    client: reqwest::Client,
    guarded: reqwest::Client,
    rules: Rules,
}

impl Outbound {
    /// Trusts the web's public roots as compiled in, so that a machine without a certificate store works.
    pub fn new() -> Result<Self, Fault> {
        Self::with_rules(Rules { ports: vec![443], ..Rules::default() }, Arc::new(SystemLookup))
    }

    /// With other rules for guarded calls, and another resolver for them.
    pub fn with_rules(rules: Rules, lookup: Arc<dyn Lookup>) -> Result<Self, Fault> {
        let client = Self::builder()?;
        // A connection is used for one call: a kept one would outlive the judgement of its address.
        let guarded = Self::builder()?
            .pool_max_idle_per_host(0)
            .dns_resolver(Arc::new(Guarded { rules: rules.clone(), lookup }));
        let built = |builder: reqwest::ClientBuilder| {
            builder.build().map_err(|e| Fault::bug(format!("HTTP client: {e}")))
        };
        Ok(Self { client: built(client)?, guarded: built(guarded)?, rules })
    }

    fn builder() -> Result<reqwest::ClientBuilder, Fault> {
        let mut roots = rustls::RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| Fault::bug(format!("TLS of the HTTP client: {e}")))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT)
            .pool_idle_timeout(Duration::from_secs(30))
            .user_agent(concat!("dispense/", env!("CARGO_PKG_VERSION"))))
    }

    /// Makes the call. Any status is an `HttpAnswer`; an `Err` says whether the other side can have acted.
    pub async fn call(&self, request: Request) -> Result<HttpAnswer, CallError> {
        Self::run(&self.client, request).await
    }

    /// Whether an address that was typed somewhere may be called, as far as it says by itself; its name is resolved and
    /// judged with each call. The text of a refusal says what is wrong.
    pub fn may_call(&self, url: &str) -> Result<(), String> {
        self.rules.judge(url).map(drop)
    }

    /// `call` for an address that was typed somewhere: only where the rules allow, and never along a redirect. What
    /// may not be called is `NotSent`.
    pub async fn call_guarded(&self, request: Request) -> Result<HttpAnswer, CallError> {
        let url = self.rules.judge(&request.url).map_err(CallError::NotSent)?;
        Self::run(&self.guarded, Request { url: url.into(), ..request }).await
    }

    /// `call_guarded` for whoever asks for the status alone: nothing of the answer's body is read.
    pub async fn status_guarded(&self, request: Request) -> Result<u16, CallError> {
        let url = self.rules.judge(&request.url).map_err(CallError::NotSent)?;
        let response = Self::send(&self.guarded, Request { url: url.into(), ..request }).await?;
        Ok(response.status().as_u16())
    }

    async fn send(client: &reqwest::Client, request: Request) -> Result<reqwest::Response, CallError> {
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
        };
        let mut call = client.request(method, &request.url).timeout(request.timeout);
        for (name, value) in &request.headers {
            call = call.header(name, value);
        }
        if request.method == Method::Post {
            call = call.body(request.body);
        }
        call.send().await.map_err(classify)
    }

    async fn run(client: &reqwest::Client, request: Request) -> Result<HttpAnswer, CallError> {
        let largest_answer = request.largest_answer;
        let mut response = Self::send(client, request).await?;
        let status = response.status().as_u16();
        let headers = response
            .headers()
            .iter()
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
            .collect();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| CallError::Unknown(plain(e)))? {
            if body.len() + chunk.len() > largest_answer {
                return Err(CallError::Unknown(format!("the answer is longer than {largest_answer} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(HttpAnswer { status, headers, body })
    }
}

fn classify(error: reqwest::Error) -> CallError {
    if error.is_connect() || error.is_builder() {
        CallError::NotSent(plain(error))
    } else {
        CallError::Unknown(plain(error))
    }
}

/// The chain of causes without the address, which may carry an order's number or a token.
fn plain(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
