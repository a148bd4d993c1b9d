//! THE table: which job starts which action.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;

use crate::app::App;
use crate::base::outcome::{Fault, Outcome};
use crate::infra::lease::Job;

/// How a job ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    Finished,
    /// Come back after this time; no attempt is counted.
    Later(Duration),
}

/// What a worker does with a job. Production has one, `react`; tests pass others to see jobs fail, hang and panic.
pub type React = Arc<dyn Fn(Arc<App>, Job) -> BoxFuture<'static, Outcome<Done>> + Send + Sync>;

/// The table in the form workers take.
pub fn table() -> React {
    Arc::new(|app, job| Box::pin(async move { react(&app, &job).await }))
}

async fn react(_app: &Arc<App>, job: &Job) -> Outcome<Done> {
    match job.kind.as_str() {
        other => Err(Fault::bug(format!("no reaction to jobs of kind {other}")).into()),
    }
}
