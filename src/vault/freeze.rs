//! Takes single keys out of sale while a person looks at them, and does what the person decides.

use diesel_async::AsyncPgConnection;
use serde_json::json;

use crate::base::ids::KeyId;
use crate::base::outcome::Fault;
use crate::infra::events::{self, NewEvent};
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
    let kind = match change {
        KeyChange::Freeze => "key.frozen",
        KeyChange::Thaw => "key.thawed",
        _ => "key.voided",
    };
    let fact = |key: &ChangedKey| {
        let body = json!({ "variant": key.variant_id.to_string() });
        NewEvent::shop(kind, key.id.0, actor, body).of_seller(key.seller_id)
    };
    events::append(conn, &changed.iter().map(fact).collect::<Vec<_>>()).await?;
    Ok(changed)
}
