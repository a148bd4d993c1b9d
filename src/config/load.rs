//! Gathering the configuration from its places, and telling all that is wrong with it at once.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::config::account_keys::ACCOUNT_KEYS;
use crate::config::keys::{KEYS, Key, Kind};
use crate::config::{Account, Config, secrets};

/// The places that configuration comes from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// `--config`; without it `dispense.toml` in the working folder, which may be missing.
    pub file: Option<PathBuf>,
    /// The `.env` file, which may be missing.
    pub dotenv: Option<PathBuf>,
    /// The environment.
    pub environment: Vec<(String, String)>,
    /// `--data`
    pub data: Option<PathBuf>,
    /// `--listen`
    pub listen: Option<SocketAddr>,
}

impl Sources {
    /// The real ones of this process.
    pub fn of_process(file: Option<PathBuf>, data: Option<PathBuf>, listen: Option<SocketAddr>) -> Self {
        let text = |s: std::ffi::OsString| s.to_string_lossy().into_owned();
        let environment = std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect();
        Self { file, dotenv: Some(".env".into()), environment, data, listen }
    }

    /// The configuration file, named or not.
    pub(super) fn main_file(&self) -> PathBuf {
        self.file.clone().unwrap_or_else(|| "dispense.toml".into())
    }
}

/// What is wrong, each with the key's name.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Faults(Vec<(String, String)>);

impl Faults {
    pub(super) fn add(&mut self, key: impl Into<String>, text: impl Into<String>) {
        self.0.push((key.into(), text.into()));
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Key and complaint of each.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, text)| (key.as_str(), text.as_str()))
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        write!(f, "the configuration has {count} fault{}:", if count == 1 { "" } else { "s" })?;
        self.0.iter().try_for_each(|(key, text)| write!(f, "\n  {key}: {text}"))
    }
}

impl std::error::Error for Faults {}

impl Config {
    /// Reads and checks everything. With the cluster of our own, secrets that are not given are read from
    /// `secrets.toml` in the data folder, and made there on the first start. `more` gives the faults (key, complaint)
    /// of what this layer knows nothing of: a gateway's demands on its accounts.
    pub fn load(
        sources: &Sources,
        more: impl FnOnce(&Self) -> Vec<(String, String)>,
    ) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let tree = tree(sources, &mut faults);
        let config = Self {
            data: tree.get("data").and_then(Value::as_str).unwrap_or("data").into(),
            server: section(&tree, "server", &mut faults),
            connections: section(&tree, "connections", &mut faults),
            database: section(&tree, "database", &mut faults),
            storage: section(&tree, "storage", &mut faults),
            mail: section(&tree, "mail", &mut faults),
            secrets: secrets::read(tree.get("secrets"), &mut faults),
            shop: section(&tree, "shop", &mut faults),
            limits: section(&tree, "limits", &mut faults),
            people: section(&tree, "people", &mut faults),
            captcha: section(&tree, "captcha", &mut faults),
            outbound: section(&tree, "outbound", &mut faults),
            live: section(&tree, "live", &mut faults),
            worker: section(&tree, "worker", &mut faults),
            retention: section(&tree, "retention", &mut faults),
            log: section(&tree, "log", &mut faults),
            accounts: accounts(&tree, &mut faults),
        };
        config.server.check(&mut faults);
        config.connections.check(&mut faults);
        config.database.check(&mut faults);
        config.mail.check(&mut faults);
        config.shop.check(&mut faults);
        config.worker.check(&mut faults);
        config.captcha.check(&config.outbound, &mut faults);
        config.outbound.check(&mut faults);
        config.log.check(&mut faults);
        config.retention.check(&config.limits, &mut faults);
        Account::check_all(&config.accounts, &mut faults);
        more(&config).into_iter().for_each(|(key, text)| faults.add(key, text));
        let given = tree.get("secrets").and_then(Value::as_object).is_some_and(|s| !s.is_empty());
        let own = config.database.url.is_none() && !given;
        if !own {
            secrets::check_given(tree.get("secrets"), &mut faults);
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        if !own {
            return Ok(config);
        }
        let secrets = secrets::kept(&config.data, &mut faults);
        if faults.is_empty() { Ok(Self { secrets, ..config }) } else { Err(faults) }
    }
}

