//! Whether this machine's clock goes with the database's. Deadlines are the database's, signatures and tokens are judged by
//! this machine's: where they differ by much, honest notices are refused and holds end early or late.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::QueryableByName;
use diesel::sql_types::Timestamptz;
use diesel_async::RunQueryDsl;
use metrics::gauge;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use crate::base::outcome::Fault;
use crate::infra::kit::Kit;

/// How often it looks.
const LOOK: Duration = Duration::from_secs(60);

/// More than honest clocks that nobody sets differ by in days.
const NOTABLE: TimeDelta = TimeDelta::minutes(1);

/// Gateways' signatures are refused beyond: the tolerance of Standard Webhooks and of Stripe.
const HARMFUL: TimeDelta = TimeDelta::minutes(5);

/// What a difference does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockDifference {
    Small,
    Notable,
    Harmful,
}

#[derive(QueryableByName)]
struct Now {
    #[diesel(sql_type = Timestamptz)]
    now: DateTime<Utc>,
}

/// How far the database's clock is ahead of this machine's, by half of the time that its answer took.
async fn measure(kit: &Kit) -> Result<TimeDelta, Fault> {
    let mut conn = kit.db.conn().await?;
    let before = kit.clock.now();
    let there: Now = diesel::sql_query("select app_now() as now").get_result(&mut conn).await?;
    let took = kit.clock.now() - before;
    Ok(there.now - before - took / 2)
}

/// Looks once and reports the difference as a figure.
pub async fn look(kit: &Kit) -> Result<ClockDifference, Fault> {
    let ahead = measure(kit).await?;
    gauge!("dispense_clock_difference_seconds").set(ahead.as_seconds_f64());
    Ok(match ahead.abs() {
        difference if difference > HARMFUL => ClockDifference::Harmful,
        difference if difference > NOTABLE => ClockDifference::Notable,
        _ => ClockDifference::Small,
    })
}

/// Looks every minute, and says when what it finds changes.
pub async fn run(kit: Arc<Kit>, shutdown: CancellationToken) {
    let mut last = ClockDifference::Small;
    let looks = async {
        loop {
            match look(&kit).await {
                Ok(found) if found == last => {}
                Ok(found) => {
                    say(found);
                    last = found;
                }
                Err(e) => debug!(error = %e, "the database's clock could not be read"),
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::select! {
        () = looks => {}
        () = shutdown.cancelled() => {}
    }
}

fn say(found: ClockDifference) {
    match found {
        ClockDifference::Small => info!("this machine's clock goes with the database's again"),
        ClockDifference::Notable => {
            warn!(
                "this machine's clock and the database's differ by more than a minute: let both be set by NTP"
            );
        }
        ClockDifference::Harmful => {
            error!(
                "this machine's clock and the database's differ by more than five minutes: honest notices of gateways are \
                 refused; set the clocks"
            );
        }
    }
}
