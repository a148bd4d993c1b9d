//! What leaves by age: how mails were sent, and what mail services reported. The mails about orders stay.

use crate::infra::retention::Rule;

/// Rules of the tables of mails.
pub const RETENTION: &[Rule] = &[
    Rule {
        table: "message_attempt",
        days: |config| config.retention.mail_attempt_days,
        leaves: crate::infra::retention::old_rows!(
            "message_attempt",
            "message_id, attempt",
            "started_at",
            "exists (select 1 from message m where m.id = message_attempt.message_id and m.state = 'sent')"
        ),
    },
    Rule {
        table: "mail_report",
        days: |config| config.retention.mail_report_days,
        leaves: crate::infra::retention::old_rows!("mail_report", "id", "received_at", "true"),
    },
];
