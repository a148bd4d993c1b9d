//! SQL that changes recalls.

use diesel::sql_types::{BigInt, Nullable, Text, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult, QueryableByName};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::{BatchId, RecallId, RefundId, UnitId, UserId};
use crate::delivery::recall::model::{PieceOutcome, RecallAction};
use crate::infra::db::statement::Statement;
use crate::vault::Batch;

/// A recall as it was locked.
#[derive(QueryableByName)]
pub(super) struct LockedRecall {
    #[diesel(sql_type = SqlUuid)]
    pub id: RecallId,
    #[diesel(sql_type = Text)]
    pub action: RecallAction,
}

/// Locks the recall of a batch, if there is one.
pub(super) async fn lock_of_batch(
    conn: &mut AsyncPgConnection,
    id: BatchId,
) -> QueryResult<Option<LockedRecall>> {
    Statement::new("select id, action from batch_recall where batch_id = $1 for update")
        .bind::<SqlUuid, _>(id.0)
        .get_result(conn)
        .await
        .optional()
}

const INSERT: &str = "insert into batch_recall (id, batch_id, seller_id, action, reason, requested_by, frozen, state, finished_at) \
    select w.id, w.batch_id, w.seller_id, w.action, w.reason, w.requested_by, w.frozen, \
      case when w.action = 'list_only' then 'done' else 'running' end, \
      case when w.action = 'list_only' then app_now() end \
    from (select $1::uuid as id, $2::uuid as batch_id, $3::uuid as seller_id, $4::text as action, $5::text as reason, \
      $6::uuid as requested_by, $7::bigint as frozen) w";

pub(super) async fn insert(
    conn: &mut AsyncPgConnection,
    batch: &Batch,
    (id, action): (RecallId, RecallAction),
    reason: &str,
    requested_by: Option<UserId>,
    frozen: i64,
) -> QueryResult<usize> {
    Statement::new(INSERT)
        .bind::<SqlUuid, _>(id.0)
        .bind::<SqlUuid, _>(batch.id.0)
        .bind::<SqlUuid, _>(batch.seller_id.0)
        .bind::<Text, _>(action.as_str())
        .bind::<Text, _>(reason)
        .bind::<Nullable<SqlUuid>, _>(requested_by.map(|user| user.0))
        .bind::<BigInt, _>(frozen)
        .execute(conn)
        .await
}

const INSERT_PIECES: &str = "with w as (select $1::uuid as batch_id, $2::uuid as recall_id, $3::text as state), \
    added as (insert into recall_piece (recall_id, unit_id, key_id, state) \
      select w.recall_id, k.unit_id, k.id, w.state from w join vault_key k on k.batch_id = w.batch_id and k.state = 'sold' \
      returning 1) \
    update batch_recall r set holders = (select count(*) from added) from w where r.id = w.recall_id";

/// Lists the pieces whose buyers hold a key of the batch.
pub(super) async fn insert_pieces(
    conn: &mut AsyncPgConnection,
    batch: BatchId,
    id: RecallId,
    action: RecallAction,
) -> QueryResult<usize> {
    let state = match action {
        RecallAction::ListOnly => PieceOutcome::Listed,
        RecallAction::Replace | RecallAction::Refund => PieceOutcome::Open,
    };
    Statement::new(INSERT_PIECES)
        .bind::<SqlUuid, _>(batch.0)
        .bind::<SqlUuid, _>(id.0)
        .bind::<Text, _>(state.as_str())
        .execute(conn)
        .await
}

const ADVANCE_ACTION: &str = "with w as (select $1::uuid as id, $2::text as action, $3::text as reason, $4::uuid as requested_by), \
    opened as (update recall_piece p set state = 'open' from w where p.recall_id = w.id and p.state = 'listed') \
    update batch_recall r set action = w.action, reason = w.reason, requested_by = w.requested_by, state = 'running', \
      finished_at = null from w where r.id = w.id and r.action = 'list_only'";

/// Those who were only listed are to get something.
pub(super) async fn advance_action(
    conn: &mut AsyncPgConnection,
    id: RecallId,
    action: RecallAction,
    reason: &str,
    requested_by: Option<UserId>,
) -> QueryResult<usize> {
    Statement::new(ADVANCE_ACTION)
        .bind::<SqlUuid, _>(id.0)
        .bind::<Text, _>(action.as_str())
        .bind::<Text, _>(reason)
        .bind::<Nullable<SqlUuid>, _>(requested_by.map(|user| user.0))
        .execute(conn)
        .await
}

#[derive(QueryableByName)]
struct NextPiece {
    #[diesel(sql_type = SqlUuid)]
    unit_id: UnitId,
}

/// The next piece that is to be handled: one that failed to be comes after the others.
pub(super) async fn next_open(conn: &mut AsyncPgConnection, id: RecallId) -> QueryResult<Option<UnitId>> {
    let row: Option<NextPiece> = Statement::new(
        "select unit_id from recall_piece where recall_id = $1 and state = 'open' order by tries, unit_id limit 1",
    )
    .bind::<SqlUuid, _>(id.0)
    .get_result(conn)
    .await
    .optional()?;
    Ok(row.map(|row| row.unit_id))
}

