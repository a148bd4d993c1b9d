//! Where PayPal's certificates may come from. The address is in the message itself, so it is judged before anything
//! is fetched: an attacker who may choose it may choose the key.

use url::Url;

use crate::payments::gateways::gateway::AccountKeys;

const PATH: &str = "/v1/notifications/certs/";
const LIVE: [&str; 2] = ["api.paypal.com", "api-m.paypal.com"];
const SANDBOX: [&str; 2] = ["api.sandbox.paypal.com", "api-m.sandbox.paypal.com"];

/// Whether a certificate may be fetched from there: HTTPS at one of PayPal's own hosts of the account's mode, in the
/// folder of certificates. A sandbox account whose `api_url` is on this machine may use that one's folder too.
pub(super) fn allowed(keys: &AccountKeys, text: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    // What a parser has to tidy up (`\`, `..`, `%2e`, capitals, `:443`) two parsers may read differently.
    if url.as_str() != text || !plain(&url) {
        return false;
    }
    let hosts = if keys.sandbox { SANDBOX } else { LIVE };
    if url.scheme() == "https" && url.port().is_none() && url.host_str().is_some_and(|h| hosts.contains(&h)) {
        return url.path().strip_prefix(PATH).is_some_and(is_name);
    }
    keys.sandbox && keys.api_url.as_deref().is_some_and(|base| beside(base, &url))
}

fn plain(url: &Url) -> bool {
    url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none()
}

/// One path segment that is nothing but a name.
fn is_name(text: &str) -> bool {
    (1..=200).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn beside(base: &str, url: &Url) -> bool {
    let Ok(base) = Url::parse(base) else { return false };
    let loopback = match base.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    };
    let folder = format!("{}{PATH}", base.path().trim_end_matches('/'));
    loopback && base.origin() == url.origin() && url.path().strip_prefix(&folder).is_some_and(is_name)
}
