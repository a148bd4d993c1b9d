//! What the handlers of REST call.

use std::sync::Arc;

use crate::delivery::kit::DeliveryKit;
use crate::infra::kit::Kit;
use crate::leads_to_kit;
use crate::payments::kit::PaymentKit;
use crate::people::kit::PeopleKit;

/// The features behind the routes, found by handlers as `Data<&Arc<RestBackend>>`.
pub struct RestBackend {
    pub kit: Arc<Kit>,
    pub people: Arc<PeopleKit>,
    pub downloads: Arc<DeliveryKit>,
    pub payments: Arc<PaymentKit>,
}

leads_to_kit!(RestBackend);
