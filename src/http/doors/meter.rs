//! What is known of one connection: whose turn it is, and until when.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use super::credit::Credit;
use super::waiting::{WaitPlace, WaitingRoom};
use crate::config::Connections;

/// How long a connection that is asked to close may take when nothing is in flight.
const LAST_BYTES: Duration = Duration::from_secs(1);
/// How long requests that the shop itself works on may take after the signal to stop.
const LAST_REQUESTS: Duration = Duration::from_secs(30);

/// The times of the configuration.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    pub head: Duration,
    pub body: Duration,
    pub idle: Duration,
    pub stall: Duration,
    pub end: Duration,
    pub bytes_per_second: u64,
}

impl Pace {
    pub fn of(config: &Connections) -> Self {
        let seconds = Duration::from_secs;
        Self {
            head: seconds(config.head_seconds),
            body: seconds(config.body_seconds),
            idle: seconds(config.idle_seconds),
            stall: seconds(config.stall_seconds),
            end: seconds(config.end_seconds),
            bytes_per_second: config.bytes_per_second,
        }
    }
}

/// Why a connection was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// Its client closed it, or the answer ended it.
    Client,
    /// What came was no HTTP, or the connection broke.
    Broken,
    SlowHead,
    SlowBody,
    SlowReader,
    Idle,
    /// Others needed its place.
    Evicted,
    /// The server ends.
    Shutdown,
}

impl CloseReason {
    pub const ALL: [Self; 8] = [
        Self::Client,
        Self::Broken,
        Self::SlowHead,
        Self::SlowBody,
        Self::SlowReader,
        Self::Idle,
        Self::Evicted,
        Self::Shutdown,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Broken => "broken",
            Self::SlowHead => "slow_head",
            Self::SlowBody => "slow_body",
            Self::SlowReader => "slow_reader",
            Self::Idle => "idle",
            Self::Evicted => "evicted",
            Self::Shutdown => "shutdown",
        }
    }

    /// A connection that waits may be closed in the protocol's own way; a slow one is cut off.
    pub fn is_gentle(self) -> bool {
        matches!(self, Self::Idle | Self::Evicted | Self::Shutdown)
    }
}

pub struct Meter {
    number: u64,
    pace: Pace,
    room: Arc<WaitingRoom>,
    state: Mutex<MeterState>,
}

struct MeterState {
    /// Requests whose answer has not ended, those whose body is awaited, and those whose answer is under way.
    in_flight: u32,
    reading: u32,
    answering: u32,
    /// Bodies of answers that the transport takes no more of for now.
    blocked: u32,
    /// The socket takes no more for now.
    full: bool,
    writing: Credit,
    /// When the connection was opened, or its last request ended.
    since: Instant,
    /// When the first byte came after that.
    head: Option<Instant>,
    /// A request has come.
    used: bool,
    /// Several requests at once: what comes between them need not be a head.
    multiplexed: bool,
    /// Its place among those that wait.
    place: Option<WaitPlace>,
    evicted: bool,
    /// Since when it is being closed.
    closing: Option<(Instant, CloseReason)>,
    /// What is known of why it ends.
    cause: Option<CloseReason>,
    waker: Option<Waker>,
}

impl MeterState {
    fn settle(&mut self, now: Instant) {
        let waits = self.full || self.blocked > 0;
        if waits {
            self.writing.wait(now);
        } else if self.writing.is_waiting() {
            self.writing.stop(now);
            if self.in_flight == 0 {
                self.since = now;
            }
        }
    }
}

impl Meter {
    /// A connection that was just opened.
    pub fn open(number: u64, pace: Pace, room: Arc<WaitingRoom>) -> Arc<Self> {
        let now = Instant::now();
        let state = MeterState {
            in_flight: 0,
            reading: 0,
            answering: 0,
            blocked: 0,
            full: false,
            writing: Credit::new(pace.stall, pace.bytes_per_second),
            since: now,
            head: None,
            used: false,
            multiplexed: false,
            place: Some((now, number)),
            evicted: false,
            closing: None,
            cause: None,
            waker: None,
        };
        let meter = Arc::new(Self { number, pace, room, state: Mutex::new(state) });
        meter.room.enter((now, number), meter.clone());
        meter
    }

    pub fn pace(&self) -> &Pace {
        &self.pace
    }

    fn state(&self) -> MutexGuard<'_, MeterState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes came.
    pub fn received(&self) {
        let mut state = self.state();
        if state.in_flight == 0 && state.head.is_none() {
            state.head = Some(Instant::now());
        }
    }

    /// The socket took bytes.
    pub fn sent(&self, bytes: usize) {
        let (mut state, now) = (self.state(), Instant::now());
        state.writing.earn(now, bytes);
        state.full = false;
        state.settle(now);
    }

    /// The socket takes no more.
    pub fn is_full(&self) {
        let (mut state, now) = (self.state(), Instant::now());
        state.full = true;
        state.settle(now);
    }

