use std::collections::BTreeMap;
use std::sync::Arc;

use url::Url;

use crate::base::money::Currency;
use crate::config::{self, Config, Policy};
use crate::infra::outbound::Outbound;
use crate::payments::gateway::{AccountKeys, Gateway};
use crate::payments::gateways;

/// One configured account.
#[derive(Clone, Debug)]
pub struct Account {
    pub id: String,
    /// The gateway's name, as in the configuration.
    pub gateway: &'static str,
    /// What buyers read.
    pub title: String,
    pub currencies: Vec<Currency>,
    pub sandbox: bool,
    pub policy: Policy,
    pub keys: AccountKeys,
}

impl Account {
    /// Whether it may be offered for this amount (the account's currencies and its smallest and largest amount).
    pub fn takes(&self, minor: i64, currency: Currency) -> bool {
        self.currencies.contains(&currency)
            && self.policy.minimum.is_none_or(|least| minor >= least)
            && self.policy.maximum.is_none_or(|most| minor <= most)
    }
}

/// An account and who speaks for it.
type Spoken = (Account, Arc<dyn Gateway>);

/// All configured accounts, in the order of their ids.
#[derive(Clone, Default)]
pub struct Accounts {
    by_id: BTreeMap<String, Arc<Spoken>>,
}

impl Accounts {
    /// Checks every account; all faults are told at once, each names the account.
    pub fn build(config: &Config, outbound: &Outbound) -> Result<Self, Vec<String>> {
        let known = gateways::all(outbound);
        let mut faults = Vec::new();
        let mut by_id = BTreeMap::new();
        for entry in &config.accounts {
            match account(entry, &known) {
                Ok(pair) => {
                    if by_id.insert(entry.id.clone(), Arc::new(pair)).is_some() {
                        faults.push(format!("accounts `{}`: the id is used twice", entry.id));
                    }
                }
                Err(found) => {
                    faults.extend(found.into_iter().map(|f| format!("accounts `{}`: {f}", entry.id)))
                }
            }
        }
        if faults.is_empty() { Ok(Self { by_id }) } else { Err(faults) }
    }

    pub fn find(&self, id: &str) -> Option<(&Account, &dyn Gateway)> {
        self.by_id.get(id).map(|pair| (&pair.0, pair.1.as_ref()))
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Account, &dyn Gateway)> {
        self.by_id.values().map(|pair| (&pair.0, pair.1.as_ref()))
    }

    /// The account beside what tells test from real money: true when every account is a test account.
    pub fn all_sandbox(&self) -> bool {
        self.iter().all(|(account, _)| account.sandbox)
    }
}

fn account(
    entry: &config::Account,
    known: &[Arc<dyn Gateway>],
) -> Result<(Account, Arc<dyn Gateway>), Vec<String>> {
    let mut faults = Vec::new();
    let id_ok = (1..=40).contains(&entry.id.len())
        && entry.id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
        && !entry.id.starts_with(['-', '_']);
    if !id_ok {
        faults.push("`id` has 1 to 40 lower-case letters, digits, hyphens and underscores".into());
    }
    if entry.id == gateways::free::ACCOUNT {
        faults.push("`id`: this one is the shop's own".into());
    }
    let Some(gateway) = known.iter().find(|g| g.name() == entry.gateway) else {
        let names: Vec<&str> = known.iter().map(|g| g.name()).collect();
        faults.push(format!("`gateway` must be one of {}", names.join(", ")));
        return Err(faults);
    };
    let mut currencies = Vec::new();
    for code in &entry.currencies {
        match Currency::parse(code) {
            Ok(currency) if gateway.exponent(currency).is_some() => currencies.push(currency),
            _ => faults.push(format!("`currencies`: {} does not take {code}", gateway.name())),
        }
    }
    if entry.currencies.is_empty() {
        faults.push("`currencies` must not be empty".into());
    }
    if entry.secrets.is_empty() || entry.secrets.iter().any(|s| s.expose().trim().is_empty()) {
        faults.push("`secrets` must hold at least one, and none may be empty".into());
    }
    if entry.secrets.iter().any(|s| s.expose() != s.expose().trim()) {
        faults.push("`secrets` must not begin or end with white space".into());
    }
    let api_url = match entry.api_url.as_deref().map(|url| api_base(url, entry.sandbox)) {
        Some(Err(fault)) => {
            faults.push(fault);
            None
        }
        Some(Ok(url)) => Some(url),
        None => None,
    };
    let keys = AccountKeys {
        id: entry.id.clone(),
        secrets: entry.secrets.clone(),
        api_key: entry.api_key.clone().filter(|key| !key.is_empty()),
        api_url,
        sandbox: entry.sandbox,
    };
    faults.extend(gateway.faults(&keys));
    if !faults.is_empty() {
        return Err(faults);
    }
    let account = Account {
        id: entry.id.clone(),
        gateway: gateway.name(),
        title: entry.title.clone().unwrap_or_else(|| gateway.title().to_owned()),
        currencies,
        sandbox: entry.sandbox,
        policy: entry.policy.clone(),
        keys,
    };
    Ok((account, gateway.clone()))
}

/// HTTPS, except for a test account whose gateway runs on this machine.
fn api_base(text: &str, sandbox: bool) -> Result<String, String> {
    let url = Url::parse(text).map_err(|_| "`api_url` is no address".to_owned())?;
    let loopback = match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    };
    if url.scheme() != "https" && !(url.scheme() == "http" && loopback && sandbox) {
        return Err("`api_url` must be https (http only for a sandbox account on this machine)".into());
    }
    if !url.username().is_empty()
        || url.password().is_some()
        || url.query().is_some()
        || url.fragment().is_some()
    {
        return Err("`api_url` must hold no user, password, query or fragment".into());
    }
    Ok(text.trim_end_matches('/').to_owned())
}
