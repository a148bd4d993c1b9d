//! Rate limits by GCRA (ITU-T I.371), in memory, one per process: a limit is a brake on abuse, not an
//! account that must survive a restart.

use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

/// A cell limit per key: `per_minute` at once, refilled evenly over a minute.
pub struct Throttle<K: Clone + Eq + Hash = IpAddr> {
    limiter: DefaultKeyedRateLimiter<K>,
    clock: DefaultClock,
}

impl<K: Clone + Eq + Hash> Throttle<K> {
    /// A limit of 0 counts as 1: a door that never opens is a configuration fault, not a limit.
    pub fn per_minute(limit: u32) -> Self {
        let limit = NonZeroU32::new(limit).unwrap_or(NonZeroU32::MIN);
        Self { limiter: RateLimiter::keyed(Quota::per_minute(limit)), clock: DefaultClock::default() }
    }

    /// Takes one cell, or tells after how many seconds one is free.
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

/// What an address is counted under: an IPv4 address by itself, IPv6 by its /56, which is what one household gets.
pub fn prefix(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from(u128::from(v6) & (u128::MAX << 72))),
    }
}

/// The program's limits. Keyed by address prefix, sign-ins also by address of the account (a digest).
pub struct Throttles {
    /// GraphQL requests.
    pub requests: Throttle,
    /// Sign-ins, registrations and code requests.
    pub sign_ins: Throttle,
    /// The same, per mail address they are about: a third of the limit of a network address.
    pub sign_ins_of_account: Throttle<String>,
    /// Notices that failed authentication.
    pub forged_notices: Throttle,
}

impl Throttles {
    pub fn new(requests: u32, sign_ins: u32, forged_notices: u32) -> Self {
        Self {
            requests: Throttle::per_minute(requests),
            sign_ins: Throttle::per_minute(sign_ins),
            sign_ins_of_account: Throttle::per_minute(sign_ins.div_ceil(3)),
            forged_notices: Throttle::per_minute(forged_notices),
        }
    }

    pub fn forget_idle(&self) {
        self.requests.forget_idle();
        self.sign_ins.forget_idle();
        self.sign_ins_of_account.forget_idle();
        self.forged_notices.forget_idle();
    }
}
