//! The comment above each section of the documented file.

/// Sections in the order of the printed file, with the comment above them.
pub const SECTIONS: &[(&str, &str)] = &[
    (
        "",
        "Dispense's configuration. Every key may also come from the environment (or from a file .env): DISPENSE_\n\
          and the key with __ for dots, as in DISPENSE_DATABASE__URL; lists are comma-separated there. The environment\n\
          has the last word, then .env, then this file.",
    ),
    ("server", "Where it listens and how the world reaches it."),
    ("connections", "What may be open at once and how slow a client may be, on every listener."),
    ("database", "PostgreSQL. Without an url, Dispense runs a cluster of its own in the data folder."),
    ("storage", "Files for sale, in a private folder of the data folder."),
    ("mail", "Mail. Without an url, mails are written as .eml files into the data folder."),
    (
        "secrets",
        "The program's own keys: 32 random bytes each, as hex or base64 (`openssl rand -hex 32`), all different.\n\
                 With the cluster of our own they are made on first start, into secrets.toml in the data folder; with\n\
                 database.url they must be given here. In a list the first is used and all are accepted. A name may be\n\
                 put before a key (`2026a:…`); it is stored beside what the key protects.",
    ),
    ("shop", "What the shop is and how it treats orders."),
    ("limits", "What a client may ask for."),
    ("live", "Streams of changes: GraphQL subscriptions over WebSocket (/graphql/ws) and SSE."),
    ("people", "Sign-ins and passwords."),
    (
        "captcha",
        "How a client proves that a person sits there (Turnstile, hCaptcha, reCAPTCHA and their like). Off without\n\
          verify_url. People who are signed in, and guests who typed a mailed code, order without it.",
    ),
    (
        "outbound",
        "Where calls may lead whose address was typed somewhere, the captcha's among them: public addresses alone, by\n\
          https. Gateways' own hosts are not meant.",
    ),
    ("worker", "Background work."),
    (
        "retention",
        "For how many days is kept what leaves by age. What sales, money, keys, access or a dispute need is not\n\
          among it; docs/OPERATIONS.md lists every table.",
    ),
    ("log", "The program's log, on stderr."),
    (
        "accounts",
        "Merchant accounts at gateways, a table each. From the environment: DISPENSE_ACCOUNTS__<ID>__<KEY> for an\n\
                  account of this file (id in capitals, hyphens as underscores). Accounts are read again, without a restart, when\n\
                  this file or .env changes, and on SIGHUP; what is wrong then changes nothing and is reported in the log.",
    ),
];
