use crate::base::actor::Actor;
use crate::base::caller::Caller;
use crate::base::outcome::{Outcome, Refusal};
use crate::base::secret::Secret;
use crate::infra::kit::Kit;
use crate::infra::sign;
use crate::infra::throttle::prefix;
use crate::people::clients::model::{ApiClient, ApiClientState};
use crate::people::clients::{read, secret};
use crate::people::error;

/// The client behind a secret, within its own limit of requests. An address from which many wrong ones come is answered
/// nothing for a while. `UNAUTHENTICATED`, `RATE_LIMITED`.
pub async fn authenticate(kit: &Kit, caller: &Caller, token: &Secret) -> Outcome<Actor> {
    let address = prefix(caller.address);
    kit.throttles.client_failures.admit(&address).map_err(error::rate_limited)?;
    let found = match secret::client_of(token) {
        Some(id) => read::find(&mut *kit.db.conn().await?, id).await?,
        None => None,
    };
    let Some(client) = found.filter(|client| fits(kit, client, token)) else {
        kit.throttles.client_failures.count(&address);
        return Err(error::unauthenticated().into());
    };
    kit.throttles.client_requests.take(&client.id.0).map_err(|seconds| -> Refusal {
        Refusal::new(crate::base::error_code::ErrorCode::RateLimited, "this client asks too often")
            .retry_after(seconds)
    })?;
    Ok(Actor {
        api_client: Some(client.id),
        scopes: client.scopes(),
        order_tokens: caller.order_tokens.clone(),
        address: Some(caller.address),
        ..Actor::default()
    })
}

fn fits(kit: &Kit, client: &ApiClient, token: &Secret) -> bool {
    let given = secret::digest(token);
    let is = |digest: &Option<Vec<u8>>| digest.as_ref().is_some_and(|own| sign::equal(own, &given));
    let old = client.old_secret_until.is_some_and(|until| until > kit.clock.now());
    client.state == ApiClientState::Active
        && (is(&client.secret_digest) || (old && is(&client.old_secret_digest)))
}
