//! Sealing of secrets at rest: AES-256-GCM under data keys, which are wrapped by key-encryption keys that the
//! database never sees. What is sealed is bound to the place where it is stored: moved to another row, column or owner
//! it does not open.
//!
//! Nonces are random 96 bits, so one key seals at most 2^32 times (NIST SP 800-38D, 8.3): each batch of keys has a
//! data key of its own, whose uses the database counts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{hkdf, hmac};
use thiserror::Error;
use uuid::Uuid;
use zeroize::{Zeroize, Zeroizing};

use crate::base::clock;
use crate::base::key_text;
use crate::base::outcome::Fault;
use crate::config::RingKey;

/// The only form so far: format byte, nonce, ciphertext and tag.
const FORMAT: u8 = 1;

/// Unwrapped data keys kept in memory. More than this are dropped and read again.
const CACHED: usize = 4_096;

#[derive(Debug, Error, PartialEq, Eq)]
pub enum SealError {
    /// The bytes were changed, or are in another place than the one they were sealed for.
    #[error("a sealed value does not open")]
    Broken,
    /// The ring lacks the key that sealed this.
    #[error("the key ring has no key `{0}`")]
    UnknownKey(String),
    /// The cipher itself failed.
    #[error("sealing failed")]
    Cipher,
}

impl From<SealError> for Fault {
    fn from(error: SealError) -> Self {
        Fault::bug(error.to_string())
    }
}

/// Where a sealed value is stored. All of it is authenticated with the value.
#[derive(Clone, Copy, Debug)]
pub struct SealedPlace {
    /// `table.column`.
    pub column: &'static str,
    pub row: Uuid,
    /// What the row belongs to: a key's variant.
    pub owner: Uuid,
}

/// A data key, ready to use. Its bytes are wiped by the cipher when the last user drops it.
pub struct DataKey {
    pub id: Uuid,
    key: LessSafeKey,
}

/// A data key as the database keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrappedKey {
    pub id: Uuid,
    pub kek_id: String,
    pub wrapped: Vec<u8>,
}

struct Kek {
    id: String,
    prk: hkdf::Prk,
}

/// Seals and opens. Built once; shared by everything that holds secrets.
pub struct Sealer {
    /// The first wraps new data keys, all open.
    ring: Vec<Kek>,
    fingerprint: hmac::Key,
    unwrapped: Mutex<HashMap<Uuid, Arc<DataKey>>>,
}

