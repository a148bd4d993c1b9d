//! The access token that calls are made with: OAuth 2 client credentials, kept until shortly before it ends, one per
//! client at one address.

use std::collections::HashMap;
use std::sync::Mutex;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::base::secret::Secret;
use crate::infra::outbound::{Method, Outbound, Request};
use crate::payments::gateways::gateway::Call;
use crate::payments::gateways::json;

/// Renewed so long before its end, seconds.
const MARGIN: i64 = 60;
const MOST_KEPT: usize = 64;
const LARGEST_ANSWER: usize = 64 * 1024;

/// PayPalTokens by address and client, and when each ends.
#[derive(Default)]
pub(super) struct PayPalTokens(Mutex<HashMap<(String, String), (Secret, i64)>>);

impl PayPalTokens {
    fn kept(&self) -> std::sync::MutexGuard<'_, HashMap<(String, String), (Secret, i64)>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Forgets a token that PayPal did not accept.
    pub fn forget(&self, base: &str, client: &str) {
        self.kept().remove(&(base.to_owned(), client.to_owned()));
    }

    /// The kept token or a new one. The error is a sentence: without a token nothing was asked for.
    pub async fn get(&self, outbound: &Outbound, call: &Call<'_>, base: &str) -> Result<Secret, String> {
        let client = call.keys.setting("client_id").ok_or("no client id")?;
        let name = (base.to_owned(), client.to_owned());
        if let Some((token, end)) = self.kept().get(&name)
            && call.now_unix < end - MARGIN
        {
            return Ok(token.clone());
        }
        let (token, lives) = fetch(outbound, call, base, client).await?;
        let mut kept = self.kept();
        if kept.len() >= MOST_KEPT {
            kept.clear();
        }
        kept.insert(name, (token.clone(), call.now_unix.saturating_add(lives)));
        Ok(token)
    }
}

async fn fetch(
    outbound: &Outbound,
    call: &Call<'_>,
    base: &str,
    client: &str,
) -> Result<(Secret, i64), String> {
    let secret = call.keys.api_key.as_ref().ok_or("no client secret")?;
    let basic = STANDARD.encode(format!("{client}:{}", secret.expose()));
    let request = Request {
        method: Method::Post,
        url: format!("{base}/v1/oauth2/token"),
        headers: vec![
            ("authorization".to_owned(), format!("Basic {basic}")),
            ("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned()),
            ("accept".to_owned(), "application/json".to_owned()),
        ],
        body: b"grant_type=client_credentials".to_vec(),
        timeout: call.timeout,
        largest_answer: LARGEST_ANSWER,
    };
    let answer = outbound.call(request).await.map_err(|error| format!("no token: {error}"))?;
    if answer.status != 200 {
        return Err(format!("no token: status {}", answer.status));
    }
    let value = json::parse(&answer.body).map_err(|_| "no token: the answer is no JSON")?;
    let token = json::text(&value, &["access_token"]).filter(|token| is_token(token));
    let lives = json::integer(&value, &["expires_in"]).filter(|seconds| *seconds > 0);
    match (token, lives) {
        (Some(token), Some(lives)) => Ok((Secret::new(token), lives)),
        _ => Err("no token: the answer holds none".into()),
    }
}

/// It goes into a header.
fn is_token(text: &str) -> bool {
    (1..=4_096).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}
