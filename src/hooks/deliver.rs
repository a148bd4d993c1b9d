//! One attempt. Its beginning is stored in a short transaction, the call is outside any, its end in another. A worker killed
//! in between leaves the row, and the event is sent again under the same id.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use chrono::TimeDelta;

use crate::base::clock;
use crate::base::ids::{HookDeliveryId, HookEndpointId};
use crate::base::outcome::Fault;
use crate::base::secret::Secret;
use crate::hooks::events::{EndpointDisabled, HookEvent};
use crate::hooks::kit::HookKit;
use crate::hooks::model::HookEndpoint;
use crate::hooks::state::{HookChange, HookEndpointState, HookState, IllegalHookChange};
use crate::hooks::store::{self, AttemptEnd};
use crate::hooks::tasks::{HookDisabled, HookFailing, HookTrouble};
use crate::hooks::{payload, secret};
use crate::infra::effects::Effects;
use crate::infra::effects::events::Event;
use crate::infra::effects::tasks::TaskKind;
use crate::infra::outbound::{CallError, Method, Request};
use crate::infra::webhook_signature;

/// An attempt that was begun.
pub struct Begun {
    delivery: HookDeliveryId,
    /// From 1, and how many of them were made before it was replayed.
    attempt: i32,
    attempts_before: i32,
    endpoint: HookEndpointId,
    url: String,
    secrets: Vec<Secret>,
    /// None: the event is not kept any more.
    body: Option<Vec<u8>>,
}

/// How many attempts may begin, and how many of them at endpoints that did not take the last event.
#[derive(Clone, Copy, Debug)]
pub struct Capacity {
    pub all: usize,
    pub failing: usize,
}

/// Attempts that begin now.
#[derive(Default)]
pub struct Claimed {
    pub well: Vec<Begun>,
    pub failing: Vec<Begun>,
}

/// Begins attempts at endpoints whose turn it is.
pub async fn claim(kit: &HookKit, room: Capacity) -> Result<Claimed, Fault> {
    let failing = claim_of(kit, true, room.failing).await?;
    let well = claim_of(kit, false, room.all.saturating_sub(failing.len())).await?;
    Ok(Claimed { well, failing })
}

async fn claim_of(kit: &HookKit, failing: bool, room: usize) -> Result<Vec<Begun>, Fault> {
    if room == 0 {
        return Ok(Vec::new());
    }
    let settings = &kit.config.worker;
    let places = i64::try_from(settings.hook_concurrency_per_endpoint.max(1)).unwrap_or(i64::MAX);
    let mut tx = kit.db.begin().await?;
    let turns = store::lock_turns(&mut tx, failing, places, i64::try_from(room).unwrap_or(i64::MAX)).await?;
    if turns.is_empty() {
        return Ok(Vec::new());
    }
    let each = i64::try_from(room / turns.len()).unwrap_or(1).max(1);
    let lease = settings.hook_seconds as f64 * 2.0 + 15.0;
    let ids = store::begin(&mut tx, &turns, places, each, lease).await?;
    store::advance_served(&mut tx, &turns).await?;
    store::advance_lost_attempts(&mut tx, &ids).await?;
    store::insert_attempts(&mut tx, &ids).await?;
    let endpoints = store::list_by_id(&mut tx, &turns).await?;
    let mut known: HashMap<HookEndpointId, (String, Vec<Secret>)> = HashMap::new();
    for endpoint in endpoints {
        let secrets = secret::open(&mut tx, kit, &endpoint).await?;
        known.insert(endpoint.id, (endpoint.url, secrets));
    }
    let mut begun = Vec::new();
    for row in store::list_begun(&mut tx, &ids).await? {
        let Some((url, secrets)) = known.get(&row.endpoint_id) else {
            return Err(Fault::bug("an event on its way to no endpoint"));
        };
        begun.push(Begun {
            delivery: row.delivery_id,
            attempt: row.attempts,
            attempts_before: row.attempts_before,
            endpoint: row.endpoint_id,
            url: url.clone(),
            secrets: secrets.clone(),
            body: payload::of(kit, &row.event),
        });
    }
    tx.commit().await?;
    crate::fault_point!("hooks.begun");
    Ok(begun)
}