impl Sealer {
    /// `ring` is never empty; its first key is used for what is new, the others only open.
    pub fn new(ring: &[RingKey], fingerprint: &RingKey) -> Result<Self, Fault> {
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"dispense key ring");
        let ring: Vec<Kek> =
            ring.iter().map(|k| Kek { id: k.id.clone(), prk: salt.extract(k.bytes.expose()) }).collect();
        if ring.is_empty() || ring.iter().any(|k| k.id.is_empty() || k.id.len() > 255) {
            return Err(Fault::bug("the vault's key ring needs at least one key, each with a short name"));
        }
        let fingerprint = hmac::Key::new(hmac::HMAC_SHA256, fingerprint.bytes.expose());
        Ok(Self { ring, fingerprint, unwrapped: Mutex::new(HashMap::new()) })
    }

    /// The name of the key that wraps what is new.
    pub fn first_kek(&self) -> &str {
        self.ring.first().map_or("", |k| &k.id)
    }

    pub fn has_kek(&self, id: &str) -> bool {
        self.ring.iter().any(|k| k.id == id)
    }

    /// Makes a data key. It may be used once its wrapped form is stored.
    pub fn make_data_key(&self, id: Uuid) -> Result<(Arc<DataKey>, WrappedKey), SealError> {
        let mut bytes = Zeroizing::new([0_u8; 32]);
        clock::fill(bytes.as_mut());
        let wrapped = self.wrap(id, &bytes)?;
        Ok((self.remember(id, &bytes)?, wrapped))
    }

    /// The data key behind its wrapped form.
    pub fn unwrap_data_key(&self, stored: &WrappedKey) -> Result<Arc<DataKey>, SealError> {
        if let Some(key) = self.cached(stored.id) {
            return Ok(key);
        }
        let bytes = self.unwrap(stored)?;
        self.remember(stored.id, &bytes)
    }

    /// The same data key under the first key of the ring; none when it already is.
    pub fn rewrap(&self, stored: &WrappedKey) -> Result<Option<WrappedKey>, SealError> {
        if stored.kek_id == self.first_kek() {
            return Ok(None);
        }
        let bytes = self.unwrap(stored)?;
        self.wrap(stored.id, &bytes).map(Some)
    }

    /// A data key that was unwrapped before.
    pub fn cached(&self, id: Uuid) -> Option<Arc<DataKey>> {
        self.unwrapped.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// Seals `plaintext` for one place under a data key.
    pub fn seal(
        &self,
        data_key: &DataKey,
        place: SealedPlace,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        seal_with(&data_key.key, &place_aad(&place, data_key.id), plaintext)
    }

    /// Opens what `seal` made for the same place.
    pub fn open(
        &self,
        data_key: &DataKey,
        place: SealedPlace,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        open_with(&data_key.key, &place_aad(&place, data_key.id), sealed)
    }

    /// Seals a small secret without a data key: under a key derived for `purpose` from the first of the ring,
    /// whose name is in the result.
    pub fn seal_small(&self, purpose: &str, row: Uuid, plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
        let kek = self.ring.first().ok_or(SealError::Cipher)?;
        let body = seal_with(&kek.derive(purpose)?, &small_aad(purpose, row, &kek.id), plaintext)?;
        let mut blob = Vec::with_capacity(2 + kek.id.len() + body.len());
        blob.push(FORMAT);
        blob.push(kek.id.len() as u8);
        blob.extend_from_slice(kek.id.as_bytes());
        blob.extend_from_slice(&body);
        Ok(blob)
    }

    /// Opens what `seal_small` made for the same purpose and row.
    pub fn open_small(&self, purpose: &str, row: Uuid, blob: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let [FORMAT, length, rest @ ..] = blob else { return Err(SealError::Broken) };
        let (id, body) = rest.split_at_checked(usize::from(*length)).ok_or(SealError::Broken)?;
        let id = std::str::from_utf8(id).map_err(|_| SealError::Broken)?;
        open_with(&self.kek(id)?.derive(purpose)?, &small_aad(purpose, row, id), body)
    }

    /// The blind index of a key's text: HMAC-SHA-256 over the seller and the text as `key_text::compared` gives it.
    /// Equal texts of one seller have equal fingerprints; without the fingerprint key nothing can be learned from it.
    pub fn fingerprint(&self, seller: Uuid, text: &str, fold_case: bool) -> [u8; 32] {
        self.blind(seller, &key_text::compared(text, fold_case))
    }

    /// The same under the definition of earlier programs: what `fp` of a key that they stored is.
    pub fn fingerprint_before(&self, seller: Uuid, text: &str, fold_case: bool) -> [u8; 32] {
        self.blind(seller, &key_text::compared_before(text, fold_case))
    }

    /// A running digest of the lines that one import has read. It is keyed: the digest of a short file alone must not
    /// help anybody to guess its keys.
    pub fn line_chain(&self, import: Uuid) -> LineChain {
        LineChain { key: self.fingerprint.clone(), import }
    }

    fn blind(&self, seller: Uuid, text: &str) -> [u8; 32] {
        let mut mac = hmac::Context::with_key(&self.fingerprint);
        for part in [b"key".as_slice(), seller.as_bytes(), text.as_bytes()] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        digest_of(mac)
    }

    fn kek(&self, id: &str) -> Result<&Kek, SealError> {
        self.ring.iter().find(|k| k.id == id).ok_or_else(|| SealError::UnknownKey(id.to_owned()))
    }

    fn wrap(&self, id: Uuid, bytes: &[u8; 32]) -> Result<WrappedKey, SealError> {
        let kek = self.ring.first().ok_or(SealError::Cipher)?;
        let wrapped = seal_with(&kek.derive(WRAPPING)?, &wrap_aad(id, &kek.id), bytes)?;
        Ok(WrappedKey { id, kek_id: kek.id.clone(), wrapped })
    }

    fn unwrap(&self, stored: &WrappedKey) -> Result<Zeroizing<[u8; 32]>, SealError> {
        let kek = self.kek(&stored.kek_id)?;
        let opened = open_with(&kek.derive(WRAPPING)?, &wrap_aad(stored.id, &kek.id), &stored.wrapped)?;
        let mut bytes = Zeroizing::new([0_u8; 32]);
        if opened.len() != bytes.len() {
            return Err(SealError::Broken);
        }
        bytes.copy_from_slice(&opened);
        Ok(bytes)
    }

    fn remember(&self, id: Uuid, bytes: &[u8; 32]) -> Result<Arc<DataKey>, SealError> {
        let key = UnboundKey::new(&AES_256_GCM, bytes).map_err(|_| SealError::Cipher)?;
        let key = Arc::new(DataKey { id, key: LessSafeKey::new(key) });
        let mut cache = self.unwrapped.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= CACHED {
            cache.clear();
        }
        cache.insert(id, key.clone());
        Ok(key)
    }
}

