//! Takes single keys out of sale while a person looks at them, and does what the person decides.

use diesel_async::AsyncPgConnection;

use crate::base::ids::KeyId;
use crate::base::outcome::Fault;
use crate::infra::effects::events::{self, Event};
use crate::vault::events::{KeyEvent, OfVariant};
use crate::vault::model::ChangedKey;
use crate::vault::state::{KeyChange, KeyState};
use crate::vault::store;

/// Freezes those of the keys that are free and that nobody is just taking. Nobody is waited for.
pub async fn freeze(
    conn: &mut AsyncPgConnection,
    keys: &[KeyId],
    actor: &str,
) -> Result<Vec<ChangedKey>, Fault> {
    advance(conn, keys, KeyState::Available, KeyChange::Freeze, actor).await
}

/// Puts frozen keys back on sale. Whoever calls fills the lines that wait.
pub async fn thaw(
    conn: &mut AsyncPgConnection,
    keys: &[KeyId],
    actor: &str,
) -> Result<Vec<ChangedKey>, Fault> {
    advance(conn, keys, KeyState::Frozen, KeyChange::Thaw, actor).await
}

/// Frozen keys are never sold again.
pub async fn void(
    conn: &mut AsyncPgConnection,
    keys: &[KeyId],
    actor: &str,
) -> Result<Vec<ChangedKey>, Fault> {
    advance(conn, keys, KeyState::Frozen, KeyChange::Void, actor).await
}

async fn advance(
    conn: &mut AsyncPgConnection,
    keys: &[KeyId],
    from: KeyState,
    change: KeyChange,
    actor: &str,
) -> Result<Vec<ChangedKey>, Fault> {
    let to = from.after(change).map_err(|e| Fault::bug(e.to_string()))?;
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