/// Everything that was set, as one tree of values of the right kinds; what was not set is not in it.
pub(super) fn tree(sources: &Sources, faults: &mut Faults) -> Map<String, Value> {
    let (plain, of_accounts) = environment(sources, faults);
    let mut builder = config::Config::builder();
    let file = sources.main_file();
    builder = builder.add_source(
        config::File::from(file.as_path()).format(config::FileFormat::Toml).required(sources.file.is_some()),
    );
    builder = builder.add_source(
        config::Environment::with_prefix("DISPENSE")
            .prefix_separator("_")
            .separator("__")
            .source(Some(plain)),
    );
    let read = builder.build().and_then(|c| c.try_deserialize::<Map<String, Value>>());
    let mut tree = read.unwrap_or_else(|error| {
        faults.add(file.display().to_string(), without_content(&error.to_string()));
        Map::new()
    });
    if let Some(data) = &sources.data {
        tree.insert("data".into(), data.display().to_string().into());
    }
    if let Some(listen) = sources.listen {
        let server = tree.entry("server").or_insert_with(|| Map::new().into());
        if let Value::Object(server) = server {
            server.insert("listen".into(), listen.to_string().into());
        }
    }
    let accounts = tree.remove("accounts");
    walk(&mut tree, "", &KEYS, "", faults);
    if let Some(accounts) = accounts {
        tree.insert("accounts".into(), account_trees(accounts, &of_accounts, faults));
    } else if let Some((variable, _, _)) = of_accounts.first() {
        faults.add(variable, "no account of that id is configured");
    }
    tree
}

/// Variables of `.env` and the environment, the latter winning: those of accounts (variable, rest of the name in
/// lower case, value) apart from the others.
type OfAccounts = Vec<(String, String, String)>;
fn environment(sources: &Sources, faults: &mut Faults) -> (config::Map<String, String>, OfAccounts) {
    let mut all = BTreeMap::new();
    if let Some(path) = sources.dotenv.as_deref().filter(|p| p.exists()) {
        match dotenvy::from_path_iter(path) {
            Ok(lines) => lines.enumerate().for_each(|(index, line)| match line {
                Ok((name, value)) => drop(all.insert(name, value)),
                Err(_) => {
                    faults.add(path.display().to_string(), format!("assignment {} cannot be read", index + 1))
                }
            }),
            Err(error) => faults.add(path.display().to_string(), error.to_string()),
        }
    }
    all.extend(sources.environment.iter().cloned());
    let mut plain = config::Map::default();
    let mut of_accounts = Vec::new();
    for (name, value) in all {
        let Some(key) = name.strip_prefix("DISPENSE_").map(str::to_ascii_lowercase) else { continue };
        match key.strip_prefix("accounts__") {
            Some(rest) => of_accounts.push((name, rest.to_owned(), value)),
            // Others of our prefix (a folder for tests, a fault point) are not configuration.
            None if key.contains("__") || key == "data" => drop(plain.insert(name, value)),
            None => {}
        }
    }
    (plain, of_accounts)
}

/// Brings every value to its key's kind and reports unknown keys. `shown` precedes the path in messages.
fn walk(tree: &mut Map<String, Value>, prefix: &str, keys: &[Key], shown: &str, faults: &mut Faults) {
    let mut drop_these = Vec::new();
    for (name, value) in tree.iter_mut() {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        if let Some(key) = keys.iter().find(|k| k.path == path) {
            match coerced(value.take(), key) {
                Ok(Some(good)) => *value = good,
                Ok(None) => drop_these.push(name.clone()),
                Err(text) => {
                    faults.add(format!("{shown}{path}"), text);
                    drop_these.push(name.clone());
                }
            }
            continue;
        }
        let is_section =
            keys.iter().any(|k| k.path.strip_prefix(&path).is_some_and(|rest| rest.starts_with('.')));
        match value {
            Value::Object(inner) if is_section => walk(inner, &path, keys, shown, faults),
            _ if is_section => {
                faults.add(format!("{shown}{path}"), "is a section, not a value");
                drop_these.push(name.clone());
            }
            _ => {
                faults.add(format!("{shown}{path}"), unknown(&path, keys));
                drop_these.push(name.clone());
            }
        }
    }
    for name in drop_these {
        tree.remove(&name);
    }
}

