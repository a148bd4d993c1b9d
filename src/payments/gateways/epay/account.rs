//! What accounts of both generations have in common.

use serde_json::Value;

use crate::base::secret::Secret;
use crate::payments::gateways::gateway::{AccountKeys, Evidence, Setting};
use crate::payments::gateways::json;

pub const PID: Setting =
    Setting { name: "pid", required: true, about: "the merchant's number at the platform" };

pub const TYPE: Setting = Setting {
    name: "type",
    required: false,
    about: "the one way to pay (`alipay`, `wxpay`, …); default: the platform's page asks",
};

/// The merchant's number.
pub fn pid(keys: &AccountKeys) -> &str {
    keys.setting("pid").unwrap_or_default()
}

/// What is wrong with an account's number, way to pay and address; `address` is what is said where that is missing.
pub fn faults(keys: &AccountKeys, address: &str) -> Vec<(&'static str, String)> {
    let mut faults = Vec::new();
    let mut fault = |key: &'static str, text: &str| faults.push((key, text.to_owned()));
    if !pid(keys).bytes().all(|b| b.is_ascii_digit()) {
        fault("settings.pid", "must be digits");
    }
    let word = |kind: &str| kind.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if keys.setting("type").is_some_and(|kind| !word(kind)) {
        fault("settings.type", "must be one of the platform's words, like `alipay`");
    }
    if keys.api_url.is_none() {
        fault("api_url", address);
    }
    faults
}

/// The account of a file of notices, which has its secret under this name.
pub fn of_vectors(config: &Value, secret: &str) -> Result<(AccountKeys, Evidence), String> {
    let need = |key: &str| {
        let text = json::text(config, &[key]).map(str::to_owned);
        text.ok_or_else(|| format!("config.{key} is missing"))
    };
    let keys = AccountKeys {
        secrets: vec![Secret::new(need(secret)?)],
        settings: [("pid".to_owned(), need("pid")?)].into(),
        ..AccountKeys::default()
    };
    Ok((keys, Evidence::default()))
}
