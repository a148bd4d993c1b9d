//! What a person reads after a restore.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value;

use crate::payments::restored::store::{Found, Question};
use crate::vault::model::VariantCount;

/// What was asked, what was found, what cannot be rebuilt.
#[derive(Debug)]
pub struct RestoredReport {
    pub epoch: i32,
    /// What happened from here on may be unknown.
    pub since: DateTime<Utc>,
    /// Sales go on.
    pub opened: bool,
    /// Attempts that were asked about, that were paid, and whose gateway did not answer.
    pub asked: usize,
    pub found: usize,
    pub unclear: usize,
    pub questions: Vec<Question>,
    /// Payments and refunds that nobody here knows.
    pub unknown: Vec<Found>,
    /// Keys that stay out of sale.
    pub frozen: Vec<VariantCount>,
}

/// Nothing outside the database keeps these.
const NEVER_REBUILT: &str = "\
What this database cannot know of the time since the backup:
  orders, and which key went to whom: buyers have their mails; the payments above are all that is left of them
  keys that were taken in: take the same files in again only after comparing, some of their keys may be sold
  files, prices, texts, accounts of people, and what staff did";

impl fmt::Display for RestoredReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = self.since.to_rfc3339_opts(SecondsFormat::Secs, true);
        writeln!(f, "epoch {}; unknown since {since}", self.epoch)?;
        writeln!(
            f,
            "{} attempts were asked about: {} were paid meanwhile, {} are unclear",
            self.asked, self.found, self.unclear
        )?;
        for question in &self.questions {
            let Question { account_id, day, state, unknown_lines, reason } = question;
            let reason = reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
            writeln!(f, "{account_id} {day} {state}, {unknown_lines} unknown{reason}")?;
        }
        for found in &self.unknown {
            writeln!(f, "{}", line(found))?;
        }
        for variant in &self.frozen {
            writeln!(f, "frozen {} keys of {}", variant.keys, variant.variant_id)?;
        }
        if !self.frozen.is_empty() {
            writeln!(
                f,
                "release them by `dispense restored --release VARIANT [--but-first N]` once it is clear what was sold"
            )?;
        }
        writeln!(f, "{NEVER_REBUILT}")?;
        match self.opened {
            true => write!(f, "sales go on"),
            false => write!(f, "sales are HELD: a gateway did not answer; run this again, or with --open"),
        }
    }
}

fn line(found: &Found) -> String {
    let text = |key: &str| match found.body.get(key) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => "-".to_owned(),
        Some(other) => other.to_string(),
    };
    let what = if found.kind == "restored_refund_unknown" { "unknown refund" } else { "unknown payment" };
    format!(
        "{what} {} number {} trade {} of {} {} at {}",
        text("account"),
        text("number"),
        text("trade"),
        text("amount_minor"),
        text("currency"),
        text("at")
    )
}