fn unknown(path: &str, keys: &[Key]) -> String {
    let likeness = |key: &&Key| {
        let (a, b) = (key.path.as_bytes(), path.as_bytes());
        let front = a.iter().zip(b).take_while(|(x, y)| x == y).count();
        let back = a.iter().rev().zip(b.iter().rev()).take_while(|(x, y)| x == y).count();
        front + back
    };
    match keys.iter().max_by_key(likeness).filter(|k| likeness(k) * 4 >= path.len() * 3) {
        Some(near) => format!("unknown key; did you mean `{}`?", near.path),
        None => "unknown key".to_owned(),
    }
}

/// The value in the form its kind wants. None: an optional key that was set to nothing.
fn coerced(value: Value, key: &Key) -> Result<Option<Value>, String> {
    let text = match &value {
        Value::String(s) => Some(s.as_str()),
        _ => None,
    };
    let whole = |value: &Value, low: i64, high: i64| -> Result<Value, String> {
        let number = match value {
            Value::Number(n) => n.as_i64(),
            Value::String(s) => s.trim().parse().ok(),
            _ => None,
        };
        let range =
            if high == i64::MAX { format!("of at least {low}") } else { format!("from {low} to {high}") };
        let good = number.filter(|n| (low..=high).contains(n));
        good.map(Value::from).ok_or_else(|| format!("takes a whole number {range}"))
    };
    let list = |value: &Value| -> Option<Vec<Value>> {
        match value {
            Value::Array(items) => Some(items.clone()),
            Value::String(s) => {
                let parts = s.split(',').map(str::trim).filter(|p| !p.is_empty());
                Some(parts.map(Value::from).collect())
            }
            _ => None,
        }
    };
    match key.kind {
        Kind::Text => match text {
            Some("") if key.default.is_empty() => Ok(None),
            Some(_) => Ok(Some(value)),
            // A text made of digits is a number in TOML when its quotes were forgotten.
            None => Err("takes a text in quotes".into()),
        },
        Kind::Secret => match text {
            Some(s) if s.trim().is_empty() => Err("is empty; leave it out or give it".into()),
            // A key in PEM ends with a line break when it is in a text of several lines.
            Some(s) if s.trim_start().starts_with("-----BEGIN ") => Ok(Some(s.trim().into())),
            Some(s) if s.trim() != s => Err("has spaces or line breaks around it".into()),
            Some(_) => Ok(Some(value)),
            None => Err("takes a text in quotes".into()),
        },
        Kind::Bool => match (&value, text) {
            (Value::Bool(_), _) => Ok(Some(value)),
            (_, Some("true")) => Ok(Some(true.into())),
            (_, Some("false")) => Ok(Some(false.into())),
            _ => Err("takes true or false".into()),
        },
        Kind::Int(low, high) => whole(&value, low, high).map(Some),
        Kind::Ints(low, high) => {
            let items = list(&value).ok_or("takes a list of whole numbers")?;
            let good: Result<Vec<Value>, String> = items.iter().map(|i| whole(i, low, high)).collect();
            good.map(|items| Some(items.into())).map_err(|e| format!("each of the list {e}"))
        }
        Kind::Table => {
            let Value::Object(entries) = &value else { return Err("takes a table of texts".into()) };
            let text = |value: &Value| match value {
                Value::String(text) => Some(Value::from(text.trim())),
                // A merchant's number without its quotes.
                Value::Number(number) => Some(Value::from(number.to_string())),
                _ => None,
            };
            let entries: Option<Map<String, Value>> =
                entries.iter().map(|(name, value)| Some((name.clone(), text(value)?))).collect();
            entries.map(|all| Some(all.into())).ok_or("takes a table of texts".into())
        }
        Kind::Texts | Kind::Secrets => match list(&value) {
            Some(items) if items.iter().all(Value::is_string) => {
                let plain = items.into_iter().map(|item| match item.as_str() {
                    Some(pem) if pem.trim_start().starts_with("-----BEGIN ") => Value::from(pem.trim()),
                    _ => item,
                });
                Ok(Some(plain.collect::<Vec<_>>().into()))
            }
            _ => Err("takes a list of texts".into()),
        },
    }
}

