//! Whether the shop can do its work: its database answers, has the tables this program knows, and takes a write.

use std::time::{Duration, Instant};

use diesel_async::RunQueryDsl;
use tokio::sync::Mutex;

use crate::base::outcome::Fault;
use crate::infra::db::{Db, migrate};

/// How long the database may take to answer before the program counts as not ready.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long an answer is good: whoever asks more often is given it again, so that asking costs no writes.
const GOOD: Duration = Duration::from_secs(1);

/// Why nothing can be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unready {
    /// `unreachable`, `slow`, `not_migrated` or `not_writable`.
    pub reason: &'static str,
    /// What the database said; for operators.
    pub fault: String,
}

/// An answer, and how long it took to find.
#[derive(Clone, Debug)]
pub struct Ready {
    pub verdict: Result<(), Unready>,
    pub took: Duration,
}

/// Asks one question at a time.
#[derive(Default)]
pub struct Readiness(Mutex<Option<(Instant, Ready)>>);

impl Readiness {
    /// What is known, at most a second old.
    pub async fn ask(&self, db: &Db) -> Ready {
        let mut last = self.0.lock().await;
        if let Some((at, ready)) = last.as_ref()
            && at.elapsed() < GOOD
        {
            return ready.clone();
        }
        let began = Instant::now();
        let verdict = tokio::time::timeout(PATIENCE, look(db)).await.unwrap_or_else(|_| {
            let fault = format!("no answer within {} ms", PATIENCE.as_millis());
            Err(Unready { reason: "slow", fault })
        });
        let ready = Ready { verdict, took: began.elapsed() };
        *last = Some((Instant::now(), ready.clone()));
        ready
    }
}

async fn look(db: &Db) -> Result<(), Unready> {
    let because = |reason| move |fault: Fault| Unready { reason, fault: fault.to_string() };
    let mut conn = db.conn().await.map_err(because("unreachable"))?;
    let current = migrate::is_current(&mut conn).await.map_err(because("unreachable"))?;
    if !current {
        return Err(Unready { reason: "not_migrated", fault: "migrations are missing".into() });
    }
    // A real one: a database that is read-only, or whose disk is full, still answers questions.
    let written = diesel::sql_query("update readiness set written_at = app_now()").execute(&mut conn).await;
    match written {
        Ok(1) => Ok(()),
        Ok(rows) => Err(Unready { reason: "not_writable", fault: format!("{rows} rows of readiness") }),
        Err(error) => Err(because("not_writable")(error.into())),
    }
}
