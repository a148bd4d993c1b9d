//! A follower: takes its turn, says what came of it, and waits.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Request as Operation, Response, Value, Variables};
use chrono::{DateTime, Utc};
use futures::{FutureExt, StreamExt};
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::time::{Instant, sleep, timeout};
use tracing::Instrument;

use crate::base::caller::Caller;
use crate::base::clock;
use crate::base::error_code::ErrorCode;
use crate::base::text::Locale;
use crate::graphql::context::{GraphqlBackend, Viewer};
use crate::graphql::error::{self, Refused};
use crate::graphql::execute::{self, Prepared};
use crate::graphql::live::frame::StreamStep;
use crate::graphql::live::slots::Entered;
use crate::graphql::live::turn::{Turn, TurnReport};
use crate::graphql::{persisted, schema};
use crate::infra::hub::Following;

/// Results of one turn; what is more comes with the next.
const MOST: usize = 100;

/// How long a follower waits after a turn that found no database.
const PAUSE: Duration = Duration::from_secs(1);

/// A step of the operation with this number.
#[derive(Debug)]
pub struct Frame {
    pub serial: u64,
    pub step: StreamStep,
}

/// The way to the client: a queue with few places.
pub struct Outlet {
    pub serial: u64,
    pub frames: mpsc::Sender<Frame>,
    /// How long it may stay full.
    pub patience: Duration,
    /// The stream's slot, where the operation has a stream of its own: it says from time to time that it is alive, and
    /// notes when nobody reads it. A socket does both by itself.
    pub own: Option<Arc<Entered>>,
}

/// Nobody reads any more, or too slowly.
pub struct Gone;

impl Outlet {
    pub async fn send(&self, step: StreamStep) -> Result<(), Gone> {
        let frame = Frame { serial: self.serial, step };
        match timeout(self.patience, self.frames.send(frame)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Gone),
            Err(_) => Err(self.slow()),
        }
    }

    fn beat(&self) -> Result<(), Gone> {
        if self.own.is_none() {
            return Ok(());
        }
        let frame = Frame { serial: self.serial, step: StreamStep::Beat };
        self.frames.try_send(frame).map_err(|full| match full {
            TrySendError::Full(_) => self.slow(),
            TrySendError::Closed(_) => Gone,
        })
    }

    fn slow(&self) -> Gone {
        if let Some(own) = &self.own {
            own.is_slow();
        }
        Gone
    }
}

/// A subscription of a client, as little of it as can be while nothing happens.
pub struct Follower {
    backend: Arc<GraphqlBackend>,
    caller: Caller,
    locale: Locale,
    query: String,
    variables: Variables,
    operation_name: Option<String>,
    /// Where the client is.
    after: Option<String>,
    /// When the token of its credentials ends.
    token_ends: Option<DateTime<Utc>>,
}

/// What came of a turn.
enum Turned {
    /// To be waited.
    Waits(Following),
    /// There is more to be given.
    More(Following),
    /// To be tried again: the database did not answer.
    Again(Option<Following>),
    Ends(Option<StreamStep>),
}

impl Follower {
    /// Follows until it ends, and says why. `after` is what the transport knows of where the client is.
    pub async fn run(
        backend: Arc<GraphqlBackend>,
        prepared: Prepared,
        viewer: Viewer,
        after: Option<String>,
        outlet: &Outlet,
    ) {
        let operation = &prepared.operation;
        let token_ends = viewer.caller.bearer.as_ref().and_then(|t| backend.people.access_tokens.end(t));
        let follower = Self {
            caller: viewer.caller.clone(),
            locale: viewer.locale,
            query: operation.query.clone(),
            variables: operation.variables.clone(),
            operation_name: operation.operation_name.clone(),
            after,
            token_ends,
            backend,
        };
        let span = tracing::info_span!("stream", request_id = follower.caller.request_id);
        let ended = follower.follow(prepared, viewer, outlet).instrument(span).await;
        if let Some(step) = ended {
            let _ = outlet.send(step).await;
        }
    }

    async fn follow(mut self, first: Prepared, viewer: Viewer, outlet: &Outlet) -> Option<StreamStep> {
        let config = &self.backend.config.live;
        // Those who came together do not come again together.
        let life = Duration::from_secs(config.stream_seconds).mul_f64(clock::jitter() - 0.2);
        let end = Instant::now() + life;
        let to_keep = first.to_keep;
        // What a turn needs lies apart, and is gone while it waits.
        let (mut turned, mut ends) = Box::pin(self.turn(first.operation, viewer, None, outlet)).await;
        if let Some(to_keep) = to_keep
            && matches!(turned, Turned::Waits(_) | Turned::More(_) | Turned::Ends(Some(StreamStep::Complete)))
        {
            Box::pin(persisted::keep(&self.backend, &self.caller, to_keep)).await;
        }
        loop {
            let following = match turned {
                Turned::Ends(step) => return step,
                Turned::Waits(mut following) => {
                    if let Err(step) = self.wait(&mut following, end, ends, outlet).await {
                        return step;
                    }
                    Some(following)
                }
                Turned::More(following) => Some(following),
                Turned::Again(following) => {
                    sleep(PAUSE).await;
                    if outlet.frames.is_closed() {
                        return None;
                    }
                    if Instant::now() >= end || self.backend.live.closing.is_cancelled() {
                        return Some(StreamStep::Again);
                    }
                    following
                }
            };
            let believed = Box::pin(execute::believe(&self.backend, &self.caller, self.locale)).await;
            let viewer = match believed {
                Ok(viewer) => viewer,
                Err(stopped) if stopped.refused.code == ErrorCode::Unavailable => {
                    turned = Turned::Again(following);
                    continue;
                }
                Err(stopped) => return Some(StreamStep::Unbelieved(stopped.refused)),
            };
            let operation = execute::operation_of(
                self.query.clone(),
                self.variables.clone(),
                self.operation_name.clone(),
            );
            (turned, ends) = Box::pin(self.turn(operation, viewer, following, outlet)).await;
        }
    }

