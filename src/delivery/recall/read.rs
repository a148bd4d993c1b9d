//! Questions about recalls.

use diesel::sql_types::{BigInt, Nullable, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::{BatchId, RecallId, UnitId};
use crate::delivery::recall::model::{RecallPieceRow, RecallRow};
use crate::infra::db::statement::Statement;

/// A [`RecallRow`]: what became of its pieces is counted when it is asked for, so that a successor that got its goods, or a
/// refund that failed, is counted as what it is now.
macro_rules! recall {
    ($where:literal) => {
        concat!(
            "select r.id, r.batch_id, r.seller_id, r.action, r.reason, r.requested_by, r.frozen, r.holders, r.created_at, \
               r.finished_at, c.open, c.replaced, c.waiting, c.refunded, c.skipped, c.failed \
             from batch_recall r cross join lateral (select \
                 count(*) filter (where p.state = 'open') as open, \
                 count(*) filter (where p.state = 'replaced' and not coalesce(s.state like 'awaiting%', false)) as replaced, \
                 count(*) filter (where p.state = 'replaced' and coalesce(s.state like 'awaiting%', false)) as waiting, \
                 count(*) filter (where p.state = 'refunded' and f.state <> 'failed') as refunded, \
                 count(*) filter (where p.state = 'skipped') as skipped, \
                 count(*) filter (where p.state = 'failed' or (p.state = 'refunded' and f.state = 'failed')) as failed \
               from recall_piece p left join unit s on s.id = p.successor_id left join refund f on f.id = p.refund_id \
               where p.recall_id = r.id) c where ",
            $where
        )
    };
}

pub async fn find(conn: &mut AsyncPgConnection, id: RecallId) -> QueryResult<Option<RecallRow>> {
    Statement::new(recall!("r.id = $1")).bind::<SqlUuid, _>(id.0).get_result(conn).await.optional()
}

/// The recall of a batch.
pub async fn find_of_batch(conn: &mut AsyncPgConnection, id: BatchId) -> QueryResult<Option<RecallRow>> {
    Statement::new(recall!("r.batch_id = $1")).bind::<SqlUuid, _>(id.0).get_result(conn).await.optional()
}

const PIECES: &str = "select p.unit_id, u.line_id, u.order_id, p.state, p.successor_id, p.refund_id, p.code \
    from (select $1::uuid as recall_id, $2::uuid as after) w join recall_piece p on p.recall_id = w.recall_id \
      join unit u on u.id = p.unit_id \
    where w.after is null or p.unit_id > w.after order by p.unit_id limit $3";

/// Pieces of a recall, after the given one.
pub async fn list_pieces(
    conn: &mut AsyncPgConnection,
    id: RecallId,
    after: Option<UnitId>,
    limit: i64,
) -> QueryResult<Vec<RecallPieceRow>> {
    Statement::new(PIECES)
        .bind::<SqlUuid, _>(id.0)
        .bind::<Nullable<SqlUuid>, _>(after.map(|unit| unit.0))
        .bind::<BigInt, _>(limit)
        .load(conn)
        .await
}

const TROUBLES: &str = "select p.unit_id, u.line_id, u.order_id, p.state, p.successor_id, p.refund_id, \
      coalesce(p.code, f.failure_code, 'REFUND_FAILED') as code \
    from (select $1::uuid as recall_id, $2::uuid as after) w join recall_piece p on p.recall_id = w.recall_id \
      join unit u on u.id = p.unit_id left join refund f on f.id = p.refund_id \
    where (p.state = 'failed' or f.state = 'failed') and (w.after is null or p.unit_id > w.after) \
    order by p.unit_id limit $3";

/// Those of them that a person has to look at.
pub async fn list_troubles(
    conn: &mut AsyncPgConnection,
    id: RecallId,
    after: Option<UnitId>,
    limit: i64,
) -> QueryResult<Vec<RecallPieceRow>> {
    Statement::new(TROUBLES)
        .bind::<SqlUuid, _>(id.0)
        .bind::<Nullable<SqlUuid>, _>(after.map(|unit| unit.0))
        .bind::<BigInt, _>(limit)
        .load(conn)
        .await
}
