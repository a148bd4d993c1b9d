//! THE table of keys: what a key takes, what it is when nobody sets it, and what it means. `dispense config
//! --default` is printed from it, unknown keys are found by it, and text from the environment is read by it.

use std::sync::LazyLock;

use crate::config::connection_keys::CONNECTION_KEYS;
use crate::config::key::{BYTES, COUNT, SECONDS, key, optional};
pub use crate::config::key::{Key, Kind};
use crate::config::limit_keys::LIMIT_KEYS;
use crate::config::retention::RETENTION_KEYS;
pub use crate::config::sections::SECTIONS;
use crate::config::worker_keys::WORKER_KEYS;

/// Keys of every section but the accounts.
pub static KEYS: LazyLock<Vec<Key>> =
    LazyLock::new(|| [MOST, CONNECTION_KEYS, LIMIT_KEYS, RETENTION_KEYS, WORKER_KEYS].concat());

/// Those of all sections but `connections`, `limits`, `retention` and `worker`.
const MOST: &[Key] = &[
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
    optional(
        "server.admin_listen",
        Kind::Text,
        "\"127.0.0.1:9080\"",
        "Address and port of a listener for operators alone: /metrics and the details of /readyz. Empty: neither is served.",
    ),
    key(
        "server.public_url",
        Kind::Text,
        "\"\"",
        "The address the world uses, without a slash at the end: it is part of links, mails and notify URLs. Empty: made from the address it listens on.",
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
    key(
        "server.country_header",
        Kind::Text,
        "\"\"",
        "The header in which a trusted proxy names the client's country by two letters (CF-IPCountry). With it buyers can be blocked by country. Empty: countries are not known. The proxy must overwrite what clients send.",
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
        "database.ca",
        Kind::Text,
        "\"/etc/dispense/database-ca.pem\"",
        "PEM file with the authority's certificate, for a server whose certificate no public authority signed. Every connection\n\
         is then encrypted, and the certificate must be signed by this authority and name the host of the address.",
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
        "database.accept_newer",
        Kind::Bool,
        "false",
        "Start although a newer version migrated the database; for going back to the version before.",
    ),
    key(
        "database.connections",
        Kind::Int(2, 1_000),
        "16",
        "Connections for requests. Notices have eight of their own beside all these; each is opened when it is needed.",
    ),
    key(
        "database.report_connections",
        Kind::Int(1, 1_000),
        "4",
        "Connections for the requests of those who sell and of staff, whose lists may be long.",
    ),
    key("database.background_connections", Kind::Int(2, 1_000), "8", "Connections for jobs and sweeps."),
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
    key(
        "mail.smtputf8",
        Kind::Bool,
        "false",
        "Whether the server takes addresses with letters beyond ASCII before the @ (SMTPUTF8). Without it they are\n\
          refused at checkout. Domains beyond ASCII need nothing.",
    ),
    optional("mail.dkim_domain", Kind::Text, "\"shop.example\"", "The domain mails are signed for (DKIM)."),
    optional("mail.dkim_selector", Kind::Text, "\"dispense1\"", "Where its public key is in DNS."),
    optional("mail.dkim_key", Kind::Secret, "\"-----BEGIN PRIVATE KEY-----…\"", "RSA or Ed25519, in PEM."),
    key(
        "mail.event_secrets",
        Kind::Secrets,
        "[]",
        "Sign POST /mail/events (whsec_…); none: it is not served.",
    ),
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
    optional("secrets.licences", Kind::Secrets, "[\"…\"]", "Signs keys that are believed offline, if any."),
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
    optional(
        "shop.support_url",
        Kind::Text,
        "\"https://shop.example/help\"",
        "The page where buyers find help; without it the address above is where they write.",
    ),
    optional(
        "shop.order_url",
        Kind::Text,
        "\"https://shop.example/orders/{number}\"",
        "The shop's own page of an order; `{number}` is replaced by the order's number.",
    ),
    key("shop.colour", Kind::Text, "\"#24292f\"", "The band above mails, as #rrggbb."),
    optional("shop.logo_url", Kind::Text, "\"https://shop.example/logo.png\"", "The picture in that band."),
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
        "Unpaid orders that one signed-in buyer, or one address proven by a mailed code, may have at a time.",
    ),
    key(
        "shop.unpaid_orders_per_address",
        COUNT,
        "20",
        "The same for an address that a guest only typed, counted from one network address alone: a stranger uses up\n\
          nobody's limit.",
    ),
    key(
        "shop.unpaid_orders_per_device",
        COUNT,
        "100",
        "Unpaid orders of guests by one device (User-Agent) at one network address.",
    ),
    key(
        "shop.unpaid_orders_per_client",
        COUNT,
        "200",
        "Unpaid orders of guests at one network address (IPv6: a /56); a mobile carrier's may hold thousands of people.",
    ),
    key(
        "shop.free_orders_per_day",
        COUNT,
        "10",
        "Orders with a total of 0 that one signed-in buyer or one proven address may place per day.",
    ),
    key(
        "shop.free_orders_per_client",
        COUNT,
        "30",
        "The same for guests who passed a captcha, by network address.",
    ),
    key("shop.claim_link_days", Kind::Int(1, 365), "7", "How long a mailed claim link works, days."),
    key("shop.resend_gap_seconds", SECONDS, "60", "Seconds between two resends of one order's mail."),
    key("shop.resends_per_hour", COUNT, "5", "Resends of one order's mail per hour."),
    key(
        "shop.case_answer_days",
        COUNT,
        "2",
        "After how many days a buyer's report that nobody has answered becomes a task of staff: 0 to 365; 0 is at once.",
    ),
    key(
        "shop.waiting_alert_hours",
        Kind::Int(1, 240),
        "24",
        "After how many hours something that is paid and not delivered becomes a task of staff, 1 to 240.",
    ),
    key(
        "shop.keep_addresses_days",
        Kind::Int(0, 3_650),
        "180",
        "For how many days it is kept, sealed, from which network address and device buyers placed, revealed and downloaded: \
         evidence for disputes. 0: it is not kept.",
    ),
    key(
        "live.connections",
        COUNT,
        "10000",
        "Sockets and event streams open at once; more are answered with 503.",
    ),
    key(
        "live.connections_per_address",
        COUNT,
        "100",
        "The same from one address (IPv6: a /56); more are answered with 429.",
    ),
    key("live.operations_per_connection", COUNT, "20", "Operations of one socket at once."),
    key(
        "live.messages_per_minute",
        COUNT,
        "300",
        "Messages of one socket a minute; whoever sends more is closed with 4429.",
    ),
    key(
        "live.reads",
        Kind::Int(1, 100),
        "4",
        "How many followers that were woken read at once; the others wait, so that they do not use up the database's\n\
          connections.",
    ),
    key(
        "live.heartbeat_seconds",
        Kind::Int(1, 60),
        "15",
        "Seconds between two signs of life on a quiet stream.",
    ),
    key(
        "live.stream_seconds",
        Kind::Int(1, 86_400),
        "3600",
        "Seconds after which a stream ends and its client comes again.",
    ),
    key("live.init_seconds", Kind::Int(1, 60), "5", "Seconds a new socket has to send connection_init."),
    key(
        "live.send_seconds",
        Kind::Int(1, 60),
        "10",
        "Seconds a client has to read what was sent to it; a slower one is closed.",
    ),
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
        "Codes of one purpose that one network address may have mailed to one address within an hour; from all\n\
          together four times as many.",
    ),
    key(
        "people.email_code_minutes",
        Kind::Int(5, 1_440),
        "30",
        "Minutes a mailed code works that proves a guest's address at checkout.",
    ),
    key(
        "captcha.provider",
        Kind::Text,
        "\"turnstile\"",
        "Whose it is, for the page that shows it: turnstile, hcaptcha, recaptcha.",
    ),
    optional("captcha.site_key", Kind::Text, "\"0x4AAAAAAA\"", "The public key that a page shows it with."),
    optional(
        "captcha.verify_url",
        Kind::Text,
        "\"https://challenges.cloudflare.com/turnstile/v0/siteverify\"",
        "Where an answer is verified: a form with secret and response, answered by JSON with success.",
    ),
    optional("captcha.secret", Kind::Secret, "\"…\"", "The secret key of the verification."),
    key(
        "captcha.timeout_ms",
        Kind::Int(100, 8_000),
        "3000",
        "How long the verification may take, milliseconds.",
    ),
    key(
        "captcha.fail_open",
        Kind::Bool,
        "false",
        "Lets everybody through while the verification cannot be reached; without it nobody.",
    ),
    key(
        "captcha.asked_by",
        Kind::Texts,
        "[\"orderPlace\", \"orderAccessRequest\", \"emailCodeRequest\", \"userRegister\", \"emailConfirmationResend\", \"passwordResetRequest\", \"sessionCreate\"]",
        "Mutations that ask for it. Free goods ask a guest for it whatever is listed here, unless the address is proven.",
    ),
    key(
        "outbound.private_networks",
        Kind::Texts,
        "[]",
        "Networks that are not public and may be called all the same (10.1.0.0/16).",
    ),
    key("outbound.plain_http", Kind::Bool, "false", "Whether plain http may be called."),
    key("outbound.ports", Kind::Ints(1, 65_535), "[443]", "Ports that may be called."),
    key("log.format", Kind::Text, "\"text\"", "text or json (one object a line)."),
    key("log.filter", Kind::Text, "\"info\"", "Levels, overall and by module (info,dispense=debug)."),
];
