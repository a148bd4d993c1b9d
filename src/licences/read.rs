//! Questions about licences.

use diesel::sql_types::{Array, Bytea, Nullable, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::{ActivationId, KeyId, ProductId, SellerId, UnitId};
use crate::infra::db::statement::Statement;
use crate::infra::seal::Sealer;
use crate::licences::model::{Activation, ActivationRow, LicenceRow, Owned, SellerRow};

/// One question about a key `k`, its variant `v`, and its use `a` on a device.
macro_rules! licence {
    ($from:literal, $where:literal) => {
        concat!(
            "select k.id as key_id, k.seller_id, v.product_id, k.variant_id, k.state as key_state, \
               nullif(k.expires_at, 'infinity') as expires_at, k.sold_at, k.unit_id, u.order_id, \
               u.state as unit_state, o.state as order_state, \
               (select h.cause from hold h where h.order_id = u.order_id and (h.unit_id is null or h.unit_id = u.id) \
                 order by h.cause <> 'refund', h.cause limit 1) as hold, \
               exists (select 1 from payment p where p.order_id = u.order_id and p.allocated and p.lost_minor > 0) as is_lost, \
               l.terms as bought, v.terms as offered, \
               (select count(*) from licence_activation c where c.unit_id = k.unit_id and c.removed_at is null) as used, \
               app_now() as now, a.id as activation_id, a.name, a.metadata, a.activated_at, a.last_seen_at ",
            $from,
            " left join unit u on u.id = k.unit_id left join orders o on o.id = u.order_id \
              left join order_line l on l.id = u.line_id \
              left join licence_activation a on a.unit_id = k.unit_id and a.device = w.device and a.removed_at is null ",
            $where
        )
    };
}

/// A key by its text: under the present definition of texts, or, where nobody computed that yet, under the earlier one. What
/// is the same text is for its variant to say, hence two fingerprints of each.
const BY_TEXT: &str = licence!(
    "from (select $1::uuid as product_id, $2::uuid as seller_id, $3::bytea as exact, $4::bytea as folded, \
         $5::bytea as exact_before, $6::bytea as folded_before, $7::bytea as device) w \
       cross join lateral (select id from vault_key where seller_id = w.seller_id and fp_next in (w.exact, w.folded) \
         union all select id from vault_key where seller_id = w.seller_id \
           and fp in (w.exact_before, w.folded_before) and fp_next is null) found \
       join vault_key k on k.id = found.id \
       join variant v on v.id = k.variant_id and v.product_id = w.product_id",
    "where case when k.fp_next is not null then k.fp_next = (case when v.fold_case then w.folded else w.exact end) \
       else k.fp = (case when v.fold_case then w.folded_before else w.exact_before end) end limit 1"
);

const BY_KEY: &str = licence!(
    "from (select $1::uuid as key_id, $2::bytea as device) w join vault_key k on k.id = w.key_id \
       join variant v on v.id = k.variant_id",
    ""
);

const OF_UNITS: &str = licence!(
    "from (select null::bytea as device) w cross join vault_key k join variant v on v.id = k.variant_id",
    "where k.unit_id = any($1::uuid[])"
);

/// The fingerprints under which a key's text may be stored.
pub struct Prints {
    seller: SellerId,
    exact: [u8; 32],
    folded: [u8; 32],
    exact_before: [u8; 32],
    folded_before: [u8; 32],
}

impl Prints {
    pub fn of(sealer: &Sealer, seller: SellerId, text: &str) -> Self {
        Self {
            seller,
            exact: sealer.fingerprint(seller.0, text, false),
            folded: sealer.fingerprint(seller.0, text, true),
            exact_before: sealer.fingerprint_before(seller.0, text, false),
            folded_before: sealer.fingerprint_before(seller.0, text, true),
        }
    }
}

/// Who sells a product.
pub async fn find_seller(conn: &mut AsyncPgConnection, product: ProductId) -> QueryResult<Option<SellerId>> {
    let row: Option<SellerRow> = Statement::new("select seller_id from product where id = $1")
        .bind::<SqlUuid, _>(product.0)
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.map(|row| row.seller_id))
}

