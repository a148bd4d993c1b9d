//! What the worker calls now and then.

use crate::base::outcome::Fault;
use crate::downloads::{store, upload};
use crate::infra::kit::Kit;

/// Closes download sessions whose time has passed; how many. Each minute is often enough: a lapsed session serves
/// nothing even before.
pub async fn close_lapsed_sessions(kit: &Kit) -> Result<usize, Fault> {
    let mut closed = 0;
    loop {
        let mut conn = kit.db.conn().await?;
        let some = store::advance_lapsed(&mut conn, 1_000).await?;
        closed += some;
        if some < 1_000 {
            return Ok(closed);
        }
    }
}

/// Ends uploads whose time has passed and removes contents that belong to nothing; how many uploads ended. Each hour
/// is often enough.
pub async fn remove_leftovers(kit: &Kit) -> Result<usize, Fault> {
    upload::expire_uploads(kit).await
}