/// The purpose under which a key-encryption key wraps data keys.
const WRAPPING: &str = "data key";

impl Kek {
    /// A key for one purpose, so that no two uses share one.
    fn derive(&self, purpose: &str) -> Result<LessSafeKey, SealError> {
        let info = [purpose.as_bytes()];
        let okm = self.prk.expand(&info, &AES_256_GCM).map_err(|_| SealError::Cipher)?;
        Ok(LessSafeKey::new(UnboundKey::from(okm)))
    }
}

/// Digests lines one after the other: each digest is that of the line and of the digest before it.
#[derive(Clone)]
pub struct LineChain {
    key: hmac::Key,
    import: Uuid,
}

/// The digest of a line that is being read.
pub struct LineDigest(hmac::Context);

impl LineChain {
    /// Begins the line that follows `before`; the first one follows zeros.
    pub fn begin(&self, before: &[u8; 32]) -> LineDigest {
        let mut mac = hmac::Context::with_key(&self.key);
        mac.update(b"lines of an import");
        mac.update(self.import.as_bytes());
        mac.update(before);
        LineDigest(mac)
    }
}

impl LineDigest {
    pub fn add(&mut self, part: &[u8]) {
        self.0.update(part);
    }

    pub fn end(self) -> [u8; 32] {
        digest_of(self.0)
    }
}

fn digest_of(mac: hmac::Context) -> [u8; 32] {
    let mut digest = [0_u8; 32];
    digest.copy_from_slice(mac.sign().as_ref());
    digest
}

/// Parts with their lengths before them, so that no two lists of parts read the same.
fn aad(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::with_capacity(parts.iter().map(|p| p.len() + 4).sum());
    for part in parts {
        out.extend_from_slice(&(part.len() as u32).to_be_bytes());
        out.extend_from_slice(part);
    }
    out
}

fn place_aad(place: &SealedPlace, data_key: Uuid) -> Vec<u8> {
    let (row, owner) = (place.row.as_bytes(), place.owner.as_bytes());
    aad(&[b"key", place.column.as_bytes(), row, owner, &[FORMAT], data_key.as_bytes()])
}

fn wrap_aad(data_key: Uuid, kek_id: &str) -> Vec<u8> {
    aad(&[b"data key", &[FORMAT], data_key.as_bytes(), kek_id.as_bytes()])
}

fn small_aad(purpose: &str, row: Uuid, kek_id: &str) -> Vec<u8> {
    aad(&[b"small", purpose.as_bytes(), row.as_bytes(), &[FORMAT], kek_id.as_bytes()])
}

fn seal_with(key: &LessSafeKey, aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
    let nonce = clock::random::<NONCE_LEN>();
    let mut body = plaintext.to_vec();
    let tag = key.seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut body);
    let Ok(tag) = tag else {
        body.zeroize();
        return Err(SealError::Cipher);
    };
    let mut out = Vec::with_capacity(1 + NONCE_LEN + body.len() + tag.as_ref().len());
    out.push(FORMAT);
    out.extend_from_slice(&nonce);
    out.extend_from_slice(&body);
    out.extend_from_slice(tag.as_ref());
    Ok(out)
}

fn open_with(key: &LessSafeKey, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let Some((&FORMAT, rest)) = sealed.split_first() else { return Err(SealError::Broken) };
    let (nonce, body) = rest.split_at_checked(NONCE_LEN).ok_or(SealError::Broken)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::Broken)?;
    let mut body = Zeroizing::new(body.to_vec());
    let length =
        key.open_in_place(nonce, Aad::from(aad), body.as_mut_slice()).map_err(|_| SealError::Broken)?.len();
    body.truncate(length);
    Ok(body)
}
