//! SQL of what a restore takes out of sale.

use std::sync::LazyLock;

use diesel::QueryResult;
use diesel::sql_types::{BigInt, Integer, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::VariantId;
use crate::infra::db::statement::Statement;
use crate::vault::model::VariantCount;
use crate::vault::state::{KeyChange, KeyMove, KeyState};

static FREEZE: LazyLock<String> = LazyLock::new(|| {
    const AVAILABLE: KeyMove = KeyMove::new(KeyState::Available, KeyChange::Freeze);
    const RESERVED: KeyMove = KeyMove::new(KeyState::Reserved, KeyChange::Freeze);
    format!(
        "with frozen as (
           update vault_key set state = '{}', frozen_by_epoch = $1, reserved_line_id = null, reserved_until = null
            where state in ('{}', '{}') returning variant_id, seller_id)
         select variant_id, seller_id, count(*)::bigint as keys from frozen group by 1, 2 order by 1",
        AVAILABLE.to, AVAILABLE.from, RESERVED.from
    )
});

/// Takes all that may be sold out of sale, in one statement that may take its time.
pub(super) async fn advance_to_frozen(
    conn: &mut AsyncPgConnection,
    epoch: i32,
) -> QueryResult<Vec<VariantCount>> {
    Statement::new("set local statement_timeout = '15min'").execute(conn).await?;
    Statement::new(&FREEZE).bind::<Integer, _>(epoch).load(conn).await
}

/// In the order in which they would have been sold.
static THAW: LazyLock<String> = LazyLock::new(|| {
    const THAWED: KeyMove = KeyMove::new(KeyState::Frozen, KeyChange::Thaw);
    let KeyMove { from, to } = THAWED;
    format!(
        "with frozen as materialized (
           select id, row_number() over (order by expires_at, pos) as place from vault_key
            where variant_id = $1 and state = '{from}' and frozen_by_epoch is not null)
         update vault_key k set state = '{to}', frozen_by_epoch = null
           from frozen f where k.id = f.id and f.place > $2 and k.state = '{from}'"
    )
});

pub(super) async fn advance_to_thawed(
    conn: &mut AsyncPgConnection,
    variant: VariantId,
    but_first: i64,
) -> QueryResult<usize> {
    Statement::new("set local statement_timeout = '15min'").execute(conn).await?;
    Statement::new(&THAW).bind::<SqlUuid, _>(variant).bind::<BigInt, _>(but_first).execute(conn).await
}

const SHELVED: &str = "\
    select k.variant_id, k.seller_id, count(*)::bigint as keys from vault_key k
     where k.state = 'frozen' and k.frozen_by_epoch is not null group by 1, 2 order by 1";

/// How many keys of each variant a restore keeps out of sale.
pub(super) async fn list_frozen(conn: &mut AsyncPgConnection) -> QueryResult<Vec<VariantCount>> {
    Statement::new(SHELVED).load(conn).await
}
