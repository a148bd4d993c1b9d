//! The explorer a browser sees on /graphql: a query, its answer, and what can be asked. One static page of our own that
//! loads nothing from elsewhere.

use poem::Response;
use poem::http::header;

const PAGE: &str = include_str!("explorer.html");

/// The page, with a policy that lets it speak to this server alone.
pub fn explorer() -> Response {
    Response::builder()
        .content_type("text/html; charset=utf-8")
        .header(
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        )
        .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        .header(header::REFERRER_POLICY, "no-referrer")
        .header(header::VARY, "Accept")
        .body(PAGE)
}