fn account_trees(accounts: Value, from_environment: &OfAccounts, faults: &mut Faults) -> Value {
    let Value::Array(mut accounts) = accounts else {
        faults.add("accounts", "is a list of tables, each headed [[accounts]]");
        return Value::Array(Vec::new());
    };
    let id_of = |account: &Value| account.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
    let as_variable = |account: &Value| id_of(account).replace('-', "_").to_lowercase() + "__";
    for (variable, rest, value) in from_environment {
        let found = accounts.iter_mut().find_map(|a| {
            let key = rest.strip_prefix(&as_variable(a))?;
            Some((a.as_object_mut()?, key))
        });
        let Some((account, key)) = found else {
            faults.add(variable, "no account of that id is configured");
            continue;
        };
        match key.split_once("__") {
            Some((section, key)) => {
                let section = account.entry(section).or_insert_with(|| Map::new().into());
                if let Value::Object(section) = section {
                    section.insert(key.into(), value.as_str().into());
                }
            }
            None => drop(account.insert(key.into(), value.as_str().into())),
        }
    }
    for (index, account) in accounts.iter_mut().enumerate() {
        let shown = format!(
            "accounts[{}].",
            Some(id_of(account)).filter(|i| !i.is_empty()).unwrap_or(index.to_string())
        );
        match account {
            Value::Object(account) => walk(account, "", ACCOUNT_KEYS, &shown, faults),
            _ => faults.add(shown.trim_end_matches('.'), "is a table"),
        }
    }
    accounts.into()
}

fn accounts(tree: &Map<String, Value>, faults: &mut Faults) -> Vec<Account> {
    let all = tree.get("accounts").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut good = Vec::new();
    for (index, account) in all.into_iter().enumerate() {
        let id = account.get("id").and_then(Value::as_str).map_or(index.to_string(), str::to_owned);
        let needed = ["id", "gateway", "currencies"];
        let missing: Vec<&str> = needed.into_iter().filter(|k| account.get(k).is_none()).collect();
        for key in missing.iter().map(|k| format!("accounts[{id}].{k}")) {
            // One that is there in a wrong form was reported already.
            if !faults.0.iter().any(|(reported, _)| *reported == key) {
                faults.add(key, "is missing");
            }
        }
        if missing.is_empty() {
            match serde_json::from_value(account) {
                Ok(account) => good.push(account),
                Err(error) => faults.add(format!("accounts[{id}]"), error.to_string()),
            }
        }
    }
    good
}

/// A section's struct. The table brought every value to its kind, so a complaint here is about a form that the
/// struct alone knows (an address).
fn section<T: DeserializeOwned + Default>(tree: &Map<String, Value>, name: &str, faults: &mut Faults) -> T {
    let mut values = tree.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
    loop {
        let complaint = match serde_json::from_value(values.clone().into()) {
            Ok(section) => return section,
            Err(error) => without_content(&error.to_string()),
        };
        // Which of them it is: the first that does not parse alone.
        let bad = values.iter().find(|(key, value)| {
            let alone = Map::from_iter([((*key).clone(), (*value).clone())]);
            serde_json::from_value::<T>(alone.into()).is_err()
        });
        let Some(bad) = bad.map(|(key, _)| key.clone()) else {
            faults.add(name, complaint);
            return T::default();
        };
        faults.add(format!("{name}.{bad}"), complaint);
        values.remove(&bad);
    }
}

/// Messages of parsers quote the line they stumbled over, and a secret may be in it: the first line only,
/// which says where.
fn without_content(message: &str) -> String {
    message.lines().next().unwrap_or_default().trim().to_owned()
}

/// Whether a file of this path can be expected to be private; the message otherwise.
pub(super) fn is_private(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|m| m.permissions().mode() & 0o077 == 0)
}
