//! The subcommands' ways to the simulator of gateways.

use std::net::SocketAddr;

use dispense::base::clock::Clock;
use dispense::config::{Account, Config};
use dispense::sandbox::{self, Simulator};

use super::{Ending, Sources, load, signals};

/// Starts the simulator beside a shop that is reached at `shop`; returned are it and the accounts it plays. `chaos`: the
/// seed by which it plays stories.
pub async fn beside(
    config: &mut Config,
    clock: Clock,
    shop: &str,
    chaos: Option<u64>,
) -> Result<(Simulator, Vec<Account>), Ending> {
    let simulator = sandbox::beside(config, clock).await?;
    sandbox::shop_listens(&simulator, shop);
    println!("sandbox on http://{}", simulator.address());
    unleash(&simulator, chaos);
    let base = format!("http://{}", simulator.address());
    let spoken = |account: &&Account| {
        let rest = account.api_url.as_deref().and_then(|url| url.strip_prefix(&base));
        rest.is_some_and(|path| path.is_empty() || path.starts_with('/'))
    };
    let accounts = config.accounts.iter().filter(spoken).cloned().collect();
    Ok((simulator, accounts))
}

/// The simulator alone, until SIGTERM or SIGINT.
pub async fn play(
    sources: &Sources,
    listen: Option<SocketAddr>,
    shop: Option<String>,
    chaos: Option<u64>,
) -> Result<(), Ending> {
    let config = load(sources)?;
    let stop = signals::stop()?;
    let (simulator, accounts) = sandbox::alone(&config.data, listen, shop).await?;
    println!("{accounts}");
    unleash(&simulator, chaos);
    println!("sandbox on http://{}", simulator.address());
    stop.await;
    Ok(())
}

/// Plays random stories at the simulator, when there is a seed; it is printed, so that they can be played again.
fn unleash(simulator: &Simulator, seed: Option<u64>) {
    if let Some(seed) = seed {
        println!("sandbox chaos by seed {seed}");
        simulator.unleash_chaos(seed);
    }
}
