//! What a running operation has for its client, and how SSE writes it ("distinct connections mode" of GraphQL over SSE,
//! and the WHATWG's form of events).

use async_graphql::Response;

use crate::graphql::error::Refused;
use crate::graphql::execute::written;

/// One step of an operation.
#[derive(Debug)]
pub enum StreamStep {
    /// A result.
    Next { cursor: Option<String>, text: String },
    /// It cannot go on: GraphQL errors as JSON.
    Failed(String),
    /// Nothing more will come.
    Complete,
    /// The stream is alive.
    Beat,
    /// The stream ends, and its client may come again with its cursor.
    Again,
    /// The credentials are not believed any more.
    Unbelieved(Refused),
}

impl StreamStep {
    /// A refusal as an error of the operation.
    pub fn refused(refused: Refused, request_id: &str) -> Self {
        Self::errors(Response::from_errors(vec![refused.into_server_error()]), request_id)
    }

    /// The errors of a response that has nothing else.
    pub fn errors(mut response: Response, request_id: &str) -> Self {
        crate::graphql::error::finish(&mut response.errors, request_id);
        Self::failed(&response)
    }

    /// The same of one whose errors are finished.
    pub fn failed(response: &Response) -> Self {
        Self::Failed(serde_json::to_string(&response.errors).unwrap_or_else(|_| "[]".into()))
    }

    /// As SSE writes it. A stream that ends without `complete` is one whose client is to come again.
    pub fn event(&self) -> String {
        match self {
            Self::Next { cursor, text } => {
                let id = cursor.as_deref().map(|cursor| format!("id: {cursor}\n")).unwrap_or_default();
                format!("event: next\n{id}data: {text}\n\n")
            }
            Self::Failed(errors) => {
                format!("event: next\ndata: {{\"errors\":{errors}}}\n\n{COMPLETE}")
            }
            Self::Complete => COMPLETE.into(),
            Self::Beat => ":\n\n".into(),
            Self::Again | Self::Unbelieved(_) => "retry: 1000\n: come again\n\n".into(),
        }
    }
}

const COMPLETE: &str = "event: complete\ndata:\n\n";

/// The events of an operation with one result.
pub fn written_events(response: &Response) -> String {
    format!("event: next\ndata: {}\n\n{COMPLETE}", written(response))
}
