//! Each account whose gateway hands statements out has yesterday's read, every day.

use chrono::{TimeDelta, Timelike};

use crate::base::ids::StatementRunId;
use crate::base::outcome::Outcome;
use crate::infra::effects::jobs;
use crate::infra::stuck::{self, RowName};
use crate::payments::accounts::Spoken;
use crate::payments::kit::PaymentKit;
use crate::payments::statements::import;
use crate::payments::statements::store::runs;

/// Gateways make a day's statement in the morning after it, by their own calendar.
const READY_HOUR: u32 = 10;

/// Days that are made up for after a rest.
const BACK: i64 = 7;

/// Sweep: asks for the statements of the last days that nobody has asked for. Returns how many.
pub async fn sweep(kit: &PaymentKit) -> Outcome<usize> {
    let accounts: Vec<Spoken> = kit.accounts.iter().collect();
    let name = |spoken: &Spoken| RowName { subject: spoken.0.id.clone(), public: spoken.0.id.clone() };
    stuck::each(kit, "daily_statements", accounts, name, |(account, gateway): Spoken| async move {
        if !gateway.abilities(&account.keys).statement {
            return Ok(0);
        }
        let now = kit.clock.now().with_timezone(&gateway.calendar());
        let waiting = if now.hour() < READY_HOUR { 2 } else { 1 };
        let days: Vec<_> = (waiting..waiting + BACK)
            .map(|ago| (StatementRunId(kit.clock.uuid()), now.date_naive() - TimeDelta::days(ago)))
            .collect();
        let mut tx = kit.db.begin().await?;
        let added = runs::insert_missing_runs(&mut tx, &account.id, &days).await?;
        let jobs: Vec<_> = added.iter().map(|id| import::job(*id)).collect();
        jobs::add(&tx, &jobs).await?;
        tx.commit().await?;
        Ok(added.len())
    })
    .await
}
