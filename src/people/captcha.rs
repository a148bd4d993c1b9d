//! Whether a person sits at the client, by the shop's captcha. Its answer is verified by a call: a form with `secret` and
//! `response`, answered by JSON with `success`, which is what Turnstile, hCaptcha and reCAPTCHA have in common. An answer
//! that was given is verified once by its provider, so a repeat of the same is refused there.

use std::time::Duration;

use serde_json::Value;

use crate::base::caller::Caller;
use crate::base::error_code::ErrorCode;
use crate::base::outcome::{Outcome, Refusal};
use crate::config::Captcha;
use crate::infra::kit::Kit;
use crate::infra::outbound::{CallError, Method, Request};
use crate::infra::throttle::prefix;
use crate::people::error;

/// Longest answer of a client, bytes: reCAPTCHA's are about two thousand.
const LONGEST: usize = 8_192;
/// Largest answer of the verification, bytes.
const LARGEST_ANSWER: usize = 64 * 1024;

/// The mutations that may ask for it, by the names that `captcha.asked_by` knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    OrderPlace,
    OrderAccessRequest,
    EmailCodeRequest,
    UserRegister,
    EmailConfirmationResend,
    PasswordResetRequest,
    SessionCreate,
}

impl Gate {
    pub const ALL: [Gate; 7] = [
        Gate::OrderPlace,
        Gate::OrderAccessRequest,
        Gate::EmailCodeRequest,
        Gate::UserRegister,
        Gate::EmailConfirmationResend,
        Gate::PasswordResetRequest,
        Gate::SessionCreate,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Gate::OrderPlace => "orderPlace",
            Gate::OrderAccessRequest => "orderAccessRequest",
            Gate::EmailCodeRequest => "emailCodeRequest",
            Gate::UserRegister => "userRegister",
            Gate::EmailConfirmationResend => "emailConfirmationResend",
            Gate::PasswordResetRequest => "passwordResetRequest",
            Gate::SessionCreate => "sessionCreate",
        }
    }
}

/// Whether this mutation asks for a captcha.
pub fn asks(kit: &Kit, gate: Gate) -> bool {
    let captcha = &kit.config.captcha;
    captcha.is_on() && captcha.asked_by.iter().any(|name| name == gate.as_str())
}

/// Lets through who passed, and everybody where nothing is asked. Refuses with `CAPTCHA_REQUIRED` and `RATE_LIMITED`.
pub async fn demand(kit: &Kit, caller: &Caller, gate: Gate, answer: Option<&str>) -> Outcome<()> {
    if !asks(kit, gate) {
        return Ok(());
    }
    pass(kit, caller, answer).await
}

/// Refuses with `CAPTCHA_REQUIRED` who did not pass the shop's captcha, and everybody when it has none.
pub async fn pass(kit: &Kit, caller: &Caller, answer: Option<&str>) -> Outcome<()> {
    let answer = answer.map(str::trim).filter(|text| !text.is_empty() && text.len() <= LONGEST);
    let Some(answer) = answer else { return Err(required("solve the captcha first").into()) };
    kit.throttles.captchas.take(&prefix(caller.address)).map_err(error::rate_limited)?;
    let verdict = verify(kit, &kit.config.captcha, answer).await;
    let outcome = match &verdict {
        Ok(true) => "passed",
        Ok(false) => "failed",
        Err(_) if kit.config.captcha.fail_open => "let_through",
        Err(_) => "unavailable",
    };
    metrics::counter!("dispense_captchas_total", "outcome" => outcome).increment(1);
    match verdict {
        Ok(true) => Ok(()),
        Ok(false) => Err(required("the captcha was not solved, or was used before: solve it again").into()),
        Err(reason) => {
            tracing::warn!(
                reason,
                fail_open = kit.config.captcha.fail_open,
                "a captcha could not be verified"
            );
            if kit.config.captcha.fail_open {
                return Ok(());
            }
            Err(required("the captcha could not be checked: try again").retry_after(5).into())
        }
    }
}

fn required(text: &str) -> Refusal {
    Refusal::new(ErrorCode::CaptchaRequired, text).at(["captchaToken"])
}

/// What the provider says, or why it said nothing.
async fn verify(kit: &Kit, captcha: &Captcha, answer: &str) -> Result<bool, String> {
    let (Some(url), Some(secret)) = (&captcha.verify_url, &captcha.secret) else {
        return Ok(false);
    };
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("secret", secret.expose())
        .append_pair("response", answer)
        .finish();
    let request = Request {
        method: Method::Post,
        url: url.clone(),
        headers: vec![
            ("content-type".into(), "application/x-www-form-urlencoded".into()),
            ("accept".into(), "application/json".into()),
        ],
        body: form.into_bytes(),
        timeout: Duration::from_millis(captcha.timeout_ms),
        largest_answer: LARGEST_ANSWER,
    };
    let answer = kit.outbound.call_guarded(request).await.map_err(|e: CallError| e.to_string())?;
    let said: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let success = said.as_ref().and_then(|said| said.get("success")).and_then(Value::as_bool);
    match (success, answer.succeeded()) {
        // A clear no is one at any status: some providers answer it with 400.
        (Some(false), _) => Ok(false),
        (_, false) => Err(format!("answered with status {}", answer.status)),
        (Some(true), true) => Ok(true),
        (None, true) if said.is_none() => Err("answered with something that is no JSON".to_owned()),
        (None, true) => Err("answered without `success`".to_owned()),
    }
}
