//! The simulator beside a shop (`serve --sandbox`) and alone (`dispense sandbox`).

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::simulator::{GenericSide, Simulator, SimulatorConfig, StripeSide};
use crate::base::clock::{Clock, random};
use crate::base::outcome::Fault;
use crate::base::secret::Secret;
use crate::config::{Account, Config};

/// Ids of the two accounts.
const STRIPE: &str = "sandbox-stripe";
const GENERIC: &str = "sandbox-generic";

/// Random per data folder and kept there, so that a restart keeps what was started.
#[derive(Serialize, Deserialize)]
struct Kept {
    port: u16,
    stripe_secret: String,
    stripe_key: String,
    generic_secret: String,
}

impl Kept {
    fn load_or_make(folder: &Path) -> Result<Self, Fault> {
        let path = folder.join("sandbox.json");
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| fault(&path, e)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let kept = Self {
                    port: 0,
                    stripe_secret: format!("whsec_{}", hex::encode(random::<24>())),
                    stripe_key: format!("sk_test_{}", hex::encode(random::<24>())),
                    generic_secret: format!("whsec_{}", STANDARD.encode(random::<32>())),
                };
                kept.save(folder)?;
                Ok(kept)
            }
            Err(error) => Err(fault(&path, error)),
        }
    }

    /// Readable by the owner alone.
    fn save(&self, folder: &Path) -> Result<(), Fault> {
        let (path, draft) = (folder.join("sandbox.json"), folder.join("sandbox.json.draft"));
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let bytes = serde_json::to_vec_pretty(self).map_err(|e| fault(&path, e))?;
        let mut file = options.open(&draft).map_err(|e| fault(&draft, e))?;
        file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(|e| fault(&draft, e))?;
        std::fs::rename(&draft, &path).map_err(|e| fault(&path, e))
    }
}

fn fault(path: &Path, error: impl std::fmt::Display) -> Fault {
    Fault::Bug(format!("{}: {error}", path.display()))
}

/// Starts the simulator for a data folder, on `listen` or else on the port of last time when it is free.
async fn start(
    folder: &Path,
    clock: Clock,
    listen: Option<SocketAddr>,
    notify_url: Option<String>,
) -> Result<(Simulator, Kept), Fault> {
    std::fs::create_dir_all(folder).map_err(|e| fault(folder, e))?;
    let mut kept = Kept::load_or_make(folder)?;
    let config = |listen: SocketAddr| SimulatorConfig {
        listen,
        stripe: Some(StripeSide {
            secret: Secret::new(&*kept.stripe_secret),
            api_key: Secret::new(&*kept.stripe_key),
            notify_url: notify_url.clone(),
            livemode: false,
        }),
        generic: Some(GenericSide { secret: Secret::new(&*kept.generic_secret) }),
        clock: clock.clone(),
        retry_gaps: [1, 2, 5, 10, 30, 60, 120, 300, 600].map(Duration::from_secs).to_vec(),
        state_file: Some(folder.join("sandbox-book.json")),
    };
    let on = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
    let simulator = match Simulator::start(config(listen.unwrap_or(on(kept.port)))).await {
        Err(Fault::Upstream(_)) if listen.is_none() && kept.port != 0 => {
            Simulator::start(config(on(0))).await?
        }
        started => started?,
    };
    if simulator.address().port() != kept.port {
        kept.port = simulator.address().port();
        kept.save(folder)?;
    }
    Ok((simulator, kept))
}

/// Starts the simulator beside a shop and adds its two accounts to the shop's configuration, so it comes before
/// `App::start`. Refused beside accounts that take real money and on addresses others can reach. Once the shop
/// listens, its address goes to [`shop_listens`].
pub async fn beside(config: &mut Config, clock: Clock) -> Result<Simulator, Fault> {
    let real: Vec<&str> = config.accounts.iter().filter(|a| !a.sandbox).map(|a| a.id.as_str()).collect();
    if !real.is_empty() {
        let ids = real.join(", ");
        return Err(Fault::Setup(format!("--sandbox beside accounts that are not marked `sandbox`: {ids}")));
    }
    if !config.server.listen.ip().is_loopback() {
        return Err(Fault::setup("--sandbox serves on loopback only: whoever reaches it can make payments"));
    }
    let (simulator, kept) = start(&config.data, clock, None, None).await?;
    let account = |id: &str, gateway: &str, title: &str, secret: &str, url: String| Account {
        id: id.into(),
        gateway: gateway.into(),
        title: Some(title.into()),
        currencies: config.shop.currencies.clone(),
        secrets: vec![Secret::new(secret)],
        api_url: Some(url),
        sandbox: true,
        ..Account::default()
    };
    let stripe = Account {
        api_key: Some(Secret::new(&*kept.stripe_key)),
        ..account(STRIPE, "stripe", "Sandbox card", &kept.stripe_secret, simulator.stripe_url())
    };
    let generic =
        account(GENERIC, "generic", "Sandbox payment", &kept.generic_secret, simulator.generic_url());
    config.accounts.retain(|a| a.id != STRIPE && a.id != GENERIC);
    config.accounts.extend([stripe, generic]);
    Ok(simulator)
}

/// Starts the simulator alone. Answers it and the accounts a shop's configuration needs for it, as TOML.
pub async fn alone(
    folder: &Path,
    listen: Option<SocketAddr>,
    notify_url: Option<String>,
) -> Result<(Simulator, String), Fault> {
    let (simulator, kept) = start(folder, Clock::default(), listen, notify_url).await?;
    let account = |id: &str, gateway: &str, secret: &str, url: &str, more: &str| {
        format!(
            "[[accounts]]\nid = \"{id}\"\ngateway = \"{gateway}\"\ncurrencies = [\"USD\", \"EUR\", \"CNY\"]\n\
             secrets = [\"{secret}\"]\napi_url = \"{url}\"\nsandbox = true\n{more}"
        )
    };
    let key = format!("api_key = \"{}\"\n", kept.stripe_key);
    let text = format!(
        "{}\n{}",
        account(STRIPE, "stripe", &kept.stripe_secret, &simulator.stripe_url(), &key),
        account(GENERIC, "generic", &kept.generic_secret, &simulator.generic_url(), "")
    );
    Ok((simulator, text))
}

/// Tells the simulated Stripe where the shop's endpoint is, as one would in Stripe's dashboard. `base` is an address
/// that reaches the shop from this machine.
pub fn shop_listens(simulator: &Simulator, base: &str) {
    simulator.set_stripe_notify_url(format!("{}/webhooks/{STRIPE}", base.trim_end_matches('/')));
}
