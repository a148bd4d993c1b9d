//! Each account whose gateway hands statements out has yesterday's read, every day.

use chrono::{TimeDelta, Timelike};

use crate::app::App;
use crate::base::ids::StatementRunId;
use crate::base::outcome::Outcome;
use crate::infra::effects::jobs;
use crate::payments::statements::import;
use crate::payments::statements::store::runs;

/// Gateways make a day's statement in the morning after it, by their own calendar.
const READY_HOUR: u32 = 10;

/// Days that are made up for after a rest.
const BACK: i64 = 7;

/// Sweep: asks for the statements of the last days that nobody has asked for. Returns how many.
pub async fn sweep(app: &App) -> Outcome<usize> {
    let mut asked = 0;
    for (account, gateway) in app.accounts.iter() {
        if !gateway.abilities(&account.keys).statement {
            continue;
        }
        let now = app.clock.now().with_timezone(&gateway.calendar());
        let waiting = if now.hour() < READY_HOUR { 2 } else { 1 };
        let days: Vec<_> = (waiting..waiting + BACK)
            .map(|ago| (StatementRunId(app.clock.uuid()), now.date_naive() - TimeDelta::days(ago)))
            .collect();
        let mut tx = app.db.begin().await?;
        let added = runs::insert_missing_runs(&mut tx, &account.id, &days).await?;
        let jobs: Vec<_> = added.iter().map(|id| import::job(*id)).collect();
        jobs::add(&tx, &jobs).await?;
        tx.commit().await?;
        asked += added.len();
    }
    Ok(asked)
}
