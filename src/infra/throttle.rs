//! Rate limits by GCRA (ITU-T I.371), in memory, one per process: a limit is a brake on abuse, not an
//! account that must survive a restart.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock, Reference};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use uuid::Uuid;

use crate::config::Limits;

/// A cell limit per key: `per_minute` at once, refilled evenly over a minute.
pub struct Throttle<K: Clone + Eq + Hash = IpAddr> {
    limiter: DefaultKeyedRateLimiter<K>,
    clock: DefaultClock,
}

impl<K: Clone + Eq + Hash> Throttle<K> {
    /// A limit of 0 counts as 1: a limit that never admits is a configuration fault, not a limit.
    pub fn per_minute(limit: u32) -> Self {
        let limit = NonZeroU32::new(limit).unwrap_or(NonZeroU32::MIN);
        Self { limiter: RateLimiter::keyed(Quota::per_minute(limit)), clock: DefaultClock::default() }
    }

    /// The same over an hour, at once at most half of it.
    pub fn per_hour(limit: u32) -> Self {
        let limit = NonZeroU32::new(limit).unwrap_or(NonZeroU32::MIN);
        let burst = NonZeroU32::new(limit.get().div_ceil(2)).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_hour(limit).allow_burst(burst);
        Self { limiter: RateLimiter::keyed(quota), clock: DefaultClock::default() }
    }

    /// Takes one cell, or says after how many seconds one is free.
    pub fn take(&self, key: &K) -> Result<(), u32> {
        self.limiter.check_key(key).map_err(|no| {
            let wait = no.wait_time_from(self.clock.now()).max(Duration::from_millis(1));
            u32::try_from(wait.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX)
        })
    }

    /// Forgets keys that are full again. Called now and then, else the table only grows.
    pub fn forget_idle(&self) {
        self.limiter.retain_recent();
        self.limiter.shrink_to_fit();
    }
}

/// Counts failures alone, and closes when there were too many: nothing is answered then, or the right guess would be the one
/// that still is.
pub struct Failures<K: Clone + Eq + Hash = IpAddr> {
    throttle: Throttle<K>,
    /// Until when.
    closed: Mutex<HashMap<K, <DefaultClock as Clock>::Instant>>,
}

impl<K: Clone + Eq + Hash> Failures<K> {
    pub fn per_minute(limit: u32) -> Self {
        Self { throttle: Throttle::per_minute(limit), closed: Mutex::default() }
    }

    /// Whether it is open, or after how many seconds it is.
    pub fn admit(&self, key: &K) -> Result<(), u32> {
        let now = self.throttle.clock.now();
        let mut closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(until) = closed.get(key).copied() else { return Ok(()) };
        if until <= now {
            closed.remove(key);
            return Ok(());
        }
        Err(u32::try_from(Duration::from(until.duration_since(now)).as_secs()).unwrap_or(u32::MAX).max(1))
    }

    /// Takes a cell; without one left, it is closed until there is.
    pub fn count(&self, key: &K) {
        if let Err(no) = self.throttle.limiter.check_key(key) {
            let mut closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
            closed.insert(key.clone(), no.earliest_possible());
        }
    }

    /// Forgets keys that are full again.
    pub fn forget_idle(&self) {
        self.throttle.forget_idle();
        let now = self.throttle.clock.now();
        self.closed.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, until| *until > now);
    }
}

/// What an address is counted under: an IPv4 address by itself, IPv6 by its /56, which is what one household gets.
pub fn prefix(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from(u128::from(v6) & (u128::MAX << 72))),
    }
}

/// The program's limits. Keyed by address prefix, sign-ins also by the account they are about (a digest).
pub struct Throttles {
    /// GraphQL requests.
    pub requests: Throttle,
    /// Sign-ins, registrations and code requests.
    pub sign_ins: Throttle,
    /// The same, per mail address they are about and network address they come from: a third of the limit.
    pub sign_ins_of_account: Throttle<String>,
    /// The same, per mail address wherever they come from: ten times the limit, which no single client reaches, so that
    /// nobody keeps a person out by guessing.
    pub sign_ins_everywhere: Throttle<String>,
    /// Requests that have a mail sent to a typed address, each kind of mail by itself.
    pub mails: Throttle<(IpAddr, &'static str)>,
    /// Answers to captchas, each of which is verified by a call.
    pub captchas: Throttle,
    /// Notices that failed authentication.
    pub forged_notices: Throttle,
    /// Questions about keys that do not exist.
    pub licence_failures: Failures,
    /// Devices on which a key is activated, by the key.
    pub licence_changes: Throttle<Uuid>,
    /// Test messages, by the hook endpoint.
    pub hook_tests: Throttle<Uuid>,
    /// Requests of API clients, by the client.
    pub client_requests: Throttle<Uuid>,
    /// Secrets of API clients that are none.
    pub client_failures: Failures,
}

/// Test messages a minute and hook endpoint.
const HOOK_TESTS: u32 = 20;

impl Throttles {
    pub fn new(limits: &Limits) -> Self {
        let sign_ins = limits.sign_ins_per_minute;
        Self {
            requests: Throttle::per_minute(limits.requests_per_minute),
            sign_ins: Throttle::per_minute(sign_ins),
            sign_ins_of_account: Throttle::per_minute(sign_ins.div_ceil(3)),
            sign_ins_everywhere: Throttle::per_minute(sign_ins.saturating_mul(10)),
            mails: Throttle::per_hour(limits.mails_per_hour),
            captchas: Throttle::per_minute(sign_ins),
            forged_notices: Throttle::per_minute(limits.forged_notices_per_minute),
            licence_failures: Failures::per_minute(limits.licence_failures_per_minute),
            licence_changes: Throttle::per_hour(limits.licence_activations_per_hour),
            hook_tests: Throttle::per_minute(HOOK_TESTS),
            client_requests: Throttle::per_minute(limits.client_requests_per_minute),
            client_failures: Failures::per_minute(limits.sign_ins_per_minute),
        }
    }

    pub fn forget_idle(&self) {
        self.requests.forget_idle();
        self.sign_ins.forget_idle();
        self.sign_ins_of_account.forget_idle();
        self.sign_ins_everywhere.forget_idle();
        self.mails.forget_idle();
        self.captchas.forget_idle();
        self.forged_notices.forget_idle();
        self.licence_failures.forget_idle();
        self.licence_changes.forget_idle();
        self.hook_tests.forget_idle();
        self.client_requests.forget_idle();
        self.client_failures.forget_idle();
    }
}
