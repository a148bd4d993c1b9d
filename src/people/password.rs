//! Hashing of passwords (argon2id, RFC 9106). One hash takes 19 MiB: only a few run at once, few more wait, the rest
//! is refused and asked to come back. They run on threads of their own, so that no request waits behind one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;

use crate::base::clock;
use crate::base::outcome::{Failure, Fault, Outcome};
use crate::base::secret::Secret;
use crate::config::{Limits, People};
use crate::people::error;

/// The hasher of the program.
pub struct Passwords {
    running: Arc<Semaphore>,
    /// Those that wait or run.
    present: Arc<AtomicUsize>,
    most: usize,
    params: Params,
    /// What a password is compared with when the person does not exist, so that it takes the same time.
    decoy: String,
}

/// The result of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordVerdict {
    pub fits: bool,
    /// It was made with less work than the settings now ask for.
    pub stale: bool,
}

impl Passwords {
    /// Parameters below the floor (19456 KiB, 2 passes, 1 lane; OWASP) are raised to it.
    pub fn new(people: &People, limits: &Limits) -> Result<Self, Fault> {
        let params = Params::new(
            people.password_memory_kib.max(19_456),
            people.password_passes.max(2),
            people.password_lanes.max(1),
            None,
        )
        .map_err(|e| Fault::bug(format!("`people.password_*`: {e}")))?;
        let decoy = hash(&params, b"nobody has this password")?;
        let running = limits.password_hashes.max(1);
        Ok(Self {
            running: Arc::new(Semaphore::new(running)),
            present: Arc::default(),
            most: running + limits.password_queue,
            params,
            decoy,
        })
    }

    /// The hash to store (PHC string). `RATE_LIMITED` when too many wait.
    pub async fn hash(&self, password: &Secret) -> Outcome<String> {
        let (params, password) = (self.params.clone(), password.clone());
        self.run(move || hash(&params, password.expose().as_bytes())).await
    }

    /// Compares; without a stored hash it takes as long and never fits. `RATE_LIMITED` when too many wait.
    pub async fn verify(&self, stored: Option<&str>, password: &Secret) -> Outcome<PasswordVerdict> {
        let known = stored.is_some();
        let (stored, password) = (stored.unwrap_or(&self.decoy).to_owned(), password.clone());
        let now = self.params.clone();
        self.run(move || {
            let stored = PasswordHash::new(&stored).map_err(|e| Fault::bug(format!("a stored hash: {e}")))?;
            let fits = Argon2::default().verify_password(password.expose().as_bytes(), &stored).is_ok();
            let made = Params::try_from(&stored).map_err(|e| Fault::bug(format!("a stored hash: {e}")))?;
            let stale =
                made.m_cost() < now.m_cost() || made.t_cost() < now.t_cost() || made.p_cost() < now.p_cost();
            Ok(PasswordVerdict { fits: fits && known, stale })
        })
        .await
    }

    /// How many wait or run.
    pub fn present(&self) -> usize {
        self.present.load(Ordering::SeqCst)
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
    ) -> Outcome<T> {
        let place = Slot::take(&self.present, self.most).ok_or_else(|| error::rate_limited(1))?;
        let permit = self.running.clone().acquire_owned().await.map_err(|e| Fault::bug(e.to_string()))?;
        // The place and the permit go with the work, not with the request: a client that hangs up frees neither
        // before the memory is free.
        let done = tokio::task::spawn_blocking(move || {
            let result = work();
            drop((permit, place));
            result
        });
        done.await.map_err(|e| Fault::bug(e.to_string()))?.map_err(Failure::from)
    }
}

fn hash(params: &Params, password: &[u8]) -> Result<String, Fault> {
    let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
    let made: PasswordHash = hasher
        .hash_password_with_salt(password, &clock::random::<16>())
        .map_err(|e| Fault::bug(format!("hashing failed: {e}")))?;
    Ok(made.to_string())
}

/// A place in the queue, given back when dropped.
struct Slot(Arc<AtomicUsize>);

impl Slot {
    fn take(present: &Arc<AtomicUsize>, most: usize) -> Option<Self> {
        let place = Self(present.clone());
        if present.fetch_add(1, Ordering::SeqCst) >= most {
            return None;
        }
        Some(place)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