/// Locks a piece that is open; none: somebody else has handled it.
pub(super) async fn lock_open(
    conn: &mut AsyncPgConnection,
    id: RecallId,
    unit: UnitId,
) -> QueryResult<Option<UnitId>> {
    let row: Option<NextPiece> = Statement::new(
        "select unit_id from recall_piece where recall_id = $1 and unit_id = $2 and state = 'open' for update",
    )
    .bind::<SqlUuid, _>(id.0)
    .bind::<SqlUuid, _>(unit.0)
    .get_result(conn)
    .await
    .optional()?;
    Ok(row.map(|row| row.unit_id))
}

/// What became of an open piece.
#[derive(Default)]
pub(super) struct Handled<'a> {
    pub successor: Option<UnitId>,
    pub refund: Option<RefundId>,
    pub code: Option<&'a str>,
}

const ADVANCE: &str = "update recall_piece p set state = w.state, successor_id = w.successor, refund_id = w.refund, \
    code = w.code, handled_at = app_now() \
  from (select $1::uuid as recall_id, $2::uuid as unit_id, $3::text as state, $4::uuid as successor, $5::uuid as refund, \
    $6::text as code) w \
  where p.recall_id = w.recall_id and p.unit_id = w.unit_id and p.state = 'open'";

pub(super) async fn advance(
    conn: &mut AsyncPgConnection,
    (id, unit): (RecallId, UnitId),
    to: PieceOutcome,
    handled: &Handled<'_>,
) -> QueryResult<usize> {
    Statement::new(ADVANCE)
        .bind::<SqlUuid, _>(id.0)
        .bind::<SqlUuid, _>(unit.0)
        .bind::<Text, _>(to.as_str())
        .bind::<Nullable<SqlUuid>, _>(handled.successor.map(|unit| unit.0))
        .bind::<Nullable<SqlUuid>, _>(handled.refund.map(|refund| refund.0))
        .bind::<Nullable<Text>, _>(handled.code)
        .execute(conn)
        .await
}

const TRIED: &str = "update recall_piece p set tries = p.tries + 1, \
    state = case when p.tries + 1 >= w.most then 'failed' else p.state end, \
    code = case when p.tries + 1 >= w.most then 'INTERNAL' end, \
    handled_at = case when p.tries + 1 >= w.most then app_now() end \
  from (select $1::uuid as recall_id, $2::uuid as unit_id, $3::bigint as most) w \
  where p.recall_id = w.recall_id and p.unit_id = w.unit_id and p.state = 'open'";

/// Counts that a fault kept a piece from being handled; after so many it is a person's.
pub(super) async fn advance_tried(
    conn: &mut AsyncPgConnection,
    id: RecallId,
    unit: UnitId,
    most: i64,
) -> QueryResult<usize> {
    Statement::new(TRIED)
        .bind::<SqlUuid, _>(id.0)
        .bind::<SqlUuid, _>(unit.0)
        .bind::<BigInt, _>(most)
        .execute(conn)
        .await
}

const FINISH: &str = "update batch_recall r set state = 'done', finished_at = app_now() \
    where r.id = $1 and r.state = 'running' \
      and not exists (select 1 from recall_piece p where p.recall_id = r.id and p.state = 'open')";

/// Ends a recall all of whose pieces were handled. 0: it has ended before, or some are open.
pub(super) async fn advance_finished(conn: &mut AsyncPgConnection, id: RecallId) -> QueryResult<usize> {
    Statement::new(FINISH).bind::<SqlUuid, _>(id.0).execute(conn).await
}

#[derive(QueryableByName)]
struct Forgotten {
    #[diesel(sql_type = SqlUuid)]
    id: RecallId,
}

const FORGOTTEN: &str = "select r.id from (select $1::text as kind) w join batch_recall r on r.state = 'running' \
    where not exists (select 1 from job j where j.kind = w.kind and j.state in ('queued', 'running') \
      and j.payload ->> 'recall' = r.id::text) order by r.created_at limit 100";

/// Recalls that go on and have no job: it was given up after many faults.
pub(super) async fn list_forgotten(conn: &mut AsyncPgConnection, kind: &str) -> QueryResult<Vec<RecallId>> {
    let rows: Vec<Forgotten> = Statement::new(FORGOTTEN).bind::<Text, _>(kind).load(conn).await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

#[derive(QueryableByName)]
struct OpenPieces {
    #[diesel(sql_type = BigInt)]
    open: i64,
}

/// Pieces of a recall that have not been seen to.
pub(super) async fn count_open(conn: &mut AsyncPgConnection, id: RecallId) -> QueryResult<i64> {
    let row: OpenPieces =
        Statement::new("select count(*) as open from recall_piece where recall_id = $1 and state = 'open'")
            .bind::<SqlUuid, _>(id.0)
            .get_result(conn)
            .await?;
    Ok(row.open)
}