    /// The transport takes no more of an answer's body, or takes more again.
    pub fn block(&self, blocked: bool) {
        let (mut state, now) = (self.state(), Instant::now());
        state.blocked = if blocked { state.blocked + 1 } else { state.blocked.saturating_sub(1) };
        state.settle(now);
    }

    /// A request's head has come whole.
    pub fn begin(self: &Arc<Self>, multiplexed: bool) -> InFlight {
        let mut state = self.state();
        state.in_flight += 1;
        state.used = true;
        state.multiplexed = multiplexed;
        state.head = None;
        if let Some(place) = state.place.take() {
            self.room.leave(&place);
        }
        drop(state);
        InFlight { meter: self.clone(), answering: false }
    }

    /// The client's body is awaited, or not any more.
    pub fn read(&self, awaited: bool) {
        let mut state = self.state();
        state.reading = if awaited { state.reading + 1 } else { state.reading.saturating_sub(1) };
    }

    /// Remembers why it will end. One request among several ends nothing.
    pub fn blame(&self, cause: CloseReason) {
        let mut state = self.state();
        if !(state.multiplexed && cause == CloseReason::SlowBody) {
            state.cause.get_or_insert(cause);
        }
    }

    pub fn cause(&self) -> Option<CloseReason> {
        self.state().cause
    }

    /// Others need its place.
    pub fn evict(&self) {
        let mut state = self.state();
        state.evicted = true;
        // It may have served a request since it was chosen.
        if let Some(place) = state.place.take() {
            self.room.leave(&place);
        }
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// It is being closed; what is in flight may end.
    pub fn close(&self, cause: CloseReason) {
        let mut state = self.state();
        if state.closing.is_none() || cause == CloseReason::Shutdown {
            state.closing = Some((Instant::now(), cause));
        }
    }

    /// It is gone, or has become a socket of its own.
    pub fn leave(&self) {
        let mut state = self.state();
        if let Some(place) = state.place.take() {
            self.room.leave(&place);
        }
        // Whoever holds this still does not bring it back.
        state.in_flight = state.in_flight.saturating_add(1);
    }

    /// Until when nothing need be done, and what is to be done then; `waker` is woken when others need its place.
    pub fn due(&self, waker: &Waker) -> Option<(Instant, CloseReason)> {
        let mut state = self.state();
        if !state.waker.as_ref().is_some_and(|w| w.will_wake(waker)) {
            state.waker = Some(waker.clone());
        }
        let slow = state.writing.due().map(|at| (at, CloseReason::SlowReader));
        let quiet = state.in_flight == 0 && !state.writing.is_waiting();
        if let Some((since, cause)) = state.closing {
            let working = state.in_flight.saturating_sub(state.reading + state.answering) > 0;
            let patience = match (quiet, cause, working) {
                (true, ..) => LAST_BYTES,
                (_, CloseReason::Shutdown, true) => LAST_REQUESTS,
                (_, CloseReason::Shutdown, false) => self.pace.end,
                // A request came in the moment in which it was to be closed: it goes on by its own times.
                _ => return slow,
            };
            return earliest(slow, Some((since + patience, cause)));
        }
        if !quiet {
            state.evicted = false;
            return slow;
        }
        if state.evicted {
            return Some((Instant::now(), CloseReason::Evicted));
        }
        let head = if state.used { state.head.filter(|_| !state.multiplexed) } else { Some(state.since) };
        let sent_some = state.used || state.head.is_some();
        let head_cause = if sent_some { CloseReason::SlowHead } else { CloseReason::Idle };
        let head = head.map(|at| (at + self.pace.head, head_cause));
        earliest(head, state.used.then_some((state.since + self.pace.idle, CloseReason::Idle)))
    }

    fn answered(self: &Arc<Self>, answering: bool) {
        let mut state = self.state();
        state.in_flight = state.in_flight.saturating_sub(1);
        if answering {
            state.answering = state.answering.saturating_sub(1);
        }
        if state.in_flight > 0 {
            return;
        }
        let now = Instant::now();
        state.since = now;
        let place = (now, self.number);
        state.place = Some(place);
        self.room.enter(place, self.clone());
    }
}

fn earliest(
    a: Option<(Instant, CloseReason)>,
    b: Option<(Instant, CloseReason)>,
) -> Option<(Instant, CloseReason)> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if b.0 < a.0 { b } else { a }),
        (a, b) => a.or(b),
    }
}

/// A request from its head to the end of its answer.
pub struct InFlight {
    meter: Arc<Meter>,
    answering: bool,
}

impl InFlight {
    /// The answer's head is there.
    pub fn answers(&mut self) {
        if !std::mem::replace(&mut self.answering, true) {
            self.meter.state().answering += 1;
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.meter.answered(self.answering);
    }
}
