//! From a request's origin to who asks.

use poem::Request;

use crate::app::App;
use crate::base::actor::Actor;
use crate::base::caller::Caller;
use crate::base::text::Locale;
use crate::graphql::context::Viewer;
use crate::graphql::error::Refused;

/// The viewer, or why the credentials are not believed.
pub async fn read(app: &App, req: &Request, caller: &Caller) -> Result<Viewer, Refused> {
    let locale = locale(app, req, caller);
    Ok(Viewer { actor: Actor::guest(), caller: caller.clone(), locale })
}

/// `?locale=`, then `Accept-Language`, then the shop's own.
fn locale(app: &App, req: &Request, caller: &Caller) -> Locale {
    let asked = req.uri().query().and_then(|q| {
        url::form_urlencoded::parse(q.as_bytes())
            .find(|(name, _)| name == "locale")
            .map(|(_, v)| v.into_owned())
    });
    asked
        .as_deref()
        .and_then(Locale::negotiate)
        .or(caller.locale)
        .unwrap_or_else(|| Locale::choose(&app.config.shop.default_locale))
}
