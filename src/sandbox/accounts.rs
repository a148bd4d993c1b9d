//! The simulator beside a shop (`serve --sandbox`) and alone (`dispense sandbox`).

use std::net::SocketAddr;
use std::path::Path;

use super::drawer::{self, Drawer};
use super::sides;
use super::simulator::{Simulator, SimulatorConfig};
use crate::base::clock::Clock;
use crate::base::outcome::Fault;
use crate::config::{Account, Config};

/// An hour of the gateways' own schedules passes in a minute.
const SPEED: f64 = 60.0;

/// Starts the simulator for a data folder, on `listen` or else on the port of last time when it is free.
async fn start(folder: &Path, clock: Clock, listen: Option<SocketAddr>) -> Result<Simulator, Fault> {
    std::fs::create_dir_all(folder).map_err(|e| drawer::fault(folder, e))?;
    let kept = Drawer::load(folder)?;
    let config = |listen: SocketAddr| SimulatorConfig {
        listen,
        speed: SPEED,
        state_file: Some(folder.join("sandbox-book.json")),
        ..SimulatorConfig::new(&[], kept.clone(), clock.clone())
    };
    let on = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
    let simulator = match Simulator::start(config(listen.unwrap_or(on(kept.port)))).await {
        Err(Fault::Upstream(_)) if listen.is_none() && kept.port != 0 => {
            Simulator::start(config(on(0))).await?
        }
        started => started?,
    };
    let mut secrets = simulator.secrets().clone();
    secrets.port = simulator.address().port();
    secrets.save(folder)?;
    Ok(simulator)
}

/// The simulator's accounts with those of the shop's currencies that their gateways take; none without any.
fn accounts(simulator: &Simulator, currencies: &[String]) -> Vec<Account> {
    let of_shop = |account: Account| {
        let takes = |currency: &&String| simulator.takes(&account.gateway, currency);
        Account { currencies: currencies.iter().filter(takes).cloned().collect(), ..account }
    };
    let all = simulator.accounts().into_iter().map(of_shop);
    all.filter(|account| !account.currencies.is_empty()).collect()
}

/// Starts the simulator beside a shop and adds its accounts to the shop's configuration, so it comes before
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
    let simulator = start(&config.data, clock, None).await?;
    let accounts = accounts(&simulator, &config.shop.currencies);
    config.accounts.retain(|old| accounts.iter().all(|new| new.id != old.id));
    config.accounts.extend(accounts);
    // The supplier that is played listens on loopback, where nothing is called otherwise.
    config.outbound.private_networks.push("127.0.0.1/32".into());
    config.outbound.plain_http = true;
    config.outbound.ports.push(simulator.address().port());
    Ok(simulator)
}

/// Adds the accounts of the simulator that runs, or ran last, beside the shop of this data folder: for commands that
/// work beside `serve --sandbox`. Nothing beside accounts that take real money, and nothing where none ever ran.
pub fn remember(config: &mut Config) -> Result<(), Fault> {
    let mut kept = Drawer::load(&config.data)?;
    if kept.port == 0 || config.accounts.iter().any(|account| !account.sandbox) {
        return Ok(());
    }
    let base = format!("http://{}", SocketAddr::from(([127, 0, 0, 1], kept.port)));
    for side in sides::played(&[], &mut kept)? {
        let currencies = config.shop.currencies.iter().filter(|code| side.takes(code)).cloned().collect();
        let account = Account { currencies, ..side.account(&base) };
        if !account.currencies.is_empty() && config.accounts.iter().all(|known| known.id != account.id) {
            config.accounts.push(account);
        }
    }
    Ok(())
}

/// Starts the simulator alone. Answers it and the accounts a shop's configuration needs for it, as TOML. `shop` is the
/// shop's address, for the gateways where notice addresses are set in their dashboard.
pub async fn alone(
    folder: &Path,
    listen: Option<SocketAddr>,
    shop: Option<String>,
) -> Result<(Simulator, String), Fault> {
    let simulator = start(folder, Clock::default(), listen).await?;
    if let Some(shop) = shop {
        shop_listens(&simulator, &shop);
    }
    let currencies = ["USD", "EUR", "CNY"].map(str::to_owned);
    let text = accounts(&simulator, &currencies).iter().map(toml).collect::<Vec<_>>().join("\n");
    Ok((simulator, text))
}

fn toml(account: &Account) -> String {
    let quoted = |text: &str| ::toml::Value::String(text.to_owned()).to_string();
    let list = |texts: Vec<&str>| texts.into_iter().map(quoted).collect::<Vec<_>>().join(", ");
    let mut text =
        format!("[[accounts]]\nid = {}\ngateway = {}\n", quoted(&account.id), quoted(&account.gateway));
    let mut line = |key: &str, value: String| text.push_str(&format!("{key} = {value}\n"));
    line("title", quoted(account.title.as_deref().unwrap_or(&account.gateway)));
    line("currencies", format!("[{}]", list(account.currencies.iter().map(String::as_str).collect())));
    line("secrets", format!("[{}]", list(account.secrets.iter().map(|s| s.expose()).collect())));
    for (key, secret) in [("api_key", &account.api_key), ("decryption_key", &account.decryption_key)] {
        if let Some(secret) = secret {
            line(key, quoted(secret.expose()));
        }
    }
    if let Some(url) = &account.api_url {
        line("api_url", quoted(url));
    }
    line("sandbox", "true".into());
    if !account.settings.is_empty() {
        let pairs = account.settings.iter().map(|(name, value)| format!("{name} = {}", quoted(value)));
        line("settings", format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", ")));
    }
    text
}

/// Sets at the simulated gateways where the shop's endpoints are, as one would in their dashboards. `base` is an address
/// that reaches the shop from this machine.
pub fn shop_listens(simulator: &Simulator, base: &str) {
    for account in simulator.accounts() {
        let url = format!("{}/webhooks/{}", base.trim_end_matches('/'), account.id);
        simulator.set_notify_url(&account.gateway, url);
    }
}
