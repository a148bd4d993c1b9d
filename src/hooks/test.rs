//! A message of no event, to see whether an endpoint takes what the shop sends.

use std::time::Duration;

use chrono::SecondsFormat;
use serde_json::json;

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::{HookDeliveryId, HookEndpointId};
use crate::base::outcome::{Outcome, Refusal};
use crate::hooks::deliver::{self, HookHeard, HookMessage};
use crate::hooks::endpoint::{manages, missing};
use crate::hooks::kit::HookKit;
use crate::hooks::model::HookEndpoint;
use crate::hooks::{read, secret};

/// The type of such a message.
const TYPE: &str = "hook.test";

/// How a test ended.
pub struct HookTested {
    pub endpoint: HookEndpoint,
    pub succeeded: bool,
    /// Open code, as an attempt has it.
    pub outcome: &'static str,
    pub status: Option<i32>,
    pub reason: Option<String>,
}

/// Sends a signed message at once, also to an endpoint that is disabled. Nothing of it is stored. `NOT_FOUND`,
/// `RATE_LIMITED`.
pub async fn test(kit: &HookKit, actor: &Actor, id: HookEndpointId) -> Outcome<HookTested> {
    let mut conn = kit.db.conn().await?;
    let found = read::find(&mut conn, id).await?.filter(|endpoint| manages(actor, endpoint.owner()));
    let endpoint = found.ok_or_else(missing)?;
    kit.throttles.hook_tests.take(&endpoint.id.0).map_err(|seconds| {
        Refusal::new(ErrorCode::RateLimited, "this endpoint was tested a moment ago").retry_after(seconds)
    })?;
    let secrets = secret::open(&mut conn, kit, &endpoint).await?;
    drop(conn);
    let name = HookDeliveryId(kit.clock.uuid()).to_string();
    let now = kit.clock.now().to_rfc3339_opts(SecondsFormat::Micros, true);
    let body = json!({ "type": TYPE, "timestamp": now, "data": { "endpoint": endpoint.id.to_string() } });
    // Whoever asks is answered before the request's own time is over.
    let longest = kit.config.limits.request_seconds.saturating_sub(2);
    let timeout = Duration::from_secs(kit.config.worker.hook_seconds.min(longest).max(1));
    let message = HookMessage { id: &name, body: body.to_string().into_bytes(), timeout };
    let heard = deliver::send(kit, &endpoint.url, &secrets, message).await?;
    Ok(HookTested {
        succeeded: matches!(heard, HookHeard::Taken(_)),
        outcome: heard.code(),
        status: heard.status(),
        reason: heard.reason().map(str::to_owned),
        endpoint,
    })
}
