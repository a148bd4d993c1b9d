//! Notices that fail authentication: answered with failure, counted, and kept for a person within bounds. The bounds
//! are by sender (a rate), and by account and day (rows and bytes), so that nobody fills the disk.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chrono::NaiveDate;

use crate::base::outcome::Fault;
use crate::infra::db::Purpose;
use crate::payments::accounts::Account;
use crate::payments::gateways::gateway::{Gateway, NoticeRefusal, RawNotice, Stage, Verdict};
use crate::payments::kit::PaymentKit;
use crate::payments::notices::receive::{self, Acknowledgement};
use crate::payments::notices::store::refused::{self, Bounds};

/// Accounts whose inbox takes no more of them on this day: then the database is not even asked.
#[derive(Default)]
pub struct FullDays(Mutex<HashMap<String, NaiveDate>>);

impl FullDays {
    fn is_full(&self, account_id: &str, day: NaiveDate) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(account_id) == Some(&day)
    }

    fn note(&self, account_id: &str, day: NaiveDate) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(account_id.to_owned(), day);
    }
}

/// Answers with the gateway's failure response, after the notice is stored where `may_store` and the bounds allow it.
pub(super) async fn refuse(
    kit: &PaymentKit,
    account: &Account,
    gateway: &dyn Gateway,
    raw: &RawNotice,
    refusal: NoticeRefusal,
    may_store: impl FnOnce() -> bool,
) -> Acknowledgement {
    let stage = refusal.stage.as_str();
    metrics::counter!("dispense_notices_refused_total", "account" => account.id.clone(), "stage" => stage, "reason" => refusal.reason)
        .increment(1);
    let day = kit.clock.now().date_naive();
    if !kit.full_days.is_full(&account.id, day) && may_store() {
        let verdict = if refusal.stage == Stage::Format { "malformed" } else { "forged" };
        match store(kit, account, raw, verdict, format!("{stage}: {}", refusal.reason)).await {
            Ok(true) => {}
            Ok(false) => {
                tracing::warn!(
                    account = account.id,
                    "no more notices that fail authentication are kept today"
                );
                kit.full_days.note(&account.id, day);
            }
            Err(fault) => {
                tracing::warn!(%fault, account = account.id, "a refused notice could not be stored");
            }
        }
    }
    Acknowledgement::Reply(gateway.reply(Verdict::Refused))
}

async fn store(
    kit: &PaymentKit,
    account: &Account,
    raw: &RawNotice,
    verdict: &'static str,
    reason: String,
) -> Result<bool, Fault> {
    let limits = &kit.config.limits;
    let bounds = Bounds { notices: limits.forged_notices_per_day, bytes: limits.forged_bytes_per_day };
    let row = receive::delivery(kit, &account.id, raw, verdict, reason);
    let mut conn = kit.db.conn_for(Purpose::Notices).await?;
    Ok(refused::insert(&mut conn, &row, bounds).await?)
}
