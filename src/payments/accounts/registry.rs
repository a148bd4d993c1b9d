use std::collections::BTreeMap;
use std::sync::Arc;

use url::Url;

use crate::base::money::Currency;
use crate::config::{self, Config, Policy};
use crate::infra::outbound::Outbound;
use crate::payments::gateway::{AccountKeys, Gateway, Setting};
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

/// A key of the configuration and what is wrong with it.
pub type Complaint = (String, String);

/// The faults of all accounts of a configuration, before anything is started.
pub fn faults(config: &Config) -> Vec<Complaint> {
    match Outbound::new() {
        Ok(outbound) => Accounts::build(config, &outbound).err().unwrap_or_default(),
        Err(fault) => vec![("accounts".into(), fault.to_string())],
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
    /// Checks every account; all faults are told at once, as keys of the configuration and complaints.
    pub fn build(config: &Config, outbound: &Outbound) -> Result<Self, Vec<Complaint>> {
        let known = gateways::all(outbound);
        let mut faults = Vec::new();
        let mut by_id = BTreeMap::new();
        for entry in &config.accounts {
            match account(entry, &known) {
                Ok(pair) => {
                    by_id.insert(entry.id.clone(), Arc::new(pair));
                }
                Err(found) => faults.extend(
                    found.into_iter().map(|(key, text)| (format!("accounts[{}].{key}", entry.id), text)),
                ),
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
) -> Result<(Account, Arc<dyn Gateway>), Vec<Complaint>> {
    let mut faults: Vec<Complaint> = Vec::new();
    let Some(gateway) = known.iter().find(|g| g.name() == entry.gateway) else {
        let names: Vec<&str> = known.iter().map(|g| g.name()).collect();
        let text = format!("`{}` is no gateway this program speaks ({})", entry.gateway, names.join(", "));
        return Err(vec![("gateway".into(), text)]);
    };
    let mut currencies = Vec::new();
    for code in &entry.currencies {
        match Currency::parse(code) {
            Ok(currency) if gateway.exponent(currency).is_some() => currencies.push(currency),
            Ok(_) => faults.push(("currencies".into(), format!("{} does not take {code}", gateway.name()))),
            // Told by the configuration's own check.
            Err(_) => {}
        }
    }
    faults.extend(setting_faults(gateway.settings(), &entry.settings));
    let api_url = match entry.api_url.as_deref().map(|url| api_base(url, entry.sandbox)) {
        Some(Err(fault)) => {
            faults.push(("api_url".into(), fault));
            None
        }
        Some(Ok(url)) => Some(url),
        None => None,
    };
    let keys = AccountKeys {
        id: entry.id.clone(),
        secrets: entry.secrets.clone(),
        api_key: entry.api_key.clone().filter(|key| !key.is_empty()),
        decryption_key: entry.decryption_key.clone().filter(|key| !key.is_empty()),
        settings: entry.settings.clone(),
        api_url,
        sandbox: entry.sandbox,
    };
    faults.extend(gateway.faults(&keys).into_iter().map(|(key, text)| (key.to_owned(), text)));
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

fn setting_faults(known: &[Setting], given: &BTreeMap<String, String>) -> Vec<Complaint> {
    let key = |name: &str| format!("settings.{name}");
    let unknown = given.keys().filter(|name| known.iter().all(|s| s.name != name.as_str()));
    let names = || known.iter().map(|s| s.name).collect::<Vec<_>>().join(", ");
    let mut faults: Vec<Complaint> = unknown
        .map(|name| (key(name), format!("is unknown to this gateway; it knows: {}", names())))
        .collect();
    for setting in known {
        match given.get(setting.name).map(|value| value.trim()) {
            None | Some("") if setting.required => {
                faults.push((key(setting.name), format!("is missing: {}", setting.about)));
            }
            Some("") => faults.push((key(setting.name), "is empty".into())),
            _ => {}
        }
    }
    faults
}

/// HTTPS, except for a test account whose gateway runs on this machine.
fn api_base(text: &str, sandbox: bool) -> Result<String, String> {
    let url = Url::parse(text).map_err(|_| "is no address".to_owned())?;
    let loopback = match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    };
    if url.scheme() != "https" && !(url.scheme() == "http" && loopback && sandbox) {
        return Err("must be https (http only for a sandbox account on this machine)".into());
    }
    if !url.username().is_empty()
        || url.password().is_some()
        || url.query().is_some()
        || url.fragment().is_some()
    {
        return Err("must hold no user, password, query or fragment".into());
    }
    Ok(text.trim_end_matches('/').to_owned())
}
