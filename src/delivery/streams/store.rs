//! SQL of bodies on their way out, and of what their sessions have served.

use diesel::sql_types::{BigInt, Bool, Uuid as SqlUuid};
use diesel::{QueryResult, QueryableByName};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::base::ids::DownloadSessionId;
use crate::infra::db::statement::Statement;

/// Seconds after which a body of which nothing is heard counts as gone, with its server.
const ALIVE: i64 = 300;

/// One row: what the session may serve holds the whole body, whatever other servers send. The session's row decides, so
/// that two at once see each other.
const RESERVE: &str =
    "with w as (select $1::uuid as id, $2::uuid as session_id, $3::bigint as bytes, $4::bigint as seconds),
  taken as (update download_session s set reserved_bytes = s.reserved_bytes + w.bytes from w
    where s.id = w.session_id and s.closed_at is null
      and s.served_bytes + s.reserved_bytes + w.bytes <= s.byte_cap returning s.id)
  insert into download_stream (id, session_id, bytes_left, alive_until)
  select w.id, w.session_id, w.bytes, app_now() + make_interval(secs => w.seconds) from w join taken on true";

/// Reserves the bytes of a body. False: the session has not so many left.
pub(super) async fn insert_stream(
    conn: &mut AsyncPgConnection,
    id: Uuid,
    session: DownloadSessionId,
    bytes: i64,
) -> QueryResult<bool> {
    let inserted = Statement::new(RESERVE)
        .bind::<SqlUuid, _>(id)
        .bind::<SqlUuid, _>(session)
        .bind::<BigInt, _>(bytes)
        .bind::<BigInt, _>(ALIVE)
        .execute(conn)
        .await?;
    Ok(inserted == 1)
}

#[derive(QueryableByName)]
struct Alive {
    #[diesel(sql_type = Bool)]
    alive: bool,
}

const SENT: &str =
    "with w as (select $1::uuid as id, $2::uuid as session_id, $3::bigint as bytes, $4::bigint as seconds),
  stream as (update download_stream d set bytes_left = d.bytes_left - w.bytes,
      alive_until = app_now() + make_interval(secs => w.seconds) from w where d.id = w.id returning d.id)
  update download_session s set served_bytes = s.served_bytes + w.bytes,
    reserved_bytes = s.reserved_bytes - case when exists (select 1 from stream) then w.bytes else 0 end
  from w where s.id = w.session_id returning exists (select 1 from stream) as alive";

/// Bytes of a body were sent. False: it counted as gone meanwhile, and what it still needs is not reserved any more.
pub(super) async fn advance_sent(
    conn: &mut AsyncPgConnection,
    id: Uuid,
    session: DownloadSessionId,
    bytes: i64,
) -> QueryResult<bool> {
    let row: Alive = Statement::new(SENT)
        .bind::<SqlUuid, _>(id)
        .bind::<SqlUuid, _>(session)
        .bind::<BigInt, _>(bytes)
        .bind::<BigInt, _>(ALIVE)
        .get_result(conn)
        .await?;
    Ok(row.alive)
}

const ENDED: &str = "with w as (select $1::uuid as id, $2::uuid as session_id, $3::bigint as bytes),
  stream as (delete from download_stream d using w where d.id = w.id returning d.bytes_left)
  update download_session s set served_bytes = s.served_bytes + w.bytes,
    reserved_bytes = s.reserved_bytes - coalesce((select bytes_left from stream), 0)
  from w where s.id = w.session_id";

/// A body has ended after so many more bytes; what it did not send is given back.
pub(super) async fn delete_stream(
    conn: &mut AsyncPgConnection,
    id: Uuid,
    session: DownloadSessionId,
    bytes: i64,
) -> QueryResult<usize> {
    Statement::new(ENDED)
        .bind::<SqlUuid, _>(id)
        .bind::<SqlUuid, _>(session)
        .bind::<BigInt, _>(bytes)
        .execute(conn)
        .await
}

const GONE: &str = "with gone as (delete from download_stream where id in (
      select id from download_stream where alive_until < app_now() limit $1 for update skip locked)
    returning session_id, bytes_left),
  given as (select session_id, sum(bytes_left)::bigint as bytes from gone group by session_id)
  update download_session s set reserved_bytes = s.reserved_bytes - given.bytes from given where s.id = given.session_id";

/// Gives back what up to `most` bodies had reserved of which nothing is heard any more. Returns of how many sessions.
pub(super) async fn delete_gone(conn: &mut AsyncPgConnection, most: i64) -> QueryResult<usize> {
    Statement::new(GONE).bind::<BigInt, _>(most).execute(conn).await
}
