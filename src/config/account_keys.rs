//! The part of the table of keys that is about merchant accounts.

use crate::config::key::{Key, Kind, optional};

/// Keys of one account.
pub const ACCOUNT_KEYS: &[Key] = &[
    optional(
        "id",
        Kind::Text,
        "\"stripe-eu\"",
        "Part of the notify URL (/webhooks/stripe-eu): lower-case letters, digits, - and _.",
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
        "A test account: the only kind that may run beside the simulator.",
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
