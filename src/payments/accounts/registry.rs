use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use metrics::{counter, gauge};
use url::Url;

use crate::base::money::Currency;
use crate::config::{self, Config, Policy};
use crate::infra::outbound::Outbound;
use crate::payments::gateways;
use crate::payments::gateways::gateway::{AccountKeys, Gateway, Setting};

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
    /// Receives, is asked and gives back, but starts nothing any more.
    pub retired: bool,
    pub policy: Policy,
    pub keys: AccountKeys,
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

/// An account and its gateway.
pub type Spoken = (Arc<Account>, Arc<dyn Gateway>);

/// Accounts by their ids.
type ById = BTreeMap<String, Spoken>;

/// All configured accounts. They can be replaced while the program runs: whoever asks gets the ones of that moment
/// and keeps them for as long as it works with them.
#[derive(Default)]
pub struct Accounts {
    by_id: RwLock<Arc<ById>>,
    /// Of a configuration that was read since and not taken over.
    refused: RwLock<Arc<[Complaint]>>,
    /// Of the configuration in force.
    in_force: RwLock<Arc<[Complaint]>>,
}

impl Accounts {
    /// Checks every account; all faults are reported at once, as keys of the configuration and complaints.
    pub fn build(config: &Config, outbound: &Outbound) -> Result<Self, Vec<Complaint>> {
        let known = gateways::all(outbound);
        let mut faults = Vec::new();
        let mut spoken = Vec::new();
        for entry in &config.accounts {
            match account(entry, &known) {
                Ok((account, gateway)) => spoken.push((Arc::new(account), gateway)),
                Err(found) => faults.extend(
                    found.into_iter().map(|(key, text)| (format!("accounts[{}].{key}", entry.id), text)),
                ),
            }
        }
        if faults.is_empty() { Ok(Self::of(spoken)) } else { Err(faults) }
    }

    /// These accounts, each checked by its gateway.
    pub fn of(spoken: Vec<Spoken>) -> Self {
        // Counters that begin at their first notice would hide its rise.
        for (account, _) in &spoken {
            for verdict in ["success", "try_later", "refused"] {
                counter!("dispense_notices_total", "account" => account.id.clone(), "verdict" => verdict)
                    .increment(0);
            }
        }
        let by_id: ById = spoken.into_iter().map(|one| (one.0.id.clone(), one)).collect();
        Self { by_id: RwLock::new(Arc::new(by_id)), ..Self::default() }
    }

    /// One account as it is configured now.
    pub fn find(&self, id: &str) -> Option<Spoken> {
        self.now().get(id).cloned()
    }

    /// The headers that a notice to this account is kept with.
    pub fn signed_headers(&self, id: &str) -> &'static [&'static str] {
        self.find(id).map_or(&[], |(_, gateway)| gateway.signed_headers())
    }

    /// All accounts as they are configured now, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = Spoken> {
        self.now().values().cloned().collect::<Vec<_>>().into_iter()
    }

    /// These accounts as they are now, apart from later changes.
    pub(super) fn copy(&self) -> Self {
        Self { by_id: RwLock::new(self.now()), ..Self::default() }
    }

    /// From now on the accounts are these.
    pub fn replace(&self, others: Self) {
        *self.by_id.write().unwrap_or_else(PoisonError::into_inner) = others.now();
        self.in_force();
    }

    /// The configuration as it is in its files is the one in force.
    pub(super) fn in_force(&self) {
        self.refuse(Vec::new());
    }

    /// The accounts stay as they are, because the configuration that was read has these faults.
    pub(super) fn refuse(&self, faults: Vec<Complaint>) {
        *self.refused.write().unwrap_or_else(PoisonError::into_inner) = faults.into();
        gauge!("dispense_config_faults").set(self.complaints().len() as f64);
    }

    /// The configuration in force has these faults. Says whether they are others than before.
    pub(super) fn blame(&self, faults: Vec<Complaint>) -> bool {
        let before = std::mem::replace(
            &mut *self.in_force.write().unwrap_or_else(PoisonError::into_inner),
            faults.clone().into(),
        );
        gauge!("dispense_config_faults").set(self.complaints().len() as f64);
        *before != *faults
    }

    /// The faults of the configuration in its files, which is then not in force, and those of the one in force.
    pub fn complaints(&self) -> Vec<Complaint> {
        let refused = self.refused.read().unwrap_or_else(PoisonError::into_inner).clone();
        let in_force = self.in_force.read().unwrap_or_else(PoisonError::into_inner).clone();
        refused.iter().chain(in_force.iter()).cloned().collect()
    }

    fn now(&self) -> Arc<ById> {
        self.by_id.read().unwrap_or_else(PoisonError::into_inner).clone()
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
            Ok(currency) if gateway.unit(currency).is_some() => currencies.push(currency),
            Ok(_) => faults.push(("currencies".into(), format!("{} does not take {code}", gateway.name()))),
            // Reported by the configuration's own check.
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
        signs_with: entry.signs_with.map_or(0, |place| place.saturating_sub(1)),
        api_key: entry.api_key.clone().filter(|key| !key.is_empty()),
        decryption_key: entry.decryption_key.clone().filter(|key| !key.is_empty()),
        other_decryption_keys: entry.other_decryption_keys.clone(),
        settings: entry.settings.clone(),
        api_url,
        sandbox: entry.sandbox,
    };
    faults.extend(gateway.faults(&keys).into_iter().map(|(key, text)| (key.to_owned(), text)));
    if entry.signs_with.is_some() && !gateway.abilities(&keys).signs_with_secret {
        let text = format!("is not for {}: its calls are not signed with one of the secrets", gateway.name());
        faults.push(("signs_with".into(), text));
    }
    if !entry.other_decryption_keys.is_empty() && entry.decryption_key.is_none() {
        faults.push((
            "other_decryption_keys".into(),
            "are given beside `decryption_key`, which is missing".into(),
        ));
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let account = Account {
        id: entry.id.clone(),
        gateway: gateway.name(),
        title: entry.title.clone().unwrap_or_else(|| gateway.title().to_owned()),
        currencies,
        sandbox: entry.sandbox,
        retired: entry.retired,
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
