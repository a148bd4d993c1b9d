//! Where a buyer goes back to after paying: an address of the client, among the shop's allowed origins and app schemes.

use url::Url;

use crate::base::error_code::ErrorCode;
use crate::base::outcome::Refusal;
use crate::config::is_app_scheme;
use crate::payments::kit::PaymentKit;

/// Only addresses of allowed origins and app schemes: a payment page must not become an open redirect.
///
/// # Errors
/// `RETURN_URL_NOT_ALLOWED`.
pub fn check(kit: &PaymentKit, url: Option<&str>) -> Result<(), Refusal> {
    let Some(text) = url else { return Ok(()) };
    if text.len() <= 2_000 && Url::parse(text).is_ok_and(|url| is_allowed(kit, &url)) {
        return Ok(());
    }
    let text = "this address is not among the shop's allowed origins";
    Err(Refusal::new(ErrorCode::ReturnUrlNotAllowed, text).at(["options", "returnUrl"]))
}

fn is_allowed(kit: &PaymentKit, url: &Url) -> bool {
    let server = &kit.config.server;
    if ["http", "https"].contains(&url.scheme()) {
        let origin = url.origin().ascii_serialization();
        let own = server.public_url.trim_end_matches('/');
        return server.allowed_origins.contains(&origin) || origin == own;
    }
    // The parser has the scheme in lower case; the settings may have it as the app's developers write it.
    let listed = |entry: &String| {
        entry.strip_suffix("://").is_some_and(|scheme| scheme.eq_ignore_ascii_case(url.scheme()))
    };
    is_app_scheme(url.scheme()) && server.allowed_origins.iter().any(listed)
}

/// The address with the order's number and a watch ticket in its query, beside what the client put there itself. Schemes of
/// apps may have no host, no path, or neither; the query always comes before a fragment.
pub fn with_ticket(url: &str, number: &str, ticket: &str) -> Option<Url> {
    let mut url = Url::parse(url).ok()?;
    let ours = |name: &str| name == "order" || name == "ticket";
    if url.query_pairs().any(|(name, _)| ours(&name)) {
        // Each is there once: a client that reads the first must not read a former one.
        let kept: Vec<(String, String)> =
            url.query_pairs().filter(|(name, _)| !ours(name)).map(|(n, v)| (n.into(), v.into())).collect();
        url.query_pairs_mut().clear().extend_pairs(kept);
    }
    url.query_pairs_mut().append_pair("order", number).append_pair("ticket", ticket);
    Some(url)
}
