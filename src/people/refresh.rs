//! Rotation of refresh tokens (RFC 9700, 4.14). A token is spent by its first use, which makes its successor. Until
//! the successor is known to have arrived - by a use of it, or of an access token issued with it - the spent token
//! gives out the same successor again, because the answer may have been lost. Afterwards it can only come from a
//! thief, or the successor does: the whole family ends.

use chrono::TimeDelta;
use diesel_async::AsyncPgConnection;
use uuid::Uuid;

use crate::base::ids::SessionId;
use crate::base::outcome::{Fault, Outcome};
use crate::base::secret::Secret;
use crate::infra::effects::events as event_rows;
use crate::people::kit::PeopleKit;
use crate::people::model::{Family, RefreshRow, SignedIn, Tokens};
use crate::people::store::{self, NewRefresh};
use crate::people::token::Access;
use crate::people::{error, events, refresh_token};

/// The next tokens of a session. `REFRESH_TOKEN_INVALID`: unknown, or its session has ended. `REFRESH_TOKEN_REUSED`:
/// this call ended it.
pub async fn refresh(kit: &PeopleKit, token: &Secret) -> Outcome<SignedIn> {
    let digest = refresh_token::digest(token).ok_or_else(error::refresh_invalid)?;
    let mut tx = kit.db.begin().await?;
    let session = store::lock_session(&mut tx, &digest).await?.ok_or_else(error::refresh_invalid)?;
    let family = store::get_family(&mut tx, session).await?;
    let presented = store::get_refresh(&mut tx, &digest).await?;
    if !family.alive {
        return Err(error::refresh_invalid().into());
    }
    let next = match presented.successor_id {
        None => spend(kit, &mut tx, session, &family, &presented).await?,
        Some(successor) => give_again(kit, &mut tx, successor).await?,
    };
    let Some(next) = next else {
        store::advance_revoked(&mut tx, session, "refresh_reused").await?;
        event_rows::append(&tx, &[events::refresh_reused(session, family.user_id)]).await?;
        tx.commit().await?;
        return Err(error::refresh_reused().into());
    };
    if next.expires_at <= kit.clock.now() {
        return Err(error::refresh_invalid().into());
    }
    store::advance_used(&mut tx, session).await?;
    tx.commit().await?;

    let access = Access {
        user_id: family.user_id,
        session_id: session,
        refresh_id: next.id,
        generation: family.generation,
    };
    let (token, access_expires_at) = kit.access_tokens.issue(&access, kit.clock.now())?;
    let tokens =
        Tokens { access: token, access_expires_at, refresh: next.text, refresh_expires_at: next.expires_at };
    Ok(SignedIn { user_id: family.user_id, session_id: session, tokens })
}

struct Next {
    id: Uuid,
    text: Secret,
    expires_at: chrono::DateTime<chrono::Utc>,
}

/// The first use of a token: makes its successor. A token that was idle for too long is refused.
async fn spend(
    kit: &PeopleKit,
    conn: &mut AsyncPgConnection,
    session_id: SessionId,
    family: &Family,
    presented: &RefreshRow,
) -> Outcome<Option<Next>> {
    let now = kit.clock.now();
    if presented.expires_at <= now {
        return Err(error::refresh_invalid().into());
    }
    let text = refresh_token::generate();
    let id = kit.clock.uuid();
    let sealed =
        kit.sealer.seal_small(refresh_token::SEALED, id, text.expose().as_bytes()).map_err(Fault::from)?;
    let row = NewRefresh {
        id,
        session_id,
        digest: refresh_token::digest(&text).unwrap_or_default(),
        sealed: Some(sealed),
        expires_at: family.expires_at.min(now + TimeDelta::days(kit.config.people.refresh_idle_days)),
    };
    store::insert_refresh(conn, &row).await?;
    if store::advance_spent(conn, presented.id, id).await? != 1 {
        return Err(Fault::bug("a refresh token was spent twice under its session's lock").into());
    }
    Ok(Some(Next { id, text, expires_at: row.expires_at }))
}

/// A later use: the same successor, as long as nobody is known to have it. `None` is reuse.
async fn give_again(kit: &PeopleKit, conn: &mut AsyncPgConnection, successor: Uuid) -> Outcome<Option<Next>> {
    let row = store::get_refresh_of(conn, successor).await?;
    let sealed = match row.sealed {
        Some(sealed) if !row.confirmed && !kit.config.people.strict_refresh => sealed,
        _ => return Ok(None),
    };
    let opened = kit.sealer.open_small(refresh_token::SEALED, row.id, &sealed).map_err(Fault::from)?;
    let text = std::str::from_utf8(&opened).map_err(|e| Fault::bug(e.to_string()))?;
    Ok(Some(Next { id: row.id, text: Secret::new(text), expires_at: row.expires_at }))
}
