//! Bodies on their way in and out, by the clock.

use std::any::Any;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use poem::Response;
use tokio::time::{Sleep, sleep_until};

use super::credit::Credit;
use super::meter::{CloseReason, InFlight, Meter};

/// Found by handlers' paths among a request's extensions.
#[derive(Clone, Default)]
pub struct BodyTime(Arc<AtomicBool>);

impl BodyTime {
    /// The body may take as long as it does at the least rate.
    pub fn unbind(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What is kept until an answer's body has ended; found among the answer's extensions.
#[derive(Clone, Default)]
pub struct UntilAnswered(Vec<Arc<dyn Any + Send + Sync>>);

impl UntilAnswered {
    pub fn keep(response: &mut Response, this: impl Any + Send + Sync) {
        response.extensions_mut().get_or_insert_default::<Self>().0.push(Arc::new(this));
    }
}

/// A request's body. One that is too slow ends with an error of the kind `TimedOut`.
pub struct InBody {
    inner: Incoming,
    meter: Arc<Meter>,
    credit: Credit,
    time: BodyTime,
    until: Instant,
    sleep: Pin<Box<Sleep>>,
    late: bool,
}

impl InBody {
    pub fn new(inner: Incoming, meter: Arc<Meter>, time: BodyTime) -> Self {
        let pace = *meter.pace();
        let until = Instant::now() + pace.body;
        let credit = Credit::new(pace.stall, pace.bytes_per_second);
        let sleep = Box::pin(sleep_until(until.into()));
        Self { inner, meter, credit, time, until, sleep, late: false }
    }

    fn wait(&mut self, now: Instant) {
        if !self.credit.is_waiting() {
            self.credit.wait(now);
            self.meter.read(true);
        }
    }

    fn stop(&mut self, now: Instant) {
        if self.credit.is_waiting() {
            self.credit.stop(now);
            self.meter.read(false);
        }
    }
}

impl Body for InBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = self.get_mut();
        let too_slow = || io::Error::new(io::ErrorKind::TimedOut, "the body came too slowly");
        if this.late {
            return Poll::Ready(Some(Err(too_slow())));
        }
        let frame = Pin::new(&mut this.inner).poll_frame(cx);
        let now = Instant::now();
        match frame {
            Poll::Ready(frame) => {
                if let Some(Ok(frame)) = &frame {
                    this.credit.earn(now, frame.data_ref().map_or(0, Bytes::len));
                }
                this.stop(now);
                Poll::Ready(frame.map(|frame| frame.map_err(io::Error::other)))
            }
            Poll::Pending => {
                this.wait(now);
                let bound = (!this.time.0.load(Ordering::Relaxed)).then_some(this.until);
                let due = this.credit.due().into_iter().chain(bound).min().unwrap_or(this.until);
                if due > now {
                    this.sleep.as_mut().reset(due.into());
                    if this.sleep.as_mut().poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                }
                this.late = true;
                this.stop(now);
                this.meter.blame(CloseReason::SlowBody);
                metrics::counter!("dispense_requests_refused_total", "reason" => "slow_body").increment(1);
                Poll::Ready(Some(Err(too_slow())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for InBody {
    fn drop(&mut self) {
        self.stop(Instant::now());
    }
}

/// An answer's body.
pub struct OutBody {
    inner: BoxBody<Bytes, io::Error>,
    meter: Arc<Meter>,
    blocked: bool,
    _in_flight: InFlight,
    _until_answered: Option<UntilAnswered>,
}

impl OutBody {
    pub fn new(
        inner: BoxBody<Bytes, io::Error>,
        meter: Arc<Meter>,
        in_flight: InFlight,
        until_answered: Option<UntilAnswered>,
    ) -> Self {
        Self { inner, meter, blocked: false, _in_flight: in_flight, _until_answered: until_answered }
    }

    /// From a piece to the question for the next, the transport is busy with the client.
    fn block(&mut self, blocked: bool) {
        if self.blocked != blocked {
            self.blocked = blocked;
            self.meter.block(blocked);
        }
    }
}

impl Body for OutBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = self.get_mut();
        this.block(false);
        let frame = Pin::new(&mut this.inner).poll_frame(cx);
        if matches!(frame, Poll::Ready(Some(Ok(_)))) && !this.inner.is_end_stream() {
            this.block(true);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for OutBody {
    fn drop(&mut self) {
        self.block(false);
    }
}
