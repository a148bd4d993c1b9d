//! What the server passes requests on to.

use std::sync::Arc;

use crate::graphql::context::GraphqlBackend;
use crate::infra::kit::Kit;
use crate::leads_to_kit;
use crate::rest::state::RestBackend;

/// What middleware needs, and what it hands to handlers.
pub struct HttpBackend {
    pub kit: Arc<Kit>,
    pub graphql: Arc<GraphqlBackend>,
    pub rest: Arc<RestBackend>,
}

leads_to_kit!(HttpBackend);
