//! What the worker calls now and then.

use crate::base::outcome::Fault;
use crate::files::upload;
use crate::infra::kit::Kit;

/// Ends uploads whose time has passed and removes contents that belong to nothing; how many uploads ended. Each hour
/// is often enough.
pub async fn remove_leftovers(kit: &Kit) -> Result<usize, Fault> {
    upload::expire_uploads(kit).await
}
