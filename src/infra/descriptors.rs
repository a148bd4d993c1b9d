//! How many files the system lets the program have open: each connection is one.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::base::outcome::Fault;
use crate::config::Config;

/// Open files beside connections: the database's, calls to others, logs, the runtime's own.
const BESIDE: usize = 256;

/// The fewest connections that are worth a start.
const FEWEST: usize = 16;

/// Raises the limit of open files as far as it goes, and lowers `connections.most` to what fits: a connection may hold a
/// file besides, the one that is uploaded or downloaded.
///
/// # Errors
/// When not even a few connections fit.
pub fn make_room(config: &mut Config) -> Result<(), Fault> {
    let asked = |e: nix::Error| Fault::setup(format!("the limit of open files: {e}"));
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(asked)?;
    // Some systems name no hard limit and refuse to make it the soft one: then the soft one stays.
    let raised = if setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() { hard } else { soft };
    metrics::gauge!("dispense_open_files_limit").set(raised as f64);
    let beside =
        BESIDE + config.database.connections + config.worker.concurrency + config.worker.hook_concurrency;
    let fits = usize::try_from(raised).unwrap_or(usize::MAX).saturating_sub(beside) / 2;
    if fits < FEWEST {
        let text =
            format!("the system allows {raised} open files, and at least {} are needed", beside + 2 * FEWEST);
        return Err(Fault::setup(text));
    }
    let connections = &mut config.connections;
    if fits < connections.most {
        tracing::warn!(
            open_files = raised,
            wanted = connections.most,
            connections = fits,
            "the system allows too few open files for so many connections"
        );
        connections.room = connections.room.min(fits / 4);
        connections.most = fits;
    }
    Ok(())
}
