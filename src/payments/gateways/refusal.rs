//! Why a notice was not taken, and what it names all the same.

/// Where a notice was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Not signed, or by somebody else.
    Signature,
    /// Signed, but too long ago or for a time to come.
    Replay,
    Decrypt,
    /// Signed by the gateway, but not a message we can read.
    Format,
}

impl Stage {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Signature => "signature",
            Self::Replay => "replay",
            Self::Decrypt => "decrypt",
            Self::Format => "format",
        }
    }
}

/// What a genuine event names that cannot be read: enough to say whether it is about a payment of ours at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// Whatever is in the field for our number.
    pub numbers: Vec<String>,
    pub trade_no: Option<String>,
    pub gateway_reference: Option<String>,
    pub refund_id: Option<String>,
    /// It is about money that goes back, and such events carry little: the gateway knows whose the trade is.
    pub carries_little: bool,
}

impl Named {
    /// One whose number says whose it is.
    pub(super) fn sale(number: String, trade_no: Option<String>) -> Self {
        Self { numbers: vec![number], trade_no, ..Self::default() }
    }
}

/// Why a notice was not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticeRefusal {
    pub stage: Stage,
    /// A short stable code.
    pub reason: &'static str,
    /// What it names, where the gateway is known to have said so.
    pub named: Option<Box<Named>>,
}

impl NoticeRefusal {
    pub(super) fn signature(reason: &'static str) -> Self {
        Self { stage: Stage::Signature, reason, named: None }
    }

    pub(super) fn replay(reason: &'static str) -> Self {
        Self { stage: Stage::Replay, reason, named: None }
    }

    pub(super) fn decrypt(reason: &'static str) -> Self {
        Self { stage: Stage::Decrypt, reason, named: None }
    }

    pub(super) fn format(reason: &'static str) -> Self {
        Self { stage: Stage::Format, reason, named: None }
    }

    /// An id that no gateway would give.
    pub fn unstorable() -> Self {
        Self { stage: Stage::Format, reason: "control_character", named: None }
    }

    /// Not to be read, and perhaps about a sale of somebody else's.
    pub(super) fn naming(reason: &'static str, named: Named) -> Self {
        Self { stage: Stage::Format, reason, named: Some(Box::new(named)) }
    }
}
