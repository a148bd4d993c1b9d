//! How the simulator misbehaves when a test orders it.

use serde::Deserialize;

use super::acts::NoticeOrder;

/// How the simulator misbehaves when asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", default, deny_unknown_fields)]
pub(super) struct Trouble {
    /// Acts on a call of the API and never answers it.
    pub lose_answers: bool,
    /// Acts on a call of the API and answers it with 502.
    pub spoil_answers: bool,
    /// Answers every call with 503 and does nothing.
    pub fail_calls: bool,
    /// Answers with somebody else's signature (gateways that sign their answers).
    pub forge_answers: bool,
    /// Signs by a certificate that nobody was given (WeChat Pay); the list of certificates has it.
    pub rotate: bool,
    /// What becomes of a refund asked for by API: `succeeded` by default, `pending`, `failed`.
    pub refunds: Option<RefundCourse>,
    /// How a refund asked for by API is reported, where the gateway has more than one way.
    pub report: Option<NoticeOrder>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RefundCourse {
    Succeeded,
    Pending,
    Failed,
}

impl RefundCourse {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Pending => "pending",
            Self::Failed => "failed",
        }
    }
}
