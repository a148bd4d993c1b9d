//! What a connection is wanted for. Each purpose has a pool of its own, so that none of them can take what the others need.

use std::future::Future;

tokio::task_local! {
    static CURRENT: Purpose;
}

/// For what the database is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Requests of buyers, API clients and everybody else.
    Requests,
    /// Requests of those who sell and of staff: their lists and reports may be large.
    Reports,
    /// Jobs and sweeps.
    Background,
    /// Settling notices: a reserved pool with plans that do not depend on how long an array is.
    Notices,
}

impl Purpose {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Requests, Self::Reports, Self::Background, Self::Notices];

    /// As metrics name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Reports => "reports",
            Self::Background => "background",
            Self::Notices => "notices",
        }
    }

    /// That of the task that asks: what [`within`] has set, else requests.
    pub fn current() -> Self {
        CURRENT.try_with(|purpose| *purpose).unwrap_or(Self::Requests)
    }
}

/// Runs a future whose connections are for this purpose. A task that it spawns is not in it.
pub fn within<F: Future>(purpose: Purpose, future: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(purpose, future)
}
