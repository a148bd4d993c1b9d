//! What jobs and sweeps call.

use std::sync::Arc;

use crate::infra::kit::Kit;
use crate::leads_to_kit;
use crate::payments::kit::PaymentKit;

/// The features behind the reactions and the schedule.
pub struct WorkerBackend {
    pub kit: Arc<Kit>,
    pub payments: Arc<PaymentKit>,
}

leads_to_kit!(WorkerBackend);
