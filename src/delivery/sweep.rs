//! What the worker calls now and then.

use crate::base::outcome::Fault;
use crate::delivery::store;
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
