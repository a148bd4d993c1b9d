//! Finds messages that wait without a job that would send them (D8).

use crate::base::outcome::Outcome;
use crate::infra::effects::messages;
use crate::infra::kit::Kit;

/// Gives such messages a job. Finding any is a defect, and is reported.
pub async fn sweep(kit: &Kit) -> Outcome<usize> {
    let found = messages::add_missing_jobs(&mut *kit.db.conn().await?, 100).await?;
    if found > 0 {
        tracing::error!(found, "messages waited without a job");
        metrics::counter!("dispense_defects_total", "kind" => "message_without_job").increment(found as u64);
    }
    Ok(found)
}
