//! The keys of what anybody may do at once or in a time.

use crate::config::key::{BYTES, COUNT, Key, Kind, SECONDS, key};

/// Keys of the section `limits`.
pub const LIMIT_KEYS: &[Key] = &[
    key("limits.graphql_depth", Kind::Int(1, 100), "12", "Depth of a GraphQL query."),
    key(
        "limits.graphql_cost_anonymous",
        COUNT,
        "2000",
        "Cost of one GraphQL request (objects; a connection counts its page size), for callers nobody knows.",
    ),
    key("limits.graphql_cost_known", COUNT, "5000", "The same for callers who are signed in."),
    key("limits.graphql_aliases", COUNT, "15", "Aliases in one GraphQL request."),
    key("limits.graphql_directives", COUNT, "50", "Directives in one GraphQL request."),
    key("limits.graphql_tokens", COUNT, "3000", "Tokens of one GraphQL request."),
    key(
        "limits.persisted_queries",
        COUNT,
        "10000",
        "GraphQL documents kept under their hash, for clients that send the hash alone (automatic persisted queries).",
    ),
    key("limits.persisted_query_bytes", BYTES, "16777216", "Bytes of all of them together."),
    key("limits.graphql_body", BYTES, "65536", "Bytes of a GraphQL request."),
    key("limits.notice_body", BYTES, "262144", "Bytes of a notice."),
    key("limits.request_seconds", SECONDS, "10", "Seconds a GraphQL request may take."),
    key("limits.requests_per_minute", COUNT, "600", "GraphQL requests a minute and address."),
    key(
        "limits.client_requests_per_minute",
        COUNT,
        "3000",
        "The same of an API client, wherever it calls from.",
    ),
    key(
        "limits.sign_ins_per_minute",
        COUNT,
        "30",
        "Sign-ins, registrations and code requests a minute and address.",
    ),
    key(
        "limits.forged_notices_per_minute",
        COUNT,
        "60",
        "Notices that fail authentication a minute and address; verified senders are never slowed.",
    ),
    key(
        "limits.forged_notices_per_day",
        COUNT,
        "1000",
        "How many notices that failed authentication the inbox keeps a day and account; more are answered and counted.",
    ),
    key(
        "limits.forged_bytes_per_day",
        BYTES,
        "8388608",
        "Of how many bytes of them a day and account what came is kept too, so that they can be verified again.",
    ),
    key("limits.forged_days", Kind::Int(1, 3_650), "14", "For how many days what came is kept of them."),
    key("limits.licence_failures_per_minute", COUNT, "30", "Unknown licence keys a minute and address."),
    key("limits.licence_activations_per_hour", COUNT, "120", "Devices an hour on which a key is activated."),
    key(
        "limits.mails_per_hour",
        COUNT,
        "100",
        "Requests an hour and address that have a mail sent to a typed address: registrations, codes.",
    ),
    key(
        "limits.held_units_per_buyer",
        COUNT,
        "100",
        "Pieces of products with a reservation that are held at a time for the unpaid orders of one signed-in buyer or one proven address.",
    ),
    key(
        "limits.held_units_per_address",
        COUNT,
        "100",
        "The same of guests at one network address, for one typed mail address.",
    ),
    key("limits.held_units_per_client", COUNT, "500", "The same of all guests at one network address."),
    key("limits.password_hashes", Kind::Int(1, 64), "2", "Password hashes computed at once."),
    key("limits.password_queue", Kind::Int(0, 10_000), "16", "Password hashes that may wait."),
];
