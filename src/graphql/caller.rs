//! From a request's headers to who asks.

use poem::Request;
use poem::http::header;

use crate::app::App;
use crate::base::actor::Actor;
use crate::base::clock;
use crate::base::text::Locale;
use crate::graphql::context::Caller;
use crate::graphql::error::Refused;

/// The request id, and the caller or why the credentials are not believed.
pub async fn read(app: &App, req: &Request) -> (String, Result<Caller, Refused>) {
    let request_id = format!("req_{}", hex::encode(clock::random::<12>()));
    let locale = locale(app, req);
    let address = req.remote_addr().as_socket_addr().map(|a| a.ip().to_string()).unwrap_or_default();
    let caller = Caller { actor: Actor::guest(), request_id: request_id.clone(), locale, address };
    (request_id, Ok(caller))
}

/// `?locale=`, then `Accept-Language`, then the shop's own.
fn locale(app: &App, req: &Request) -> Locale {
    let asked = req.uri().query().and_then(|q| {
        url::form_urlencoded::parse(q.as_bytes()).find(|(name, _)| name == "locale").map(|(_, v)| v.into_owned())
    });
    asked
        .as_deref()
        .and_then(Locale::negotiate)
        .or_else(|| req.header(header::ACCEPT_LANGUAGE).and_then(Locale::negotiate))
        .unwrap_or_else(|| Locale::choose(&app.config.shop.default_locale))
}