/// What an attempt came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HookHeard {
    /// A status from 200 to 299.
    Taken(u16),
    /// Another status.
    Refused(u16),
    /// The endpoint may have seen it, and gave no answer in time.
    NoAnswer(String),
    /// It was not sent: no connection, or an address that is not called.
    Unreachable(String),
    /// There is nothing to be sent any more.
    EventGone,
}

impl HookHeard {
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Taken(_) => "delivered",
            Self::Refused(_) => "refused",
            Self::NoAnswer(_) => "no_answer",
            Self::Unreachable(_) => "unreachable",
            Self::EventGone => "event_gone",
        }
    }

    pub(super) fn status(&self) -> Option<i32> {
        match self {
            Self::Taken(status) | Self::Refused(status) => Some(i32::from(*status)),
            Self::NoAnswer(_) | Self::Unreachable(_) | Self::EventGone => None,
        }
    }

    pub(super) fn reason(&self) -> Option<&str> {
        match self {
            Self::NoAnswer(why) | Self::Unreachable(why) => Some(why),
            Self::Taken(_) | Self::Refused(_) | Self::EventGone => None,
        }
    }
}

/// A message before it is signed.
pub(super) struct HookMessage<'a> {
    /// The same for every attempt.
    pub id: &'a str,
    pub body: Vec<u8>,
    /// How long an answer is waited for.
    pub timeout: Duration,
}

/// Signs a message and sends it, once.
pub(super) async fn send(
    kit: &HookKit,
    url: &str,
    secrets: &[Secret],
    message: HookMessage<'_>,
) -> Result<HookHeard, Fault> {
    let HookMessage { id, body, timeout } = message;
    let signed = webhook_signature::sign(secrets.iter(), id, kit.clock.unix(), &body);
    let mut headers = Vec::from(signed.ok_or_else(|| Fault::bug("a signing secret of an endpoint is none"))?);
    headers.push(("content-type".into(), "application/json".into()));
    let request =
        Request { method: Method::Post, url: url.to_owned(), headers, body, timeout, largest_answer: 0 };
    Ok(match kit.outbound.status_guarded(request).await {
        Ok(status @ 200..=299) => HookHeard::Taken(status),
        Ok(status) => HookHeard::Refused(status),
        Err(CallError::NotSent(why)) => HookHeard::Unreachable(shown(&why)),
        Err(CallError::Unknown(why)) => HookHeard::NoAnswer(shown(&why)),
    })
}

/// A reason as endpoints' owners see it.
fn shown(why: &str) -> String {
    why.chars().filter(|c| !c.is_control()).take(300).collect()
}

/// Makes the attempt and records its end.
pub async fn attempt(kit: &HookKit, begun: Begun) -> Result<(), Fault> {
    let started = Instant::now();
    let heard = match &begun.body {
        Some(body) => {
            let id = begun.delivery.to_string();
            let timeout = Duration::from_secs(kit.config.worker.hook_seconds.max(1));
            let message = HookMessage { id: &id, body: body.clone(), timeout };
            send(kit, &begun.url, &begun.secrets, message).await?
        }
        None => HookHeard::EventGone,
    };
    crate::fault_point!("hooks.sent");
    metrics::counter!("dispense_hook_attempts_total", "outcome" => heard.code()).increment(1);
    metrics::histogram!("dispense_hook_seconds").record(started.elapsed().as_secs_f64());
    record(kit, &begun, &heard, started.elapsed()).await?;
    crate::fault_point!("hooks.recorded");
    Ok(())
}

/// The state after an attempt, and seconds until the next.
fn next(kit: &HookKit, begun: &Begun, heard: &HookHeard) -> Result<(HookState, f64), Fault> {
    let tried = usize::try_from(begun.attempt - begun.attempts_before).unwrap_or(usize::MAX);
    let gap = kit.config.worker.hook_gaps.get(tried.saturating_sub(1));
    let (change, wait) = match (heard, gap) {
        (HookHeard::Taken(_), _) => (HookChange::Deliver, 0.0),
        (HookHeard::EventGone, _) | (_, None) => (HookChange::GiveUp, 0.0),
        (_, Some(gap)) => (HookChange::Postpone, *gap as f64 * clock::jitter()),
    };
    let state = HookState::Sending
        .after(change)
        .map_err(|IllegalHookChange| Fault::bug(format!("no {change:?} while it is being sent")))?;
    Ok((state, wait))
}

