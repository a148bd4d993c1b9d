//! Work until nothing is due: for tests and the demo.

use std::sync::Arc;

use super::reactions::{self, React};
use super::run;
use crate::base::outcome::Fault;
use crate::hooks;
use crate::infra::sequence::{self, Step};
use crate::worker::backend::WorkerBackend;

/// Numbers events, runs jobs, one after the other, and sends what is due to hook endpoints, until there is none of it. What
/// failed waits for its next time and is left. Returns how many jobs ran.
pub async fn drain(backend: &Arc<WorkerBackend>) -> Result<usize, Fault> {
    drain_with(backend, &reactions::table()).await
}

/// `drain` with another table of reactions.
pub async fn drain_with(backend: &Arc<WorkerBackend>, react: &React) -> Result<usize, Fault> {
    let worker = run::worker_name();
    let mut ran = 0;
    loop {
        let numbered = sequence::step(&backend.db).await?;
        let reacted = reactions::to_events(backend).await?;
        let fanned_out = hooks::fan_out::step(&backend.hooks).await?;
        let jobs = run::try_claim(backend, &worker, 1).await?;
        let sent = hooks::deliver::run_due(&backend.hooks).await?;
        let quiet = jobs.is_empty()
            && reacted + fanned_out + sent == 0
            && matches!(numbered, Step::Busy | Step::Numbered(0));
        for job in jobs {
            ran += 1;
            run::execute(backend, react, job).await;
        }
        if quiet {
            return Ok(ran);
        }
    }
}
