//! All that leaves by age, gathered from who owns it.

use crate::base::outcome::Outcome;
use crate::infra::kit::Kit;
use crate::infra::retention::{self, Rule};
use crate::{delivery, files, hooks, mail, orders, payments, people, vault};

/// Every rule. What is in no rule stays for ever; docs/OPERATIONS.md says why, of every table.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    [
        retention::own::RETENTION,
        people::retention::RETENTION,
        vault::retention::RETENTION,
        files::retention::RETENTION,
        orders::retention::RETENTION,
        payments::retention::RETENTION,
        delivery::retention::RETENTION,
        hooks::retention::RETENTION,
        mail::retention::RETENTION,
    ]
    .into_iter()
    .flatten()
}

/// Sweep: deletes what is due. Returns how much.
pub async fn sweep(kit: &Kit) -> Outcome<usize> {
    let rules: Vec<&Rule> = rules().collect();
    Ok(retention::round(kit, &rules).await?)
}
