//! Errors of the REST side as `application/problem+json` (RFC 9457) with a stable code and the request's id.

use std::error::Error;
use std::fmt;

use poem::error::ResponseError;
use poem::http::{HeaderValue, StatusCode, header};
use poem::{IntoResponse, Response};
use serde_json::json;

use crate::base::outcome::{Failure, Fault, Refusal};

/// What a handler returns in place of an answer. The server writes the request's id into it and, for a fault, one
/// line into the log.
#[derive(Debug)]
pub struct Problem {
    pub status: StatusCode,
    pub code: &'static str,
    /// Ready to show; says nothing about the inside of the program.
    pub detail: String,
    pub field: Vec<String>,
    /// Seconds.
    pub retry_after: Option<u32>,
    /// What really happened, for the log alone.
    pub fault: Option<String>,
}

impl Problem {
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), field: Vec::new(), retry_after: None, fault: None }
    }

    /// What is not there, and what is there for others only.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", "there is nothing here")
    }

    pub fn rate_limited(seconds: u32) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED", "too many requests, try again later")
            .after(seconds)
    }

    pub fn after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// From an error of the HTTP library, which knows no codes: unknown paths, bodies that are too large.
    pub fn from_status(status: StatusCode) -> Self {
        let (code, detail) = match status {
            StatusCode::NOT_FOUND => return Self::not_found(),
            StatusCode::METHOD_NOT_ALLOWED => ("METHOD_NOT_ALLOWED", "this path does not take this method"),
            StatusCode::PAYLOAD_TOO_LARGE => ("BODY_TOO_LARGE", "the body is larger than this path takes"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                ("MEDIA_TYPE_UNSUPPORTED", "this path does not take this content type")
            }
            StatusCode::UNAUTHORIZED => ("UNAUTHENTICATED", "sign in first"),
            StatusCode::FORBIDDEN => ("FORBIDDEN", "this is not allowed"),
            StatusCode::SERVICE_UNAVAILABLE => ("UNAVAILABLE", "try again later"),
            s if s.is_client_error() => ("BAD_REQUEST", "the request cannot be read"),
            _ => ("INTERNAL", "something went wrong on our side"),
        };
        Self::new(status, code, detail)
    }

    /// The answer, with the id of the request it belongs to.
    pub fn answer(&self, request_id: &str) -> Response {
        let mut body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "code": self.code,
            "detail": self.detail,
            "requestId": request_id,
        });
        if !self.field.is_empty() {
            body["field"] = json!(self.field);
        }
        if let Some(seconds) = self.retry_after {
            body["retryAfterSeconds"] = json!(seconds);
        }
        let mut response = Response::builder()
            .status(self.status)
            .header(header::CONTENT_TYPE, "application/problem+json")
            .header(header::CACHE_CONTROL, "no-store")
            .body(body.to_string());
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// The status that fits a code of the API. Unlisted codes are things the request asked for that cannot be.
fn status_of(code: &str) -> StatusCode {
    match code {
        "INVALID" | "BAD_REQUEST" | "INVALID_CURSOR" | "LINK_MALFORMED" | "LENGTH_WRONG" => {
            StatusCode::BAD_REQUEST
        }
        "UNAUTHENTICATED" | "TOKEN_EXPIRED" => StatusCode::UNAUTHORIZED,
        "FORBIDDEN" | "LINK_FORGED" | "LINK_NOT_YET" | "LINK_REVOKED" | "LINK_OTHER_NETWORK" | "NOT_PAID"
        | "NOT_READY" | "REVOKED" | "REFUNDED" | "REPLACED" | "GRANT_EXHAUSTED" => StatusCode::FORBIDDEN,
        "NOT_FOUND" => StatusCode::NOT_FOUND,
        "RATE_LIMITED" => StatusCode::TOO_MANY_REQUESTS,
        "CURSOR_TOO_OLD" | "LINK_EXPIRED" | "GRANT_EXPIRED" | "FILE_YANKED" => StatusCode::GONE,
        "CONFLICT"
        | "VERSION_CONFLICT"
        | "IDEMPOTENCY_CONFLICT"
        | "IN_PROGRESS"
        | "IMPORT_GAP"
        | "IMPORT_OVERLAP"
        | "IMPORT_OTHER_FILE" => StatusCode::CONFLICT,
        "BODY_TOO_LARGE" => StatusCode::PAYLOAD_TOO_LARGE,
        "UNAVAILABLE" => StatusCode::SERVICE_UNAVAILABLE,
        "TIMEOUT" => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let mut problem = Self::new(status_of(refusal.code), refusal.code, refusal.message);
        problem.field = refusal.field;
        problem.retry_after = refusal.retry_after;
        problem
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        let mut problem = if fault.may_pass() {
            Self::new(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", "the shop cannot do this right now")
                .after(5)
        } else {
            Self::from_status(StatusCode::INTERNAL_SERVER_ERROR)
        };
        problem.fault = Some(fault.to_string());
        problem
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(refusal) => (*refusal).into(),
            Failure::Fault(fault) => fault.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status.as_u16(), self.code)
    }
}

impl Error for Problem {}

impl ResponseError for Problem {
    fn status(&self) -> StatusCode {
        self.status
    }

    fn as_response(&self) -> Response {
        self.answer("").into_response()
    }
}
