//! Errors of the REST side as `application/problem+json` (RFC 9457) with a stable code and the request's id.

use std::error::Error;
use std::fmt;
use std::io::ErrorKind;

use poem::error::{ReadBodyError, ResponseError};
use poem::http::{HeaderValue, StatusCode, header};
use poem::{IntoResponse, Response};
use serde_json::json;
use tokio::task::JoinError;

use crate::base::error_code::ErrorCode;
use crate::base::outcome::{Failure, Fault, Refusal};

/// What a handler returns in place of an answer. The server writes the request's id into it and, for a fault, one
/// line into the log.
#[derive(Debug)]
pub struct Problem {
    pub status: StatusCode,
    pub code: ErrorCode,
    /// Ready to show; says nothing about the inside of the program.
    pub detail: String,
    pub field: Vec<String>,
    /// Seconds.
    pub retry_after: Option<u32>,
    /// What really happened, for the log alone.
    pub fault: Option<String>,
}

impl Problem {
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self {
            status: status_of(code),
            code,
            detail: detail.into(),
            field: Vec::new(),
            retry_after: None,
            fault: None,
        }
    }

    /// What is not there, and what is there for others only.
    pub fn not_found() -> Self {
        Self::new(ErrorCode::NotFound, "there is nothing here")
    }

    pub fn rate_limited(seconds: u32) -> Self {
        Self::new(ErrorCode::RateLimited, "too many requests, try again later").after(seconds)
    }

    pub fn after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// A body that came too slowly; nothing was done with it.
    pub fn too_slow() -> Self {
        let text = "the body came too slowly; nothing was done";
        Self { status: StatusCode::REQUEST_TIMEOUT, ..Self::new(ErrorCode::BadRequest, text) }
    }

    /// A body that could not be read; `too_large`: what is said of one above the limit.
    pub fn of_body(error: &ReadBodyError, too_large: &str) -> Self {
        match error {
            ReadBodyError::PayloadTooLarge => Self::new(ErrorCode::BodyTooLarge, too_large),
            ReadBodyError::Io(error) if error.kind() == ErrorKind::TimedOut => Self::too_slow(),
            _ => Self::new(ErrorCode::Invalid, "the body could not be read"),
        }
    }

    /// Work that goes on when its client hangs up, and ended without an answer.
    pub fn of_task(error: &JoinError) -> Self {
        Self { fault: Some(error.to_string()), ..Self::new(ErrorCode::Internal, "this did not work") }
    }

    /// From an error of the HTTP library, which knows no codes: unknown paths, bodies that are too large.
    pub fn from_status(status: StatusCode) -> Self {
        let (code, detail) = match status {
            StatusCode::NOT_FOUND => return Self::not_found(),
            StatusCode::METHOD_NOT_ALLOWED => {
                (ErrorCode::MethodNotAllowed, "this path does not take this method")
            }
            StatusCode::PAYLOAD_TOO_LARGE => {
                (ErrorCode::BodyTooLarge, "the body is larger than this path takes")
            }
            StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                (ErrorCode::MediaTypeUnsupported, "this path does not take this content type")
            }
            StatusCode::UNAUTHORIZED => (ErrorCode::Unauthenticated, "sign in first"),
            StatusCode::FORBIDDEN => (ErrorCode::Forbidden, "this is not allowed"),
            StatusCode::SERVICE_UNAVAILABLE => (ErrorCode::Unavailable, "try again later"),
            s if s.is_client_error() => (ErrorCode::BadRequest, "the request cannot be read"),
            _ => (ErrorCode::Internal, "something went wrong on our side"),
        };
        Self { status, ..Self::new(code, detail) }
    }

    /// The answer, with the id of the request it belongs to.
    pub fn answer(&self, request_id: &str) -> Response {
        let mut body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "code": self.code.as_str(),
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

/// The status of a code. Codes without one of their own are things the request asked for that cannot be.
pub fn status_of(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::Invalid
        | ErrorCode::BadRequest
        | ErrorCode::InvalidCursor
        | ErrorCode::LinkMalformed
        | ErrorCode::LengthWrong => StatusCode::BAD_REQUEST,
        ErrorCode::Unauthenticated | ErrorCode::TokenExpired => StatusCode::UNAUTHORIZED,
        ErrorCode::Forbidden
        | ErrorCode::LinkForged
        | ErrorCode::LinkNotYet
        | ErrorCode::LinkRevoked
        | ErrorCode::LinkOtherNetwork
        | ErrorCode::NotPaid
        | ErrorCode::NotReady
        | ErrorCode::Revoked
        | ErrorCode::Refunded
        | ErrorCode::Replaced
        | ErrorCode::NotSold
        | ErrorCode::Held
        | ErrorCode::Expired
        | ErrorCode::DeviceLimitReached
        | ErrorCode::GrantExhausted => StatusCode::FORBIDDEN,
        ErrorCode::NotFound | ErrorCode::NoSuchKey | ErrorCode::DeviceNotActivated => StatusCode::NOT_FOUND,
        ErrorCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::CursorTooOld
        | ErrorCode::LinkExpired
        | ErrorCode::GrantExpired
        | ErrorCode::FileYanked => StatusCode::GONE,
        ErrorCode::Conflict
        | ErrorCode::VersionConflict
        | ErrorCode::IdempotencyConflict
        | ErrorCode::InProgress
        | ErrorCode::ImportGap
        | ErrorCode::ImportOverlap
        | ErrorCode::ImportOtherFile => StatusCode::CONFLICT,
        ErrorCode::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        ErrorCode::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
        ErrorCode::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::MediaTypeUnsupported => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ErrorCode::RangeNotSatisfiable => StatusCode::RANGE_NOT_SATISFIABLE,
        ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        ErrorCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::Timeout => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let mut problem = Self::new(refusal.code, refusal.message);
        problem.field = refusal.field;
        problem.retry_after = refusal.retry_after;
        problem
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        let mut problem = if fault.may_pass() {
            Self::new(ErrorCode::Unavailable, "the shop cannot do this right now").after(5)
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