async fn record(kit: &HookKit, begun: &Begun, heard: &HookHeard, took: Duration) -> Result<(), Fault> {
    let (state, wait) = next(kit, begun, heard)?;
    let mut tx = kit.db.begin().await?;
    // The endpoint first, as everybody does who changes anything about it.
    let endpoint = store::lock(&mut tx, begun.endpoint).await?;
    let endpoint = endpoint.ok_or_else(|| Fault::bug("an event was sent to no endpoint"))?;
    let end = AttemptEnd {
        outcome: heard.code(),
        status: heard.status(),
        reason: heard.reason(),
        duration_ms: i32::try_from(took.as_millis()).unwrap_or(i32::MAX),
    };
    store::advance_attempt(&mut tx, begun.delivery, begun.attempt, &end).await?;
    if store::advance_delivery(&mut tx, begun.delivery, begun.attempt, state, wait).await? == 0 {
        tracing::warn!(delivery = %begun.delivery, attempt = begun.attempt, "this attempt's end counts for nothing any more");
    }
    let effects = match heard {
        HookHeard::Taken(_) => taken(&mut tx, &endpoint).await?,
        HookHeard::EventGone => Effects::default(),
        _ => failed(&mut tx, kit, &endpoint, heard, state).await?,
    };
    effects.write(&tx, &kit.clock).await?;
    tx.commit().await?;
    // Whoever sends sees by itself that an attempt has ended: the others are woken for more than that alone.
    if !(effects.events.is_empty() && effects.tasks.is_empty() && effects.over.is_empty()) {
        kit.bell.ring();
    }
    Ok(())
}

async fn taken(
    conn: &mut diesel_async::AsyncPgConnection,
    endpoint: &HookEndpoint,
) -> Result<Effects, Fault> {
    let mut effects = Effects::default();
    if endpoint.failing_since.is_some() {
        store::advance_failing(conn, endpoint.id, None).await?;
        effects.over.push(HookFailing::over(endpoint.id));
    }
    Ok(effects)
}

/// Standard Webhooks: whoever answers with 410 wants nothing more.
const GONE: u16 = 410;

async fn failed(
    conn: &mut diesel_async::AsyncPgConnection,
    kit: &HookKit,
    endpoint: &HookEndpoint,
    heard: &HookHeard,
    state: HookState,
) -> Result<Effects, Fault> {
    let (mut effects, now) = (Effects::default(), kit.clock.now());
    let since = endpoint.failing_since.unwrap_or(now);
    if endpoint.failing_since.is_none() {
        store::advance_failing(conn, endpoint.id, Some(since)).await?;
    }
    let trouble = || HookTrouble { outcome: heard.code().into(), status: heard.status() };
    if state == HookState::NeedsAttention {
        effects.tasks.push(HookFailing::open(endpoint.id, trouble()));
    }
    let hours = i64::try_from(kit.config.worker.hook_disable_hours).unwrap_or(i64::MAX / 3_600_000);
    let reason = if *heard == HookHeard::Refused(GONE) {
        "GONE"
    } else if now - since >= TimeDelta::hours(hours) {
        "FAILING"
    } else {
        return Ok(effects);
    };
    if endpoint.state == HookEndpointState::Active
        && store::advance_disabled(conn, endpoint.id, reason).await?
    {
        tracing::warn!(endpoint = %endpoint.id, reason, "a hook endpoint was disabled");
        let event = HookEvent::Disabled(endpoint.id, EndpointDisabled { reason: reason.into() });
        effects.events.push(event.by("system").of_seller(endpoint.seller_id));
        effects.tasks.push(HookDisabled::open(endpoint.id, trouble()));
    }
    Ok(effects)
}

/// Makes every attempt that is due now, several at once: for tests and the demo. Returns how many.
pub async fn run_due(kit: &HookKit) -> Result<usize, Fault> {
    let all = kit.config.worker.hook_concurrency.max(2);
    let Claimed { well, failing } = claim(kit, Capacity { all, failing: all / 2 }).await?;
    let attempts: Vec<_> = well.into_iter().chain(failing).map(|begun| attempt(kit, begun)).collect();
    let made = attempts.len();
    for ended in futures::future::join_all(attempts).await {
        ended?;
    }
    Ok(made)
}
