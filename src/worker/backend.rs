//! What jobs and sweeps call.

use std::sync::Arc;

use crate::hooks::kit::HookKit;
use crate::infra::kit::Kit;
use crate::leads_to_kit;
use crate::payments::kit::PaymentKit;

/// The features behind the reactions and the schedule.
pub struct WorkerBackend {
    pub kit: Arc<Kit>,
    pub payments: Arc<PaymentKit>,
    pub hooks: Arc<HookKit>,
}

leads_to_kit!(WorkerBackend);