/// A key of a product by its text, with its use on a device.
pub async fn find_by_text(
    conn: &mut AsyncPgConnection,
    product: ProductId,
    prints: &Prints,
    device: Option<[u8; 32]>,
) -> QueryResult<Option<LicenceRow>> {
    Statement::new(BY_TEXT)
        .bind::<SqlUuid, _>(product.0)
        .bind::<SqlUuid, _>(prints.seller.0)
        .bind::<Bytea, _>(prints.exact.to_vec())
        .bind::<Bytea, _>(prints.folded.to_vec())
        .bind::<Bytea, _>(prints.exact_before.to_vec())
        .bind::<Bytea, _>(prints.folded_before.to_vec())
        .bind::<Nullable<Bytea>, _>(device.map(|digest| digest.to_vec()))
        .get_result(conn)
        .await
        .optional()
}

/// The same by the key's id.
pub async fn find_by_key(
    conn: &mut AsyncPgConnection,
    key: KeyId,
    device: [u8; 32],
) -> QueryResult<Option<LicenceRow>> {
    Statement::new(BY_KEY)
        .bind::<SqlUuid, _>(key.0)
        .bind::<Bytea, _>(device.to_vec())
        .get_result(conn)
        .await
        .optional()
}

/// The keys of pieces; pieces without one are left out.
pub async fn list_of_units(conn: &mut AsyncPgConnection, units: &[UnitId]) -> QueryResult<Vec<LicenceRow>> {
    let units: Vec<_> = units.iter().map(|unit| unit.0).collect();
    Statement::new(OF_UNITS).bind::<Array<SqlUuid>, _>(units).load(conn).await
}

const ACTIVE: &str = "select a.id, a.unit_id, a.name, a.metadata, a.activated_at, a.last_seen_at \
    from (select distinct w.id, w.most from (select unnest($1::uuid[]) as id, 100 as most) w) w \
      cross join lateral (select c.* from licence_activation c where c.unit_id = w.id and c.removed_at is null \
        order by c.activated_at desc, c.id desc limit w.most) a \
    order by a.unit_id, a.activated_at desc, a.id desc";

/// The devices on which the keys of pieces are used: of each piece the hundred newest, the newest first.
pub async fn list_activations(
    conn: &mut AsyncPgConnection,
    units: &[UnitId],
) -> QueryResult<Vec<Activation>> {
    let units: Vec<_> = units.iter().map(|unit| unit.0).collect();
    Statement::new(ACTIVE).bind::<Array<SqlUuid>, _>(units).load(conn).await
}

/// An activation that was not removed.
pub async fn find_activation(
    conn: &mut AsyncPgConnection,
    id: ActivationId,
) -> QueryResult<Option<Activation>> {
    Statement::new(
        "select id, unit_id, name, metadata, activated_at, last_seen_at from licence_activation \
         where id = $1 and removed_at is null",
    )
    .bind::<SqlUuid, _>(id.0)
    .get_result(conn)
    .await
    .optional()
}

/// Whose an activation is, active or not.
pub async fn find_owner(conn: &mut AsyncPgConnection, id: ActivationId) -> QueryResult<Option<Owned>> {
    Statement::new(
        "select a.id, a.key_id, a.unit_id, u.line_id, u.order_id, a.seller_id \
         from licence_activation a join unit u on u.id = a.unit_id where a.id = $1",
    )
    .bind::<SqlUuid, _>(id.0)
    .get_result(conn)
    .await
    .optional()
}

/// The last activation of a device that was removed.
pub async fn find_removed(
    conn: &mut AsyncPgConnection,
    unit: UnitId,
    device: [u8; 32],
) -> QueryResult<Option<ActivationId>> {
    let row: Option<ActivationRow> = Statement::new(
        "select id from licence_activation where unit_id = $1 and device = $2 and removed_at is not null \
         order by removed_at desc, id desc limit 1",
    )
    .bind::<SqlUuid, _>(unit.0)
    .bind::<Bytea, _>(device.to_vec())
    .get_result(conn)
    .await
    .optional()?;
    Ok(row.map(|row| row.id))
}
