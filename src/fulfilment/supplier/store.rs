//! How a unit is that something is bought for.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Double, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::{LineId, SellerId, UnitId, VariantId};
use crate::infra::db::statement::Statement;
use crate::orders::UnitState;
use crate::orders::holds::unit_is_held;

/// A unit of a locked order.
#[derive(Clone, Debug, QueryableByName)]
pub(super) struct WaitingUnit {
    #[diesel(sql_type = SqlUuid)]
    pub seller_id: SellerId,
    #[diesel(sql_type = SqlUuid)]
    pub line_id: LineId,
    #[diesel(sql_type = SqlUuid)]
    pub variant_id: VariantId,
    #[diesel(sql_type = Text)]
    pub state: UnitState,
    /// Its money is on its way back, or disputed.
    #[diesel(sql_type = Bool)]
    held: bool,
    #[diesel(sql_type = Bool)]
    paid: bool,
}

impl WaitingUnit {
    /// It wants goods, now or when a hold is lifted.
    pub fn waits(&self) -> bool {
        self.paid && matches!(self.state, UnitState::AwaitingSupplier | UnitState::AwaitingPerson)
    }

    /// It may be given goods at this moment.
    pub fn takes(&self) -> bool {
        self.waits() && !self.held
    }
}

const WAITING: &str = concat!(
    "select u.seller_id, u.line_id, u.variant_id, u.state, o.state in ('paid', 'closed') as paid, ",
    unit_is_held!(),
    " as held
  from unit u join orders o on o.id = u.order_id where u.id = $1 and u.superseded_by is null"
);

pub(super) async fn find(conn: &mut AsyncPgConnection, id: UnitId) -> QueryResult<Option<WaitingUnit>> {
    Statement::new(WAITING).bind::<SqlUuid, _>(id).get_result(conn).await.optional()
}

#[derive(QueryableByName)]
struct UnboughtRow {
    #[diesel(sql_type = SqlUuid)]
    id: UnitId,
}

const UNBOUGHT: &str = "select u.id from (select $1::text as kind) w cross join unit u
  where u.state = 'awaiting_supplier' and u.superseded_by is null and u.waiting_since < app_now() - make_interval(secs => $2)
    and not exists (select 1 from supplier_purchase p where p.unit_id = u.id
      and p.state in ('queued', 'sending', 'pending', 'unknown'))
    and not exists (select 1 from job j where j.kind = w.kind and j.dedupe_key = u.id::text and j.state in ('queued', 'running'))
    and not exists (select 1 from job j join task t on t.kind = 'job_dead' and t.subject = j.id::text and t.state <> 'resolved'
      where j.kind = w.kind and j.dedupe_key = u.id::text and j.state = 'dead')
  order by u.waiting_since limit $3";

/// Units that have waited for a supplier for so many seconds while nothing is bought for them, no job does so, and none that was
/// given up is before a person.
pub(super) async fn list_unbought(
    conn: &mut AsyncPgConnection,
    kind: &str,
    seconds: i32,
    limit: i64,
) -> QueryResult<Vec<UnitId>> {
    let rows: Vec<UnboughtRow> = Statement::new(UNBOUGHT)
        .bind::<Text, _>(kind)
        .bind::<Double, _>(f64::from(seconds))
        .bind::<BigInt, _>(limit)
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}
