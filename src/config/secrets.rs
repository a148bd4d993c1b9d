use crate::base::secret::Secret;

/// A key of a ring: the first of a ring is used, all are accepted.
#[derive(Clone, Debug)]
pub struct RingKey {
    /// Short name written beside what the key protects.
    pub id: String,
    /// 32 bytes.
    pub bytes: zeroize_bytes::Bytes32,
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
}

impl Secrets {
    /// All of them as text, for tests that look for canaries.
    pub fn canaries(&self) -> Vec<Secret> {
        let rings = self.vault.iter().chain(&self.links).chain(&self.tokens);
        rings
            .chain([&self.fingerprint, &self.access])
            .map(|k| Secret::new(hex::encode(k.bytes.expose())))
            .collect()
    }
}

mod zeroize_bytes {
    use zeroize::Zeroizing;

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
}

pub use zeroize_bytes::Bytes32;
