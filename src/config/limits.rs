use serde::Deserialize;

/// `[limits]`: what a client may ask for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    pub graphql_depth: usize,
    /// Cost of one GraphQL request (objects; a connection counts its page size), for callers nobody knows.
    pub graphql_cost_anonymous: usize,
    pub graphql_cost_known: usize,
    pub graphql_aliases: usize,
    pub graphql_directives: usize,
    pub graphql_tokens: usize,
    /// Documents kept under their hash for clients that send the hash alone, and bytes of all of them.
    pub persisted_queries: i64,
    pub persisted_query_bytes: i64,
    /// Bytes of a GraphQL request and of a notice.
    pub graphql_body: usize,
    pub notice_body: usize,
    /// Seconds a GraphQL request may take.
    pub request_seconds: u64,
    /// GraphQL requests a minute and address.
    pub requests_per_minute: u32,
    /// Requests a minute and API client, instead of those of its address.
    pub client_requests_per_minute: u32,
    /// Sign-ins, registrations and code requests a minute and address.
    pub sign_ins_per_minute: u32,
    /// Notices that fail authentication a minute and address; verified senders are never slowed.
    pub forged_notices_per_minute: u32,
    /// How many of them an account's inbox keeps a day, how many bytes of them, and for how many days the bytes.
    pub forged_notices_per_day: i64,
    pub forged_bytes_per_day: i64,
    pub forged_days: i64,
    /// Questions of software about keys that do not exist a minute and address; beyond that it is answered nothing.
    pub licence_failures_per_minute: u32,
    /// Devices on which one key is activated an hour, those that were freed between counted.
    pub licence_activations_per_hour: u32,
    /// Requests an hour and address that have a mail sent to a typed address.
    pub mails_per_hour: u32,
    /// Pieces held for the unpaid orders of one signed-in buyer or one proven address at a time, and of guests at one
    /// network address: by typed mail address, in all.
    pub held_units_per_buyer: i64,
    pub held_units_per_address: i64,
    pub held_units_per_client: i64,
    /// Password hashes computed at once, and how many may wait.
    pub password_hashes: usize,
    pub password_queue: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            graphql_depth: 12,
            graphql_cost_anonymous: 2_000,
            graphql_cost_known: 5_000,
            graphql_aliases: 15,
            graphql_directives: 50,
            graphql_tokens: 3_000,
            persisted_queries: 10_000,
            persisted_query_bytes: 16 * 1024 * 1024,
            graphql_body: 64 * 1024,
            notice_body: 256 * 1024,
            request_seconds: 10,
            requests_per_minute: 600,
            client_requests_per_minute: 3_000,
            sign_ins_per_minute: 30,
            forged_notices_per_minute: 60,
            forged_notices_per_day: 1_000,
            forged_bytes_per_day: 8 * 1024 * 1024,
            forged_days: 14,
            licence_failures_per_minute: 30,
            licence_activations_per_hour: 120,
            mails_per_hour: 100,
            held_units_per_buyer: 100,
            held_units_per_address: 100,
            held_units_per_client: 500,
            password_hashes: 2,
            password_queue: 16,
        }
    }
}
