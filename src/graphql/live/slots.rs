//! How many streams are open, in all and from one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::infra::throttle;

/// Seconds after which somebody who found it full asks again.
pub const FULL_AGAIN: u32 = 10;

/// Counts open streams.
#[derive(Debug)]
pub struct StreamSlots {
    most: usize,
    most_of_address: usize,
    open: Mutex<OpenStreams>,
}

#[derive(Debug, Default)]
struct OpenStreams {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
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
    slots: Arc<StreamSlots>,
    address: IpAddr,
    transport: &'static str,
}

impl StreamSlots {
    pub fn new(most: usize, most_of_address: usize) -> Arc<Self> {
        Arc::new(Self { most, most_of_address, open: Mutex::default() })
    }

    /// Counts one more stream of this transport.
    ///
    /// # Errors
    /// When there are as many as there may be.
    pub fn enter(self: &Arc<Self>, address: IpAddr, transport: &'static str) -> Result<Entered, Full> {
        let address = throttle::prefix(address);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.all >= self.most {
            return Err(Full::Process);
        }
        let here = open.by_address.entry(address).or_default();
        if *here >= self.most_of_address {
            return Err(Full::Address);
        }
        *here += 1;
        open.all += 1;
        metrics::gauge!("dispense_live_streams", "transport" => transport).increment(1.0);
        Ok(Entered { slots: self.clone(), address, transport })
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
        let mut open = self.slots.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.all = open.all.saturating_sub(1);
        if let Some(here) = open.by_address.get_mut(&self.address) {
            *here -= 1;
            if *here == 0 {
                open.by_address.remove(&self.address);
            }
        }
        metrics::gauge!("dispense_live_streams", "transport" => self.transport).decrement(1.0);
    }
}
