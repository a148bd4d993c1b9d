use serde::Deserialize;

use crate::config::key::{Key, Kind, key};
use crate::config::{Faults, Limits};

/// `[retention]`: for how many days is kept what leaves by age. What sales, money, keys, access or a dispute need does not.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Bodies of events.
    pub event_days: i64,
    /// What gateways sent, once it was settled.
    pub notice_days: i64,
    /// Rows of notices that failed authentication; what came of them leaves after `limits.forged_days`.
    pub refused_notice_days: i64,
    pub idempotency_days: i64,
    pub job_days: i64,
    /// Mailed codes, after their end.
    pub mailed_code_days: i64,
    /// Sign-ins with their refresh tokens, after their end.
    pub session_days: i64,
    /// Links that nothing was downloaded by, after their end.
    pub link_days: i64,
    /// Download sessions with their links, after their end.
    pub download_days: i64,
    /// What was delivered to hook endpoints, with its attempts.
    pub hook_days: i64,
    /// Attempts to send mails that are about orders.
    pub mail_attempt_days: i64,
    /// Mails that are about no order.
    pub other_mail_days: i64,
    /// What mail services reported.
    pub mail_report_days: i64,
    /// Lines of imports that were refused.
    pub import_problem_days: i64,
    /// Uploads that came to nothing.
    pub upload_days: i64,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            event_days: 90,
            notice_days: 180,
            refused_notice_days: 90,
            idempotency_days: 7,
            job_days: 7,
            mailed_code_days: 1,
            session_days: 30,
            link_days: 30,
            download_days: 400,
            hook_days: 60,
            mail_attempt_days: 400,
            other_mail_days: 90,
            mail_report_days: 90,
            import_problem_days: 90,
            upload_days: 30,
        }
    }
}

impl Retention {
    pub(super) fn check(&self, limits: &Limits, faults: &mut Faults) {
        if self.refused_notice_days < limits.forged_days {
            faults.add(
                "retention.refused_notice_days",
                "is less than limits.forged_days: the bytes would be kept longer than the notice they are of",
            );
        }
        if self.mail_attempt_days < self.other_mail_days {
            faults.add(
                "retention.mail_attempt_days",
                "is less than retention.other_mail_days: mails would be kept longer than the attempts to send them",
            );
        }
    }
}

/// At least a month: what is sent to hook endpoints, answered to readers and proven by `dispense check` reaches as far back.
const MONTHS: Kind = Kind::Int(31, 36_500);
const DAYS: Kind = Kind::Int(1, 36_500);

/// Keys of the section `retention`.
pub const RETENTION_KEYS: &[Key] = &[
    key(
        "retention.event_days",
        MONTHS,
        "90",
        "Bodies of events: what GET /events, timelines and hook replays can give. They leave by whole months, so up to a month later. Their seals in the audit chain stay.",
    ),
    key(
        "retention.notice_days",
        MONTHS,
        "180",
        "What gateways sent, as it came; by whole months. That of notices which were not settled stays, and so does the record of each notice.",
    ),
    key(
        "retention.refused_notice_days",
        DAYS,
        "90",
        "Records of notices that failed authentication. What came of them leaves after limits.forged_days.",
    ),
    key(
        "retention.idempotency_days",
        DAYS,
        "7",
        "Idempotency keys; a repeat is a new request afterwards. Those of an order that may still be paid for stay, and those of refunds, replacements, answers to cases and recalls stay for ever.",
    ),
    key("retention.job_days", DAYS, "7", "Jobs that are done. Those that were given up stay."),
    key("retention.mailed_code_days", DAYS, "1", "Mailed codes, after they ended."),
    key("retention.session_days", DAYS, "30", "Sign-ins and their refresh tokens, after they ended."),
    key(
        "retention.link_days",
        DAYS,
        "30",
        "Claim and download links that nothing was downloaded by, after they ended.",
    ),
    key(
        "retention.download_days",
        Kind::Int(31, 36_500),
        "400",
        "Download sessions and their links, after they ended: what proves to a bank that the buyer downloaded. Those of an order with an open dispute stay.",
    ),
    key(
        "retention.hook_days",
        MONTHS,
        "60",
        "Events that were delivered to hook endpoints, with their attempts. Those that need attention stay as long as their event.",
    ),
    key(
        "retention.mail_attempt_days",
        MONTHS,
        "400",
        "Attempts to send mails about orders. The mails themselves, without their text, stay.",
    ),
    key(
        "retention.other_mail_days",
        MONTHS,
        "90",
        "Mails about no order (codes, alerts), with their attempts. Those that were not sent stay, and alerts of open tasks.",
    ),
    key("retention.mail_report_days", DAYS, "90", "What mail services reported of mails."),
    key(
        "retention.import_problem_days",
        DAYS,
        "90",
        "Which lines of an import of keys were refused, and why.",
    ),
    key("retention.upload_days", DAYS, "30", "Uploads that were given up or ended unused."),
];
