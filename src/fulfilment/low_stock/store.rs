//! SQL of the alert about low stock.

use diesel::sql_types::{Array, BigInt, Bool, Text, Uuid as SqlUuid};
use diesel::{QueryResult, QueryableByName};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::{SellerId, VariantId};
use crate::goods::{self, Supply};
use crate::infra::db::statement::Statement;
use crate::infra::stuck::is_put_off;

/// A variant whose stock is on the other side of its threshold than when it was looked at last.
#[derive(Clone, Debug, QueryableByName)]
pub(super) struct Watched {
    #[diesel(sql_type = SqlUuid)]
    pub variant_id: VariantId,
    #[diesel(sql_type = SqlUuid)]
    pub seller_id: SellerId,
    #[diesel(sql_type = BigInt)]
    pub threshold: i64,
    /// Counted to one above the threshold.
    #[diesel(sql_type = BigInt)]
    pub available: i64,
    #[diesel(sql_type = Bool)]
    pub is_low: bool,
}

/// What is retired, or watched no longer, is not low.
const CHANGED: &str = concat!(
    "select w.variant_id, w.seller_id, w.threshold, w.available, w.is_low
      from (select v.id as variant_id, v.seller_id, coalesce(v.low_stock_alert, 0)::bigint as threshold, k.available,
          v.state = 'active' and v.low_stock_alert is not null and k.available <= v.low_stock_alert as is_low,
          coalesce(a.low, false) as was_low
        from variant v left join stock_alert a on a.variant_id = v.id
          cross join lateral (select count(*) as available from (select 1 from vault_key k where k.variant_id = v.id
            and k.state = 'available' and k.expires_at > app_now()
            order by k.expires_at, k.pos limit coalesce(v.low_stock_alert, 0) + 1) counted) k
        where v.kind = any($1) and (v.low_stock_alert is not null or a.low)) w
     where w.is_low <> w.was_low and not ",
    is_put_off!("low_stock", "w.variant_id::text"),
    " order by w.variant_id limit 500"
);

pub(super) async fn list_changed(conn: &mut AsyncPgConnection) -> QueryResult<Vec<Watched>> {
    Statement::new(CHANGED).bind::<Array<Text>, _>(goods::codes_of(Supply::Keys)).load(conn).await
}

const ADVANCE: &str = "\
    insert into stock_alert (variant_id, low) values ($1, $2)
    on conflict (variant_id) do update set low = excluded.low, changed_at = app_now()
     where stock_alert.low <> excluded.low";

/// 0 when it was noted before.
pub(super) async fn advance(
    conn: &mut AsyncPgConnection,
    variant: VariantId,
    low: bool,
) -> QueryResult<usize> {
    Statement::new(ADVANCE).bind::<SqlUuid, _>(variant).bind::<Bool, _>(low).execute(conn).await
}
