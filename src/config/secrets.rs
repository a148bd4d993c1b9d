//! `[secrets]`: the program's own keys.

use std::collections::HashSet;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::base::clock::random;
use crate::base::secret::Secret;
use crate::config::load::{Faults, is_private};

/// 32 random bytes have thirty different values; so few are a pattern that somebody typed.
const FEWEST_DIFFERENT_BYTES: usize = 12;

/// A key of a ring: the first of a ring is used, all are accepted.
#[derive(Clone, Debug)]
pub struct RingKey {
    /// Short name written beside what the key protects.
    pub id: String,
    /// 32 bytes.
    pub bytes: Bytes32,
}

/// The program's own keys. With the embedded database they are made on first start into `secrets.toml` in the
/// data folder (mode 0600) and kept; else the configuration gives them.
#[derive(Clone, Debug)]
pub struct Secrets {
    /// Wraps the vault's data keys (key-encryption keys).
    pub vault: Vec<RingKey>,
    /// Keyed fingerprints of keys' texts; one only, rotation has its own procedure.
    pub fingerprint: RingKey,
    /// Signs download and claim links.
    pub links: Vec<RingKey>,
    /// Signs access tokens of people (Ed25519 seed).
    pub tokens: Vec<RingKey>,
    /// Derives guests' order access tokens, mailed codes and watch tickets.
    pub access: RingKey,
    /// Signs keys that are believed offline (Ed25519 seeds); empty where nobody wants any.
    pub licences: Vec<RingKey>,
}

/// Those that a shop cannot do without.
const NAMES: [&str; 5] = ["vault", "fingerprint", "links", "tokens", "access"];
const LICENCES: &str = "licences";

impl Secrets {
    /// Fresh ones.
    pub fn generate() -> Self {
        let key = || RingKey { id: hex::encode(random::<3>()), bytes: Bytes32::new(random()) };
        Self {
            vault: vec![key()],
            fingerprint: key(),
            links: vec![key()],
            tokens: vec![key()],
            access: key(),
            licences: vec![key()],
        }
    }

    /// All of them as text, for tests that look for canaries.
    pub fn canaries(&self) -> Vec<Secret> {
        let rings = self.vault.iter().chain(&self.links).chain(&self.tokens).chain(&self.licences);
        rings
            .chain([&self.fingerprint, &self.access])
            .map(|k| Secret::new(hex::encode(k.bytes.expose())))
            .collect()
    }

    fn rings(&self) -> [(&'static str, &[RingKey]); 6] {
        let one = std::slice::from_ref;
        let [vault, fingerprint, links, tokens, access] = NAMES;
        [
            (vault, &self.vault[..]),
            (fingerprint, one(&self.fingerprint)),
            (links, &self.links[..]),
            (tokens, &self.tokens[..]),
            (access, one(&self.access)),
            (LICENCES, &self.licences[..]),
        ]
    }
}

/// Key bytes without `Debug` of the content.
#[derive(Clone)]
pub struct Bytes32(Zeroizing<[u8; 32]>);

impl Bytes32 {
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Debug for Bytes32 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bytes32(…)")
    }
}

/// The given keys; what is missing or wrong is reported and replaced by a random one, which nobody will use because a
/// configuration with faults does not start.
pub(super) fn read(section: Option<&Value>, faults: &mut Faults) -> Secrets {
    let mut given = |name: &str| -> Vec<RingKey> {
        let texts: Vec<&str> = match section.and_then(|s| s.get(name)) {
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(text)) => vec![text],
            _ => Vec::new(),
        };
        let keys = texts.into_iter().filter_map(|text| match parse(text) {
            Ok(key) => Some(key),
            Err(complaint) => {
                faults.add(format!("secrets.{name}"), complaint);
                None
            }
        });
        keys.collect()
    };
    let licences = given(LICENCES);
    let [vault, fingerprint, links, tokens, access] = NAMES.map(|name| {
        let keys = given(name);
        if keys.is_empty() { Secrets::generate().vault } else { keys }
    });
    let first = |mut keys: Vec<RingKey>| keys.swap_remove(0);
    Secrets { vault, fingerprint: first(fingerprint), links, tokens, access: first(access), licences }
}

