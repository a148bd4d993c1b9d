//! From a request's origin to who asks.

use crate::base::caller::Caller;
use crate::base::error_code::ErrorCode;
use crate::base::outcome::Failure;
use crate::base::text::Locale;
use crate::graphql::context::GraphqlBackend;
use crate::graphql::context::Viewer;
use crate::graphql::error::{Refused, top_level};
use crate::people;

/// The viewer, or why the credentials are not believed.
pub async fn read(backend: &GraphqlBackend, caller: &Caller, locale: Locale) -> Result<Viewer, Refused> {
    let actor = people::authenticate(&backend.people, caller)
        .await
        .map_err(|failure| not_believed(failure, caller))?;
    Ok(Viewer { actor, caller: caller.clone(), locale })
}

fn not_believed(failure: Failure, caller: &Caller) -> Refused {
    match failure {
        Failure::Refused(refusal) => {
            let code = top_level(refusal.code).unwrap_or(ErrorCode::Unauthenticated);
            Refused { retry_after: refusal.retry_after, ..Refused::new(code, refusal.message) }
        }
        Failure::Fault(fault) => {
            tracing::error!(request_id = caller.request_id, %fault, "the caller could not be looked up");
            let refused =
                Refused::new(ErrorCode::Unavailable, "not available for the moment; please try again");
            Refused { retry_after: Some(2), ..refused }
        }
    }
}

/// `?locale=` of the address, then `Accept-Language`, then the shop's own.
pub fn locale(backend: &GraphqlBackend, query: Option<&str>, caller: &Caller) -> Locale {
    let asked = query.and_then(|query| {
        url::form_urlencoded::parse(query.as_bytes())
            .find(|(name, _)| name == "locale")
            .map(|(_, v)| v.into_owned())
    });
    asked
        .as_deref()
        .and_then(Locale::negotiate)
        .or(caller.locale)
        .unwrap_or_else(|| Locale::choose(&backend.config.shop.default_locale))
}
