//! Whether mails go out at all: one that fails may be one recipient's trouble, several in a row are everybody's.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::infra::smtp::SendAttempt;

/// Failures in a row after which a person should look.
const SEVERAL: u32 = 5;

/// Counts failures in a row.
#[derive(Default)]
pub struct MailHealth(AtomicU32);

impl MailHealth {
    /// What came of an attempt. The server that answered about a recipient is well.
    pub fn note(&self, attempt: &SendAttempt) {
        let SendAttempt::Failing(trouble, reason) = attempt else {
            // Without an answer to the text nobody knows.
            if !matches!(attempt, SendAttempt::Unknown(_)) && self.0.swap(0, Ordering::Relaxed) >= SEVERAL {
                tracing::info!("mails go out again");
                metrics::gauge!("dispense_mail_failing").set(0.0);
            }
            return;
        };
        let trouble = trouble.as_str();
        metrics::counter!("dispense_mail_failures_total", "reason" => trouble).increment(1);
        let in_a_row = self.0.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if in_a_row < SEVERAL {
            tracing::warn!(class = trouble, reason, in_a_row, "a mail could not be handed to its server");
        } else {
            metrics::gauge!("dispense_mail_failing").set(1.0);
            tracing::error!(class = trouble, reason, in_a_row, "no mail goes out: the mail server fails");
        }
    }
}
