use serde::Deserialize;

/// `[people]`: sign-ins and passwords.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct People {
    /// How long an access token works, seconds; at most 600.
    pub access_seconds: i64,
    /// Days without use after which a sign-in ends.
    pub refresh_idle_days: i64,
    /// Days after which a sign-in ends whatever happens.
    pub session_days: i64,
    /// Ends a sign-in as soon as a spent refresh token comes again, even when the answer that carried its successor
    /// may have been lost. Off, because it signs people out in tunnels.
    pub strict_refresh: bool,
    /// argon2id: memory (KiB), passes and lanes. Not below 19456, 2 and 1; a growth re-hashes at the next sign-in.
    pub password_memory_kib: u32,
    pub password_passes: u32,
    pub password_lanes: u32,
    /// Minutes a mailed code works: to confirm an address, to set a new password, to prove an address at checkout.
    pub confirm_code_minutes: i64,
    pub reset_code_minutes: i64,
    pub email_code_minutes: i64,
    /// Codes of one purpose that one client may have mailed to one address within an hour.
    pub codes_per_hour: i64,
}

impl Default for People {
    fn default() -> Self {
        Self {
            access_seconds: 600,
            refresh_idle_days: 7,
            session_days: 30,
            strict_refresh: false,
            password_memory_kib: 19_456,
            password_passes: 2,
            password_lanes: 1,
            confirm_code_minutes: 1_440,
            reset_code_minutes: 30,
            email_code_minutes: 30,
            codes_per_hour: 5,
        }
    }
}
