//! THE table of keys: what a key takes, what it is when nobody sets it, and what it means. `dispense config
//! --default` is printed from it, unknown keys are found by it, and text from the environment is read by it.

/// What a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Bool,
    /// A whole number in this range.
    Int(i64, i64),
    /// Whole numbers in this range; comma-separated in the environment.
    Ints(i64, i64),
    /// Comma-separated in the environment.
    Texts,
    /// Masked wherever the configuration is shown.
    Secret,
    Secrets,
    /// A table of texts.
    Table,
}

/// One key. `default` is a TOML value; empty means that the key is optional, and `example` shows one.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    pub path: &'static str,
    pub kind: Kind,
    pub default: &'static str,
    pub example: &'static str,
    pub doc: &'static str,
}

const fn key(path: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Key {
    Key { path, kind, default, example: "", doc }
}

const fn optional(path: &'static str, kind: Kind, example: &'static str, doc: &'static str) -> Key {
    Key { path, kind, default: "", example, doc }
}

const COUNT: Kind = Kind::Int(1, 1_000_000);
const SECONDS: Kind = Kind::Int(1, 31_536_000);
const BYTES: Kind = Kind::Int(1_024, i64::MAX);

/// Sections in the order of the printed file, with what stands above them.
pub const SECTIONS: &[(&str, &str)] = &[
    (
        "",
        "Dispense's configuration. Every key may also come from the environment (or from a file .env): DISPENSE_\n\
          and the key with __ for dots, as in DISPENSE_DATABASE__URL; lists are comma-separated there. The environment\n\
          has the last word, then .env, then this file.",
    ),
    ("server", "Where it listens and how the world reaches it."),
    ("database", "PostgreSQL. Without an url, Dispense runs a cluster of its own in the data folder."),
    ("storage", "Files for sale, in a private folder of the data folder."),
    ("mail", "Mail. Without an url, mails are written as .eml files into the data folder."),
    (
        "secrets",
        "The program's own keys: 32 random bytes each, as hex or base64 (`openssl rand -hex 32`), all different.\n\
                 With the cluster of our own they are made on first start, into secrets.toml in the data folder; with\n\
                 database.url they must be given here. In a list the first is used and all are accepted. A name may stand\n\
                 before a key (`2026a:…`); it is stored beside what the key protects.",
    ),
    ("shop", "What the shop is and how it treats orders."),
    ("limits", "What a client may ask for."),
    ("people", "Sign-ins and passwords."),
    ("worker", "Background work."),
    ("log", "What the program says about itself, on stderr."),
    (
        "accounts",
        "Merchant accounts at gateways, a table each. From the environment: DISPENSE_ACCOUNTS__<ID>__<KEY> for an\n\
                  account of this file (id in capitals, hyphens as underscores). Accounts are read again, without a restart, when\n\
                  this file or .env changes, and on SIGHUP; what is wrong then changes nothing and is told in the log.",
    ),
];

/// Keys of every section but the accounts.
pub const KEYS: &[Key] = &[
    key(
        "data",
        Kind::Text,
        "\"data\"",
        "The data folder: the cluster of our own, files, mails, secrets. --data has the last word.",
    ),
    key(
        "server.listen",
        Kind::Text,
        "\"127.0.0.1:8080\"",
        "Address and port to listen on; port 0 picks a free one. --listen has the last word.",
    ),
    key(
        "server.public_url",
        Kind::Text,
        "\"\"",
        "The address the world uses, without a slash at the end: stands in links, mails and notify URLs. Empty: made from the address it listens on.",
    ),
    key(
        "server.allowed_origins",
        Kind::Texts,
        "[]",
        "Web pages that may call the API from a browser (https://shop.example), and the schemes and origins that a buyer may be sent back to after paying (myapp://).",
    ),
    key(
        "server.trusted_proxies",
        Kind::Texts,
        "[]",
        "Proxies whose X-Forwarded-For is believed, as networks (10.0.0.0/8).",
    ),
    key("server.graphiql", Kind::Bool, "false", "Shows the GraphiQL page to browsers on /graphql."),
    key(
        "server.storefront",
        Kind::Bool,
        "false",
        "Serves the example storefront on /, as `serve --demo` does.",
    ),
    key("server.introspection", Kind::Bool, "true", "Answers introspection queries."),
    optional(
        "database.url",
        Kind::Secret,
        "\"postgres://dispense_app:…@host/dispense\"",
        "The database, as the runtime role. sslmode=require asks for TLS.",
    ),
    optional(
        "database.owner_url",
        Kind::Secret,
        "\"postgres://dispense_owner:…@host/dispense\"",
        "The database as the schema's owner, used by migrations alone. Empty: database.url.",
    ),
    optional(
        "database.programs",
        Kind::Text,
        "\"/usr/lib/postgresql/17/bin\"",
        "Folder of PostgreSQL's server programs, for the cluster of our own. Empty: looked for.",
    ),
    key(
        "database.runtime_role",
        Kind::Text,
        "\"dispense_app\"",
        "Name of the runtime role that the migrations grant rights to.",
    ),
    key(
        "database.connections",
        Kind::Int(2, 1_000),
        "16",
        "Connections for everything but notices, which have four of their own.",
    ),
    key(
        "database.statement_timeout_ms",
        Kind::Int(100, 600_000),
        "5000",
        "A statement that takes longer is cancelled, milliseconds.",
    ),
    key(
        "database.lock_timeout_ms",
        Kind::Int(100, 600_000),
        "3000",
        "How long a statement waits for a lock, milliseconds.",
    ),
    key(
        "database.wait_ms",
        Kind::Int(10, 60_000),
        "1000",
        "How long a request waits for a free connection, milliseconds.",
    ),
    key("storage.largest_file", BYTES, "10737418240", "Largest file that may be uploaded, bytes."),
    optional(
        "mail.url",
        Kind::Secret,
        "\"smtps://user:password@host:465\"",
        "smtps:// is TLS from the start, smtp:// demands STARTTLS; smtp://…?tls=none is for a relay on the same machine.",
    ),
    key("mail.from", Kind::Text, "\"Dispense <shop@localhost>\"", "The sender."),
    key("mail.timeout_seconds", SECONDS, "60", "How long a mail server may take for one mail."),
    optional("secrets.vault", Kind::Secrets, "[\"…\"]", "Wraps the keys that seal what is sold."),
    optional(
        "secrets.fingerprint",
        Kind::Secret,
        "\"…\"",
        "Fingerprints of what is sold, so that nothing is stored twice. Never changes.",
    ),
    optional("secrets.links", Kind::Secrets, "[\"…\"]", "Signs download and claim links."),
    optional("secrets.tokens", Kind::Secrets, "[\"…\"]", "Signs access tokens of people."),
    optional("secrets.access", Kind::Secret, "\"…\"", "Derives guests' order tokens and mailed codes."),
    key("shop.name", Kind::Text, "\"Dispense\"", "What buyers read."),
    key("shop.default_locale", Kind::Text, "\"en\"", "en or zh."),
    key(
        "shop.currencies",
        Kind::Texts,
        "[\"USD\", \"EUR\", \"CNY\"]",
        "Currencies things may be priced in; the first is the default.",
    ),
    key("shop.order_prefix", Kind::Text, "\"D\"", "Prefix of order numbers: 1 to 6 of 0-9 and A-Z."),
    optional("shop.support_email", Kind::Text, "\"help@shop.example\"", "Where buyers find help."),
    optional("shop.terms_url", Kind::Text, "\"https://shop.example/terms\"", "The shop's terms."),
    optional(
        "shop.privacy_url",
        Kind::Text,
        "\"https://shop.example/privacy\"",
        "The shop's privacy notice.",
    ),
    key("shop.guest_checkout", Kind::Bool, "true", "Whether people without an account may buy."),
    key(
        "shop.review_edits",
        Kind::Bool,
        "false",
        "Whether edited texts of a product on sale go to review again, off sale meanwhile.",
    ),
    key("shop.max_lines_per_order", Kind::Int(1, 500), "50", "Lines an order may have."),
    key("shop.pay_within_seconds", Kind::Int(60, 2_592_000), "1800", "How long an unpaid order may be paid."),
    key(
        "shop.unpaid_orders_per_buyer",
        COUNT,
        "10",
        "Unpaid orders one buyer or address may have at a time.",
    ),
    key(
        "shop.free_orders_per_day",
        COUNT,
        "10",
        "Orders with a total of 0 one buyer or address may place per day.",
    ),
    key("shop.claim_link_days", Kind::Int(1, 365), "7", "How long a mailed claim link works, days."),
    key("shop.resend_gap_seconds", SECONDS, "60", "Seconds between two resends of one order's mail."),
    key("shop.resends_per_hour", COUNT, "5", "Resends of one order's mail per hour."),
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
    key("limits.password_hashes", Kind::Int(1, 64), "2", "Password hashes computed at once."),
    key("limits.password_queue", Kind::Int(0, 10_000), "16", "Password hashes that may wait."),
    key("people.access_seconds", Kind::Int(30, 600), "600", "How long an access token works, seconds."),
    key("people.refresh_idle_days", Kind::Int(1, 365), "7", "Days without use after which a sign-in ends."),
    key("people.session_days", Kind::Int(1, 365), "30", "Days after which a sign-in ends whatever happens."),
    key(
        "people.strict_refresh",
        Kind::Bool,
        "false",
        "Ends a sign-in as soon as a spent refresh token comes again, even when the answer that carried its\n\
          successor may have been lost.",
    ),
    key(
        "people.password_memory_kib",
        Kind::Int(19_456, 4_194_304),
        "19456",
        "argon2id: memory, KiB. A growth re-hashes at the next sign-in.",
    ),
    key("people.password_passes", Kind::Int(2, 100), "2", "argon2id: passes over the memory."),
    key("people.password_lanes", Kind::Int(1, 64), "1", "argon2id: lanes."),
    key(
        "people.confirm_code_minutes",
        Kind::Int(5, 10_080),
        "1440",
        "Minutes a mailed code that confirms an address works.",
    ),
    key(
        "people.reset_code_minutes",
        Kind::Int(5, 1_440),
        "30",
        "Minutes a mailed code for a new password works.",
    ),
    key(
        "people.codes_per_hour",
        Kind::Int(1, 1_000),
        "5",
        "Codes of one purpose mailed to one address within an hour.",
    ),
    key("worker.concurrency", Kind::Int(1, 256), "4", "Jobs run at once."),
    key("worker.job_seconds", SECONDS, "60", "Seconds a job may run; its lease is twice as long."),
    key(
        "worker.message_gaps",
        Kind::Ints(1, 31_536_000),
        "[60, 300, 1800, 7200, 43200]",
        "Gaps between the attempts of a message, seconds. After the last it goes to a person.",
    ),
    key(
        "worker.payment_check_gaps",
        Kind::Ints(1, 31_536_000),
        "[30, 120, 600, 1800, 3600, 10800, 21600, 43200]",
        "Gaps between questions to the gateway about a quiet payment, seconds.",
    ),
    key("log.format", Kind::Text, "\"text\"", "text or json (one object a line)."),
    key("log.filter", Kind::Text, "\"info\"", "Levels, overall and by module (info,dispense=debug)."),
];

/// Keys of one account.
pub const ACCOUNT_KEYS: &[Key] = &[
    optional(
        "id",
        Kind::Text,
        "\"stripe-eu\"",
        "Stands in the notify URL (/webhooks/stripe-eu): lower-case letters, digits, - and _.",
    ),
    optional(
        "gateway",
        Kind::Text,
        "\"stripe\"",
        "stripe, paypal, alipay, wechatpay, epay_v1, epay_v2 or generic.",
    ),
    optional("title", Kind::Text, "\"Card\"", "What buyers read. Empty: the gateway's own name."),
    optional("currencies", Kind::Texts, "[\"EUR\"]", "Currencies this account takes."),
    optional(
        "secrets",
        Kind::Secrets,
        "[\"whsec_…\"]",
        "What notices are verified with: shared secrets of 24 bytes or more, or the gateway's own public keys and\n\
          certificates. All verify, so that they can be rotated with overlap.",
    ),
    optional(
        "signs_with",
        Kind::Int(1, 100),
        "2",
        "Which of the secrets signs our own calls, counted from 1, where a gateway shares one with us (epay_v1, generic).\n\
          Not set: the first. While a secret is changed it stays the old one until the gateway has changed over.",
    ),
    optional(
        "api_key",
        Kind::Secret,
        "\"sk_live_…\"",
        "What calls to the gateway's API are made with: stripe's secret key, paypal's client secret, our private key in\n\
          PEM for alipay, wechatpay and epay_v2.",
    ),
    optional(
        "decryption_key",
        Kind::Secret,
        "\"0123456789abcdef0123456789abcdef\"",
        "What notices are decrypted with (wechatpay: the APIv3 key).",
    ),
    optional(
        "other_decryption_keys",
        Kind::Secrets,
        "[\"fedcba9876543210fedcba9876543210\"]",
        "Others that are tried too while the decryption key is changed: the one before, or the one to come.",
    ),
    optional(
        "settings",
        Kind::Table,
        "{ app_id = \"2021000118601234\", seller_id = \"2088621955701234\" }",
        "The gateway's own names for this merchant; docs/GATEWAYS.md lists them by gateway.",
    ),
    optional(
        "api_url",
        Kind::Text,
        "\"https://api.stripe.com\"",
        "Base address of the gateway's API. Empty: the official host; the generic gateway then only receives.",
    ),
    optional(
        "sandbox",
        Kind::Bool,
        "true",
        "A test account: the only kind that may stand beside the simulator.",
    ),
    optional(
        "retired",
        Kind::Bool,
        "true",
        "Starts no payment any more, and still receives, is asked and gives back: the way to leave a gateway.",
    ),
    optional(
        "policy.confirm_expired",
        Kind::Bool,
        "true",
        "Ask the gateway when money arrives for an expired order.",
    ),
    optional(
        "policy.confirm_above",
        Kind::Int(0, i64::MAX),
        "100000",
        "Ask the gateway above this amount, minor units.",
    ),
    optional("policy.minimum", Kind::Int(0, i64::MAX), "50", "Smallest amount, minor units."),
    optional("policy.maximum", Kind::Int(0, i64::MAX), "500000", "Largest amount, minor units."),
    optional(
        "policy.fees",
        Kind::Table,
        "{ EUR = \"15+25\" }",
        "What the gateway keeps by contract, per currency: per mille, and after a + minor units. Statements are\n\
          compared with it.",
    ),
];
