use diesel_async::AsyncPgConnection;

use crate::base::actor::Person;
use crate::base::ids::{SessionId, UserId};
use crate::base::outcome::{Fault, Outcome};
use crate::base::secret::Secret;
use crate::infra::effects::events as event_rows;
use crate::infra::kit::Kit;
use crate::people::{error, events, read, refresh_token, store};

/// Signs out one of the person's sessions, the present one when none is named. One that has ended already stays so;
/// one of another person is `NOT_FOUND`.
pub async fn revoke_session(kit: &Kit, person: &Person, session: Option<SessionId>) -> Outcome<()> {
    let session = session.unwrap_or(person.session_id);
    let mut tx = kit.db.begin().await?;
    if session != person.session_id {
        let own = read::sessions(&mut tx, person.user_id).await?;
        if !own.iter().any(|s| s.id == session) {
            return Err(error::session_not_found().into());
        }
    }
    end_session(&mut tx, session, person.user_id.to_string()).await?;
    tx.commit().await?;
    Ok(())
}

/// Signs out the device that holds this refresh token. An unknown token is no error: it is signed out.
pub async fn revoke_session_of_token(kit: &Kit, token: &Secret) -> Outcome<()> {
    let Some(digest) = refresh_token::digest(token) else { return Ok(()) };
    let mut tx = kit.db.begin().await?;
    if let Some(session) = store::lock_session(&mut tx, &digest).await? {
        let family = store::get_family(&mut tx, session).await?;
        end_session(&mut tx, session, family.user_id.to_string()).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Signs out everywhere, here too. How many sessions were open.
pub async fn revoke_all_sessions(kit: &Kit, person: &Person) -> Outcome<usize> {
    let mut tx = kit.db.begin().await?;
    store::advance_generation(&mut tx, person.user_id).await?;
    let ended =
        end_sessions(&mut tx, person.user_id, None, &person.user_id.to_string(), "signed_out").await?;
    tx.commit().await?;
    Ok(ended)
}

async fn end_session(conn: &mut AsyncPgConnection, session: SessionId, actor: String) -> Result<(), Fault> {
    if store::advance_revoked(conn, session, "signed_out").await? {
        event_rows::append(conn, &[events::session_ended(session, actor, "signed_out")]).await?;
    }
    Ok(())
}

/// Ends a person's sessions but `keep`, with an event for each.
pub(super) async fn end_sessions(
    conn: &mut AsyncPgConnection,
    user: UserId,
    keep: Option<SessionId>,
    actor: &str,
    reason: &'static str,
) -> Result<usize, Fault> {
    let ended = store::advance_all_revoked(conn, user, keep, reason).await?;
    let facts: Vec<_> = ended.iter().map(|id| events::session_ended(*id, actor.to_owned(), reason)).collect();
    event_rows::append(conn, &facts).await?;
    Ok(ended.len())
}
