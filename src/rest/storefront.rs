//! The example storefront of `examples/storefront`, served beside the API so that a browser needs no permission to call
//! it. Only when `server.storefront` says so.

use std::sync::Arc;

use poem::http::{StatusCode, header};
use poem::web::{Data, Path};
use poem::{Response, handler};

use crate::rest::problem::Problem;
use crate::rest::state::RestBackend;

const PAGE: &str = include_str!("../../examples/storefront/index.html");

/// Name, content type and content of the page's parts.
const PARTS: [(&str, &str, &str); 5] = [
    ("app.js", "text/javascript", include_str!("../../examples/storefront/app.js")),
    ("shop.js", "text/javascript", include_str!("../../examples/storefront/shop.js")),
    ("memory.js", "text/javascript", include_str!("../../examples/storefront/memory.js")),
    ("words.js", "text/javascript", include_str!("../../examples/storefront/words.js")),
    ("style.css", "text/css", include_str!("../../examples/storefront/style.css")),
];

/// Everything from here, nothing from elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

#[handler]
pub fn index(backend: Data<&Arc<RestBackend>>) -> Result<Response, Problem> {
    allowed(&backend)?;
    Ok(Response::builder().status(StatusCode::SEE_OTHER).header(header::LOCATION, "/storefront/").finish())
}

#[handler]
pub fn page(backend: Data<&Arc<RestBackend>>) -> Result<Response, Problem> {
    allowed(&backend)?;
    Ok(answer("text/html", PAGE))
}

#[handler]
pub fn file(backend: Data<&Arc<RestBackend>>, Path(file): Path<String>) -> Result<Response, Problem> {
    allowed(&backend)?;
    let part = PARTS.iter().find(|(name, ..)| *name == file);
    part.map(|(_, kind, text)| answer(kind, text)).ok_or_else(Problem::not_found)
}

fn allowed(backend: &RestBackend) -> Result<(), Problem> {
    if backend.config.server.storefront { Ok(()) } else { Err(Problem::not_found()) }
}

fn answer(kind: &str, text: &'static str) -> Response {
    Response::builder()
        .content_type(format!("{kind}; charset=utf-8"))
        .header(header::CONTENT_SECURITY_POLICY, POLICY)
        .header(header::CACHE_CONTROL, "no-cache")
        .body(text)
}