/// Whether all are there, and no two alike.
pub(super) fn check_given(section: Option<&Value>, faults: &mut Faults) {
    for name in NAMES {
        let given = match section.and_then(|s| s.get(name)) {
            Some(Value::Array(items)) => !items.is_empty(),
            found => found.is_some(),
        };
        // One of a wrong form was reported already.
        if !given && !faults.iter().any(|(key, _)| key == format!("secrets.{name}")) {
            faults.add(
                format!("secrets.{name}"),
                "is missing: 32 random bytes, as `openssl rand -hex 32` prints them",
            );
        }
    }
    let mut quiet = Faults::default();
    let (mut bytes, secrets) = (HashSet::new(), read(section, &mut quiet));
    for (name, ring) in secrets.rings() {
        let mut ids = HashSet::new();
        for key in ring {
            if !bytes.insert(*key.bytes.expose()) {
                faults.add(format!("secrets.{name}"), "is the same as another; each must be its own");
            }
            if !ids.insert(&key.id) {
                faults.add(format!("secrets.{name}"), format!("has two keys named {}", key.id));
            }
        }
    }
}

/// `KEY` or `name:KEY`, KEY in hex or base64. Without a name, the first bytes of the key's digest are one.
fn parse(text: &str) -> Result<RingKey, String> {
    let (id, key) = match text.split_once(':') {
        Some((id, key)) => (Some(id), key),
        None => (None, text),
    };
    let bytes = Zeroizing::new(hex::decode(key).or_else(|_| STANDARD.decode(key)).unwrap_or_default());
    let bytes: [u8; 32] = bytes
        .as_slice()
        .try_into()
        .map_err(|_| "takes 32 bytes in hex or base64 (`openssl rand -hex 32`)")?;
    if bytes.iter().collect::<HashSet<_>>().len() < FEWEST_DIFFERENT_BYTES {
        return Err("is weak: its bytes are not random".into());
    }
    let id = match id {
        Some(id) => id.to_owned(),
        None => {
            use sha2::Digest;
            hex::encode(&sha2::Sha256::digest(bytes)[..3])
        }
    };
    let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    if id.is_empty() || id.len() > 16 || !id.bytes().all(plain) {
        return Err("has a name before its colon that is not 1 to 16 lower-case letters and digits".into());
    }
    Ok(RingKey { id, bytes: Bytes32::new(bytes) })
}

/// Those of the data folder's `secrets.toml`, made when this is its first start.
pub(super) fn kept(data: &Path, faults: &mut Faults) -> Secrets {
    let path = data.join("secrets.toml");
    let name = path.display().to_string();
    if !path.exists() {
        if data.join("postgres").exists() || data.join("postgres.path").exists() {
            faults.add(&name, "is gone, and without it the database beside it cannot be read; bring it back");
            return Secrets::generate();
        }
        if let Err(error) = make(data, &path) {
            faults.add(&name, format!("cannot be made: {error}"));
            return Secrets::generate();
        }
    }
    if !is_private(&path) {
        faults.add(&name, "can be read by others; its mode must be 0600");
    }
    let text = Zeroizing::new(std::fs::read_to_string(&path).unwrap_or_default());
    let Ok(table) = toml::from_str::<Value>(&text) else {
        faults.add(&name, "cannot be read as TOML");
        return Secrets::generate();
    };
    check_given(Some(&table), faults);
    read(Some(&table), faults)
}

/// Written whole beside its place first, so that nobody ever reads half of it; of two programs that start at once
/// the first wins.
fn make(data: &Path, path: &Path) -> std::io::Result<()> {
    if !data.exists() {
        std::fs::create_dir_all(data)?;
        std::fs::set_permissions(data, std::fs::Permissions::from_mode(0o700))?;
    }
    let mut text = Zeroizing::new(String::from(
        "# Made on the first start. Keep a copy: without it what the database has sealed cannot be read again.\n",
    ));
    for (name, ring) in Secrets::generate().rings() {
        let keys: Vec<String> =
            ring.iter().map(|k| format!("\"{}:{}\"", k.id, hex::encode(k.bytes.expose()))).collect();
        let value = if ["fingerprint", "access"].contains(&name) {
            keys.concat()
        } else {
            format!("[{}]", keys.join(", "))
        };
        text.push_str(&format!("{name} = {value}\n"));
    }
    let beside = data.join(format!("secrets.{}", hex::encode(random::<6>())));
    let mut file = std::fs::File::options().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    let linked = std::fs::hard_link(&beside, path);
    std::fs::remove_file(&beside)?;
    match linked {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    std::fs::File::open(data)?.sync_all()
}
