//! Errors that are not part of a payload: the closed list of top-level codes, and how refusals and faults become one.
//! A fault's text stays here: the client reads a masked message and the request id, the log has the rest once.

use async_graphql::{ErrorExtensionValues, Pos, ServerError};

use crate::base::error_code::ErrorCode;
use crate::base::outcome::{Failure, Fault, Refusal};

/// `errors[].extensions.code`: the codes that an error beside `data` can have.
pub const TOP_LEVEL: [ErrorCode; 14] = [
    ErrorCode::BadRequest,
    ErrorCode::ValidationFailed,
    ErrorCode::TooComplex,
    ErrorCode::InvalidCursor,
    ErrorCode::SecretInUrl,
    ErrorCode::PersistedQueryNotFound,
    ErrorCode::PersistedQueryRequired,
    ErrorCode::Unauthenticated,
    ErrorCode::TokenExpired,
    ErrorCode::Forbidden,
    ErrorCode::RateLimited,
    ErrorCode::Unavailable,
    ErrorCode::Timeout,
    ErrorCode::Internal,
];

/// The code itself when an error beside `data` can have it.
pub fn top_level(code: ErrorCode) -> Option<ErrorCode> {
    TOP_LEVEL.contains(&code).then_some(code)
}

/// A request that was refused before it was executed.
#[derive(Clone, Debug)]
pub struct Refused {
    pub code: ErrorCode,
    pub message: String,
    pub retry_after: Option<u32>,
}

impl Refused {
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after: None }
    }

    pub fn into_server_error(self) -> ServerError {
        let mut error = ServerError::new(self.message, None::<Pos>);
        let mut values = ErrorExtensionValues::default();
        values.set("code", self.code.as_str());
        if let Some(seconds) = self.retry_after {
            values.set("retryAfter", seconds);
        }
        error.extensions = Some(values);
        error
    }
}

/// What resolvers return.
pub type Answer<T> = Result<T, async_graphql::Error>;

/// An error with a code of the closed list.
pub fn coded(code: ErrorCode, message: impl Into<String>) -> async_graphql::Error {
    let mut error = async_graphql::Error::new(message);
    error.extensions.get_or_insert_default().set("code", code.as_str());
    error
}

/// A fault, masked; the log line is written where the answer leaves.
pub fn fault(fault: Fault) -> async_graphql::Error {
    let (code, message) = match &fault {
        Fault::Bug(_) => (ErrorCode::Internal, "something went wrong here; it has been noted"),
        _ => (ErrorCode::Unavailable, "not available for the moment; please try again"),
    };
    let mut error = async_graphql::Error::new_with_source(fault);
    error.message = message.into();
    let values = error.extensions.get_or_insert_default();
    values.set("code", code.as_str());
    if code == ErrorCode::Unavailable {
        values.set("retryAfter", 2);
    }
    error
}

/// A refusal where no payload can carry it: its own code when that is in the closed list.
pub fn refused(refusal: Refusal) -> async_graphql::Error {
    let code = top_level(refusal.code).unwrap_or(ErrorCode::BadRequest);
    let mut error = coded(code, refusal.message);
    if let Some(seconds) = refusal.retry_after {
        error.extensions.get_or_insert_default().set("retryAfter", seconds);
    }
    error
}

/// The way from an action's outcome to a resolver's answer.
pub trait OutcomeExt<T> {
    /// Both kinds of failure become a top-level error.
    fn or_top(self) -> Answer<T>;
}

impl<T, E: Into<Failure>> OutcomeExt<T> for Result<T, E> {
    fn or_top(self) -> Answer<T> {
        self.map_err(|failure| match failure.into() {
            Failure::Refused(refusal) => refused(*refusal),
            Failure::Fault(inner) => fault(inner),
        })
    }
}

/// A mutation's outcome: a refusal goes into the payload, a fault does not.
pub fn split<T>(outcome: Result<T, Failure>) -> Answer<Result<T, Refusal>> {
    match outcome {
        Ok(value) => Ok(Ok(value)),
        // Nobody is signed in, or the cursor is not ours: the same top-level error everywhere.
        Err(Failure::Refused(refusal))
            if matches!(
                refusal.code,
                ErrorCode::Unauthenticated | ErrorCode::InvalidCursor | ErrorCode::BadRequest
            ) =>
        {
            Err(refused(*refusal))
        }
        Err(Failure::Refused(refusal)) => Ok(Err(*refusal)),
        Err(Failure::Fault(inner)) => Err(fault(inner)),
    }
}

/// Gives every error its code and the request id, masks what is ours and writes it to the log, once.
pub fn finish(errors: &mut [ServerError], request_id: &str) {
    for error in errors {
        let code = error.extensions.as_ref().and_then(|e| e.get("code")).cloned();
        if let Some(fault) = error.source::<Fault>() {
            tracing::error!(request_id, fault = %fault, "a GraphQL field failed");
        }
        let values = error.extensions.get_or_insert_default();
        values.set("requestId", request_id);
        if code.is_some() {
            continue;
        }
        let code = if error.path.is_empty() {
            ErrorCode::ValidationFailed
        } else if error.message.starts_with("Failed to parse") || error.message.starts_with("Invalid value") {
            ErrorCode::BadRequest
        } else {
            tracing::error!(request_id, message = %error.message, "a GraphQL field failed without a code");
            error.message = "something went wrong here; it has been noted".into();
            ErrorCode::Internal
        };
        values.set("code", code.as_str());
    }
}
