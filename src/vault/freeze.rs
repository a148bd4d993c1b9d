//! Takes single keys out of sale while a person looks at them, and does what the person decides.

use diesel_async::AsyncPgConnection;

use crate::base::ids::KeyId;
use crate::base::outcome::Fault;
use crate::infra::effects::events::{self, Event};
use crate::vault::events::{KeyEvent, OfVariant};
use crate::vault::model::ChangedKey;
use crate::vault::state::{KeyChange, KeyState};
use crate::vault::store;

/// Freezes those of the keys that are free, or held for a line that is not paid, and that nobody is just taking. Nobody is
/// waited for.
pub async fn freeze(
    conn: &mut AsyncPgConnection,
    keys: &[KeyId],
    actor: &str,
) -> Result<Vec<ChangedKey>, Fault> {
    advance(conn, keys, &[KeyState::Available, KeyState::Reserved], KeyChange::Freeze, actor).await
}

/// Puts frozen keys back on sale. Whoever calls fills the lines that wait.
pub async fn thaw(
    conn: &mut AsyncPgConnection,
    keys: &[KeyId],
    actor: &str,
) -> Result<Vec<ChangedKey>, Fault> {
    advance(conn, keys, &[KeyState::Frozen], KeyChange::Thaw, actor).await
}

/// Frozen keys are never sold again.
pub async fn void(
    conn: &mut AsyncPgConnection,
    keys: &[KeyId],
    actor: &str,
) -> Result<Vec<ChangedKey>, Fault> {
    advance(conn, keys, &[KeyState::Frozen], KeyChange::Void, actor).await
}

async fn advance(
    conn: &mut AsyncPgConnection,
    keys: &[KeyId],
    from: &[KeyState],
    change: KeyChange,
    actor: &str,
) -> Result<Vec<ChangedKey>, Fault> {
    let to = match change {
        KeyChange::Freeze => KeyState::Frozen,
        KeyChange::Thaw => KeyState::Available,
        _ => KeyState::Voided,
    };
    if from.iter().any(|state| state.after(change) != Ok(to)) {
        return Err(Fault::bug("keys have no such move"));
    }
    let changed = store::advance_frozen(conn, keys, from, to).await?;
    let made = match change {
        KeyChange::Freeze => KeyEvent::Frozen,
        KeyChange::Thaw => KeyEvent::Thawed,
        _ => KeyEvent::Voided,
    };
    let fact = |key: &ChangedKey| {
        made(key.id, OfVariant { variant: key.variant_id }).by(actor).of_seller(key.seller_id)
    };
    events::append(conn, &changed.iter().map(fact).collect::<Vec<_>>()).await?;
    Ok(changed)
}
