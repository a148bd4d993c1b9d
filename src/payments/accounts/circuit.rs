//! How much of this program one gateway may keep waiting. Each account has its share of calls under way, one for what
//! notices need and one for the background, and a breaker: while a gateway is silent nothing is sent, then one call tries.
//! Starts are not among them, for which a buyer waits.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use metrics::{counter, gauge};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::base::outcome::Fault;

/// Calls of an account under way at once, in each lane.
pub const SHARE: usize = 4;

/// A call that ends without a clear answer after this long kept somebody waiting. What fails sooner costs nothing.
const SLOW: Duration = Duration::from_secs(2);

/// So many in a row open the breaker.
const SILENCES: u32 = 3;

/// The first time it stays open; each further silence doubles it up to the longest.
const FIRST: Duration = Duration::from_secs(15);
const LONGEST: Duration = Duration::from_secs(300);

/// How long a call of the background waits for a place.
const WAIT: Duration = Duration::from_secs(10);

/// For whom a gateway is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// A notice waits for the answer.
    Notices,
    /// Jobs and sweeps, which come again.
    Background,
}

impl Lane {
    const fn name(self) -> &'static str {
        match self {
            Self::Notices => "notices",
            Self::Background => "background",
        }
    }
}

struct Circuit {
    /// Places by lane.
    places: [Arc<Semaphore>; 2],
    silences: u32,
    open_until: Option<Instant>,
}

impl Default for Circuit {
    fn default() -> Self {
        let lane = || Arc::new(Semaphore::new(SHARE));
        Self { places: [lane(), lane()], silences: 0, open_until: None }
    }
}

impl Circuit {
    fn may_call(&self) -> Result<(), PutOff> {
        match self.open_until.is_some_and(|until| until > Instant::now()) {
            true => Err(("silent", "this gateway does not answer at present")),
            false => Ok(()),
        }
    }

    /// Where the gateway was silent this one call tries: the others wait for what becomes of it.
    fn begin(&mut self) -> Result<(), PutOff> {
        self.may_call()?;
        if self.silences >= SILENCES {
            self.open_until = Some(Instant::now() + FIRST);
        }
        Ok(())
    }
}

/// The circuits of all accounts.
#[derive(Default)]
pub struct Circuits(Mutex<HashMap<String, Circuit>>);

impl Circuits {
    /// Makes a call in an account's lane. `Overloaded`, without the call, when the breaker is open or no place of the share
    /// gets free: at once for a notice, whose gateway sends it again, after some seconds in the background. `is_clear` says
    /// whether the gateway answered.
    pub async fn call<T>(
        &self,
        account: &str,
        lane: Lane,
        call: impl Future<Output = T>,
        is_clear: impl FnOnce(&T) -> bool,
    ) -> Result<T, Fault> {
        let place = match self.enter(account, lane).await {
            Ok(place) => place,
            Err((why, text)) => {
                counter!("dispense_gateway_calls_put_off_total", "account" => account.to_owned(), "lane" => lane.name(), "why" => why)
                    .increment(1);
                return Err(Fault::Overloaded(text));
            }
        };
        let began = Instant::now();
        let answer = call.await;
        if is_clear(&answer) {
            place.answered();
        } else if began.elapsed() >= SLOW {
            place.silent();
        }
        Ok(answer)
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Circuit>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn enter<'a>(&'a self, account: &'a str, lane: Lane) -> Result<Place<'a>, PutOff> {
        let places = {
            let mut all = self.all();
            let circuit = all.entry(account.to_owned()).or_default();
            circuit.may_call()?;
            circuit.places[lane as usize].clone()
        };
        let taken = match lane {
            Lane::Notices => places.try_acquire_owned().ok(),
            Lane::Background => timeout(WAIT, places.acquire_owned()).await.ok().and_then(Result::ok),
        };
        let taken = taken.ok_or(("share", "as many calls of this gateway are under way as may be"))?;
        // It may have become silent while this one waited.
        self.all().entry(account.to_owned()).or_default().begin()?;
        gauge!("dispense_gateway_calls", "account" => account.to_owned(), "lane" => lane.name()).increment(1);
        Ok(Place { circuits: self, account, lane, _taken: taken })
    }
}

/// Why a call is not made, for the metric and for the log.
type PutOff = (&'static str, &'static str);

/// A call under way; dropped when it ends, however it ends.
struct Place<'a> {
    circuits: &'a Circuits,
    account: &'a str,
    lane: Lane,
    _taken: OwnedSemaphorePermit,
}

impl Place<'_> {
    fn answered(&self) {
        if let Some(circuit) = self.circuits.all().get_mut(self.account) {
            if circuit.silences >= SILENCES {
                tracing::info!(account = self.account, "a gateway answers again");
                gauge!("dispense_gateway_silent", "account" => self.account.to_owned()).set(0);
            }
            circuit.silences = 0;
            circuit.open_until = None;
        }
    }

    fn silent(&self) {
        if let Some(circuit) = self.circuits.all().get_mut(self.account) {
            circuit.silences = circuit.silences.saturating_add(1);
            let Some(further) = circuit.silences.checked_sub(SILENCES) else { return };
            let pause = FIRST.saturating_mul(1 << further.min(8)).min(LONGEST);
            circuit.open_until = Some(Instant::now() + pause);
            tracing::warn!(
                account = self.account,
                seconds = pause.as_secs(),
                "a gateway is silent; it is left alone"
            );
            gauge!("dispense_gateway_silent", "account" => self.account.to_owned()).set(1);
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        gauge!("dispense_gateway_calls", "account" => self.account.to_owned(), "lane" => self.lane.name())
            .decrement(1);
    }
}
