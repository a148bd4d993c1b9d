//! Mails about what buyers report.

use crate::base::ids::CaseId;
use crate::infra::effects::messages::message_kinds;
use crate::infra::effects::record::record;

record! {
    pub struct OfCase {
        case: CaseId,
    }

    pub struct OfAnswer {
        case: CaseId,
        /// The number of the answer.
        answer: i64,
    }
}

message_kinds! {
    /// To who sells the piece: a buyer reported that it does not work.
    "case_opened" CaseOpened(OfCase);
    /// To the buyer: what was reported is answered.
    "case_answered" CaseAnswered(OfAnswer);
}
