//! The two ways an action can fail. A *refusal* is an expected no with a stable code that the caller can act
//! on; a *fault* is ours (database, upstream, bug) and knows whether trying again can help.

use thiserror::Error;

use crate::base::error_code::ErrorCode;

/// An expected no. `code` is stable and belongs to one of the API's error enums; `field` is the path into the
/// input; `message` is ready to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub code: ErrorCode,
    pub message: String,
    pub field: Vec<String>,
    /// Seconds after which the same call may succeed.
    pub retry_after: Option<u32>,
    /// The variant that is short or unknown, and how many of it can be had.
    pub variant_id: Option<crate::base::ids::VariantId>,
    pub available: Option<i32>,
    /// A person of the shop wrote the message: it is shown as it is in every language.
    pub verbatim: bool,
}

impl Refusal {
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            field: Vec::new(),
            retry_after: None,
            variant_id: None,
            available: None,
            verbatim: false,
        }
    }

    pub fn at<I: Into<String>>(mut self, path: impl IntoIterator<Item = I>) -> Self {
        self.field = path.into_iter().map(Into::into).collect();
        self
    }

    /// The message is what a person of the shop wrote.
    pub fn verbatim(mut self) -> Self {
        self.verbatim = true;
        self
    }

    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }
}

/// Our failure. The text is for the log, never for a client.
#[derive(Debug, Error)]
pub enum Fault {
    /// The database is gone, slow or locked: try again later.
    #[error("database: {0}")]
    Database(String),
    /// The connection died while a COMMIT was on its way: the outcome must be looked up, never guessed.
    #[error("commit outcome unknown: {0}")]
    CommitUnknown(String),
    /// Somebody else's server did not do its part: try again later.
    #[error("upstream: {0}")]
    Upstream(String),
    /// More work waits than may wait: try again later.
    #[error("overloaded: {0}")]
    Overloaded(&'static str),
    /// The machine or its configuration is not as the program needs it: the message says what the operator must do.
    #[error("{0}")]
    Setup(String),
    /// A broken promise inside the program: trying again does not help.
    #[error("bug: {0}")]
    Bug(String),
}

impl Fault {
    pub fn bug(text: impl Into<String>) -> Self {
        Self::Bug(text.into())
    }

    pub fn setup(text: impl Into<String>) -> Self {
        Self::Setup(text.into())
    }

    pub fn may_pass(&self) -> bool {
        !matches!(self, Self::Bug(_) | Self::Setup(_))
    }
}

/// What an action answers when it does not succeed.
#[derive(Debug)]
pub enum Failure {
    Refused(Box<Refusal>),
    Fault(Fault),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// The result of an action.
pub type Outcome<T> = Result<T, Failure>;
