//! The true figures, for those who sell.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Bool, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::{LineId, OrderId, SellerId, VariantId};
use crate::base::page::{Page, PageArgs};
use crate::goods::{self, Supply};
use crate::infra::db::statement::Statement;
use crate::infra::db::total;
use crate::orders::UnitState;

/// How many keys of a variant there are.
#[derive(Clone, Debug, QueryableByName)]
pub struct VariantStock {
    #[diesel(sql_type = SqlUuid)]
    pub variant_id: VariantId,
    #[diesel(sql_type = Text)]
    pub kind: String,
    #[diesel(sql_type = BigInt)]
    pub available: i64,
    /// Held for lines that are not paid.
    #[diesel(sql_type = BigInt)]
    pub reserved: i64,
    #[diesel(sql_type = BigInt)]
    pub sold: i64,
    /// Paid pieces that wait for keys.
    #[diesel(sql_type = BigInt)]
    pub waiting: i64,
    /// At or under the variant's own threshold.
    #[diesel(sql_type = Bool)]
    pub low: bool,
}

/// Sort values of a row.
pub fn stock_keys(stock: &VariantStock) -> Vec<String> {
    vec![stock.variant_id.to_string()]
}

/// Each count goes by a partial index of its own.
const STOCK: &str = "select v.id as variant_id, v.kind, k.available, r.reserved, s.sold, u.waiting,
    v.kind = any($1) and k.available <= v.low_stock_threshold as low
  from variant v
  cross join lateral (select count(*) as available from vault_key
    where variant_id = v.id and state = 'available' and expires_at > app_now()) k
  cross join lateral (select count(*) as reserved from vault_key where variant_id = v.id and state = 'reserved') r
  cross join lateral (select count(*) as sold from vault_key where variant_id = v.id and state = 'sold') s
  cross join lateral (select count(*) as waiting from unit where variant_id = v.id and state = 'awaiting_stock') u
  where v.state = 'active' and v.seller_id = any($2)";

/// Whether the keys of a variant are few: they are counted no further than to one above the threshold.
const IS_LOW: &str = "v.low_stock_threshold >= (select count(*) from (select 1 from vault_key k
    where k.variant_id = v.id and k.state = 'available' and k.expires_at > app_now()
    order by k.expires_at, k.pos limit v.low_stock_threshold + 1) counted)";

/// How many such variants there are; none above 10,000. Keys are counted only where the list is narrowed by them.
pub async fn count_stock(
    conn: &mut AsyncPgConnection,
    sellers: &[SellerId],
    low: bool,
) -> QueryResult<Option<i64>> {
    let mut query = Statement::new("select 1 from variant v where v.state = 'active' and v.seller_id = any(");
    query.push_bind::<Array<SqlUuid>, _>(sellers.iter().map(|s| s.0).collect::<Vec<_>>()).push(")");
    if low {
        query.push(" and v.kind = any(").push_bind::<Array<Text>, _>(goods::codes_of(Supply::Keys));
        query.push(") and ").push(IS_LOW);
    }
    total::count(conn, query).await
}

/// The active variants of these sellers with what there is of them, the newest first; only the short ones when asked.
pub async fn list_stock(
    conn: &mut AsyncPgConnection,
    sellers: &[SellerId],
    low: bool,
    args: &PageArgs,
) -> QueryResult<Page<VariantStock>> {
    let mut query = Statement::new(STOCK)
        .bind::<Array<Text>, _>(goods::codes_of(Supply::Keys))
        .bind::<Array<SqlUuid>, _>(sellers.iter().map(|s| s.0).collect::<Vec<_>>());
    if low {
        query.push(" and v.kind = any($1) and ").push(IS_LOW);
    }
    let (compare, direction) = if args.backwards { (">", "asc") } else { ("<", "desc") };
    let from = args.from.as_deref().and_then(|keys| VariantId::parse(keys.iter().next()?).ok());
    if let Some(from) = from {
        query.push(&format!(" and v.id {compare} ")).push_bind::<SqlUuid, _>(from);
    }
    query.push(&format!(" order by v.id {direction} limit ")).push_bind::<BigInt, _>(args.size + 1);
    Ok(Page::cut(query.load(conn).await?, args))
}

/// When goods are expected for pieces of a line that wait in this state.
#[derive(Clone, Debug, QueryableByName)]
pub struct ExpectedGoods {
    #[diesel(sql_type = SqlUuid)]
    pub order_id: OrderId,
    #[diesel(sql_type = SqlUuid)]
    pub line_id: LineId,
    #[diesel(sql_type = Text)]
    pub state: UnitState,
    #[diesel(sql_type = Timestamptz)]
    pub at: DateTime<Utc>,
}

const EXPECTED: &str = "select w.order_id, w.line_id, w.state, min(w.at) as at from (
    select u.order_id, u.line_id, u.state, v.restock_expected_at as at from unit u join variant v on v.id = u.variant_id
      where u.order_id = any($1) and u.superseded_by is null and u.state = 'awaiting_stock'
    union all
    select u.order_id, u.line_id, u.state, greatest(p.next_at, s.open_until) from unit u
      join supplier_purchase p on p.unit_id = u.id and p.state in ('queued', 'sending', 'pending', 'unknown')
      join supplier s on s.id = p.supplier_id
      where u.order_id = any($2) and u.superseded_by is null and u.state = 'awaiting_supplier') w
  where w.at is not null group by w.order_id, w.line_id, w.state";

/// When goods are expected that these orders wait for: new stock by the word of its seller, bought ones when the supplier is
/// called next. Where nothing is known there is no row; a time may have passed.
pub async fn list_expected(
    conn: &mut AsyncPgConnection,
    orders: &[OrderId],
) -> QueryResult<Vec<ExpectedGoods>> {
    let ids: Vec<_> = orders.iter().map(|id| id.0).collect();
    Statement::new(EXPECTED)
        .bind::<Array<SqlUuid>, _>(ids.clone())
        .bind::<Array<SqlUuid>, _>(ids)
        .load(conn)
        .await
}