    /// Executes the operation once and sends what it gave.
    async fn turn(
        &mut self,
        operation: Operation,
        viewer: Viewer,
        mut following: Option<Following>,
        outlet: &Outlet,
    ) -> (Turned, Option<DateTime<Utc>>) {
        let first = following.is_none();
        if let Some(following) = &mut following {
            following.catch_up();
        }
        let turn = Arc::new(Turn::new(self.backend.live.hub.clone(), self.after.clone(), first));
        let responses = {
            let _turn = self.backend.live.reads.acquire().await;
            self.execute(operation, viewer, turn.clone()).await
        };
        metrics::counter!("dispense_live_turns_total").increment(1);
        let TurnReport { following: followed, mut cursors, over, more, ends } = turn.take();
        let following = followed.or(following);
        for mut response in responses {
            let passing = !first && response.errors.iter().any(is_passing);
            error::finish(&mut response.errors, &self.caller.request_id);
            // The client is where it was: it misses nothing of a state that could not be read in whole.
            if passing {
                return (Turned::Again(following), ends);
            }
            if response.data == Value::Null {
                return (Turned::Ends(Some(StreamStep::failed(&response))), ends);
            }
            let cursor = cursors.pop_front();
            let step = StreamStep::Next { cursor: cursor.clone(), text: execute::written(&response) };
            if outlet.send(step).await.is_err() {
                return (Turned::Ends(None), ends);
            }
            self.after = cursor.or(self.after.take());
        }
        let turned = match following {
            _ if over => Turned::Ends(Some(StreamStep::Complete)),
            Some(following) if more => Turned::More(following),
            Some(following) => Turned::Waits(following),
            None => Turned::Ends(Some(StreamStep::Complete)),
        };
        (turned, ends)
    }

    async fn execute(&self, operation: Operation, viewer: Viewer, turn: Arc<Turn>) -> Vec<Response> {
        let request = execute::furnished(&self.backend, operation, viewer).data(turn);
        let limit = Duration::from_secs(self.backend.config.limits.request_seconds);
        let all = schema().execute_stream(request).take(MOST).collect::<Vec<_>>();
        match timeout(limit, AssertUnwindSafe(all).catch_unwind()).await {
            Ok(Ok(responses)) => responses,
            Ok(Err(_)) => vec![execute::panicked()],
            Err(_) => vec![Response::from_errors(vec![execute::late(limit).into_server_error()])],
        }
    }

    /// Returns when something happened; an error when the stream is at its end.
    async fn wait(
        &self,
        following: &mut Following,
        end: Instant,
        ends: Option<DateTime<Utc>>,
        outlet: &Outlet,
    ) -> Result<(), Option<StreamStep>> {
        let live = &self.backend.live;
        let beat = Duration::from_secs(self.backend.config.live.heartbeat_seconds.max(1));
        loop {
            let now = self.backend.clock.now();
            let over = |end: &DateTime<Utc>| *end <= now;
            if self.token_ends.as_ref().is_some_and(over) {
                let refused = Refused::new(ErrorCode::TokenExpired, "the access token has ended: refresh it");
                return Err(Some(StreamStep::Unbelieved(refused)));
            }
            if ends.as_ref().is_some_and(over) {
                let refused = Refused::new(ErrorCode::TokenExpired, "the ticket has ended: get a new one");
                return Err(Some(StreamStep::refused(refused, &self.caller.request_id)));
            }
            let until = |end: DateTime<Utc>| (end - now).to_std().unwrap_or_default();
            let nap = [self.token_ends.map(until), ends.map(until), Some(end - Instant::now())];
            let nap = nap.into_iter().flatten().fold(beat, Duration::min);
            tokio::select! {
                () = following.changed() => return Ok(()),
                () = outlet.frames.closed() => return Err(None),
                () = live.closing.cancelled() => return Err(Some(StreamStep::Again)),
                () = sleep(nap) => {}
            }
            if Instant::now() >= end {
                return Err(Some(StreamStep::Again));
            }
            outlet.beat().map_err(|Gone| None)?;
        }
    }
}

/// A fault that may be over soon.
fn is_passing(error: &async_graphql::ServerError) -> bool {
    let code = error.extensions.as_ref().and_then(|values| values.get("code"));
    [ErrorCode::Unavailable, ErrorCode::Timeout].iter().any(|c| code == Some(&c.as_str().into()))
}
