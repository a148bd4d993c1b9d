//! How many streams are open, in all and from one address.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::infra::shares::{Share, Shares};
use crate::infra::throttle;

/// Seconds after which somebody who found it full asks again.
pub const FULL_AGAIN: u32 = 10;

/// Shares open streams.
#[derive(Debug)]
pub struct StreamSlots {
    all: Arc<Semaphore>,
    /// Places of everything that lasts, downloads among it.
    lasting: Arc<Semaphore>,
    by_address: Arc<Shares<IpAddr>>,
}

/// Why nobody may enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// This address has as many streams as it may.
    Address,
    /// The process has.
    Process,
}

/// An open stream, counted until this is dropped.
#[derive(Debug)]
pub struct Entered {
    transport: &'static str,
    _of_all: OwnedSemaphorePermit,
    _lasting: OwnedSemaphorePermit,
    _of_address: Share<IpAddr>,
}

impl StreamSlots {
    /// `lasting`: places of everything that lasts.
    pub fn new(most: usize, most_of_address: usize, lasting: &Arc<Semaphore>) -> Arc<Self> {
        Arc::new(Self {
            all: Arc::new(Semaphore::new(most)),
            lasting: lasting.clone(),
            by_address: Shares::new(most_of_address),
        })
    }

    /// Shares one more stream of this transport.
    ///
    /// # Errors
    /// When there are as many as there may be.
    pub fn enter(&self, address: IpAddr, transport: &'static str) -> Result<Entered, Full> {
        let place = |of: &Arc<Semaphore>| of.clone().try_acquire_owned().map_err(|_| Full::Process);
        let (of_all, lasting) = (place(&self.all)?, place(&self.lasting)?);
        let of_address = self.by_address.enter(throttle::prefix(address)).ok_or(Full::Address)?;
        metrics::gauge!("dispense_live_streams", "transport" => transport).increment(1.0);
        Ok(Entered { transport, _of_all: of_all, _lasting: lasting, _of_address: of_address })
    }
}

impl Entered {
    /// This client does not read what is sent to it.
    pub fn is_slow(&self) {
        metrics::counter!("dispense_live_slow_readers_total", "transport" => self.transport).increment(1);
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        metrics::gauge!("dispense_live_streams", "transport" => self.transport).decrement(1.0);
    }
}
