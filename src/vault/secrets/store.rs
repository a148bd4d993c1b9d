//! SQL of shared secrets and of single pieces' texts.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Bytea, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::base::ids::{SecretVersionId, SellerId, UnitId, UserId, VariantId};
use crate::infra::db::statement::Statement;

/// A version of a shared secret; its text only sealed.
#[derive(Clone, Debug, QueryableByName)]
pub struct SecretVersion {
    #[diesel(sql_type = SqlUuid)]
    pub id: SecretVersionId,
    #[diesel(sql_type = SqlUuid)]
    pub seller_id: SellerId,
    #[diesel(sql_type = SqlUuid)]
    pub variant_id: VariantId,
    /// From 1.
    #[diesel(sql_type = Integer)]
    pub number: i32,
    #[diesel(sql_type = Timestamptz)]
    pub published_at: DateTime<Utc>,
    #[diesel(sql_type = SqlUuid)]
    pub(super) data_key_id: Uuid,
    #[diesel(sql_type = Bytea)]
    pub(super) sealed: Vec<u8>,
}

/// The variant that a secret is published for.
#[derive(Clone, Debug, QueryableByName)]
pub(super) struct SecretVariant {
    #[diesel(sql_type = SqlUuid)]
    pub seller_id: SellerId,
    #[diesel(sql_type = Text)]
    pub state: String,
}

/// Locks a variant: one version at a time is published, and numbers have no holes.
pub(super) async fn lock_variant(
    conn: &mut AsyncPgConnection,
    id: VariantId,
) -> QueryResult<Option<SecretVariant>> {
    Statement::new("select seller_id, state from variant where id = $1 for no key update")
        .bind::<SqlUuid, _>(id)
        .get_result(conn)
        .await
        .optional()
}

const NEWEST: &str =
    "select id, seller_id, variant_id, number, published_at, data_key_id, sealed from secret_version
  where variant_id = $1 order by number desc limit 1";

/// The version that the next buyer gets.
pub(super) async fn find_newest(
    conn: &mut AsyncPgConnection,
    id: VariantId,
) -> QueryResult<Option<SecretVersion>> {
    Statement::new(NEWEST).bind::<SqlUuid, _>(id).get_result(conn).await.optional()
}

const INSERT: &str =
    "insert into secret_version (id, seller_id, variant_id, number, data_key_id, sealed, published_by)
  values ($1, $2, $3, $4, $5, $6, $7) returning id, seller_id, variant_id, number, published_at, data_key_id, sealed";

/// A version to be written.
pub(super) struct NewSecret {
    pub id: SecretVersionId,
    pub seller_id: SellerId,
    pub variant_id: VariantId,
    pub number: i32,
    pub data_key_id: Uuid,
    pub sealed: Vec<u8>,
    pub published_by: Option<UserId>,
}

pub(super) async fn insert_version(
    conn: &mut AsyncPgConnection,
    new: NewSecret,
) -> QueryResult<SecretVersion> {
    Statement::new(INSERT)
        .bind::<SqlUuid, _>(new.id)
        .bind::<SqlUuid, _>(new.seller_id)
        .bind::<SqlUuid, _>(new.variant_id)
        .bind::<Integer, _>(new.number)
        .bind::<SqlUuid, _>(new.data_key_id)
        .bind::<Bytea, _>(new.sealed)
        .bind::<Nullable<SqlUuid>, _>(new.published_by.map(|user| user.0))
        .get_result(conn)
        .await
}

/// What may be sold of a shared secret.
#[derive(Clone, Copy, Debug, QueryableByName)]
pub struct Offer {
    #[diesel(sql_type = SqlUuid)]
    pub variant_id: VariantId,
    /// The newest; none while nothing was published.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub version_id: Option<SecretVersionId>,
    /// How many pieces are sold at most.
    #[diesel(sql_type = Bool)]
    pub capped: bool,
}

/// Variants with a cap are locked, so that two sales do not both take the last piece; the others are not.
const OFFERS: &str =
    "with capped as materialized (select id from variant where id = any($1) and terms ? 'sale_cap'
    order by id for no key update)
  select w.id as variant_id, w.id in (select id from capped) as capped,
    (select s.id from secret_version s where s.variant_id = w.id order by s.number desc limit 1) as version_id
  from unnest($1::uuid[]) as w(id)";

pub(super) async fn lock_offers(
    mut conn: &AsyncPgConnection,
    variants: &[VariantId],
) -> QueryResult<Vec<Offer>> {
    Statement::new(OFFERS).bind::<Array<SqlUuid>, _>(variants.to_vec()).load(&mut conn).await
}

/// A condition over rows `s` of `unit_secret`: a piece takes part of its variant's cap for as long as somebody may have
/// its text.
macro_rules! takes_part {
    () => {
        "s.version_id is not null and (s.taken_back_at is null or s.revealed_at is not null or s.mailed_at is not null)"
    };
}

/// How many pieces of a variant there are, as SQL.
pub fn taken_of(variant: &str) -> String {
    format!("(select count(*) from unit_secret s where s.variant_id = {variant} and {})", takes_part!())
}

/// How much of a cap is taken.
#[derive(Clone, Copy, Debug, QueryableByName)]
pub struct Sold {
    #[diesel(sql_type = SqlUuid)]
    pub variant_id: VariantId,
    #[diesel(sql_type = Nullable<BigInt>)]
    pub sale_cap: Option<i64>,
    #[diesel(sql_type = BigInt)]
    pub taken: i64,
    #[diesel(sql_type = Bool)]
    pub published: bool,
}

impl Sold {
    /// How many may be sold yet; none without a cap.
    pub fn left(&self) -> Option<i64> {
        self.sale_cap.map(|cap| (cap - self.taken).max(0))
    }
}

const SOLD: &str = concat!(
    "select v.id as variant_id, (v.terms ->> 'sale_cap')::bigint as sale_cap, \
       case when v.terms ? 'sale_cap' then (select count(*) from unit_secret s where s.variant_id = v.id and ",
    takes_part!(),
    ") else 0 end as taken, exists (select 1 from secret_version p where p.variant_id = v.id) as published \
     from variant v where v.id = any($1)"
);

/// What may be sold of these variants.
pub async fn available(
    mut conn: &AsyncPgConnection,
    variants: &[VariantId],
) -> QueryResult<HashMap<VariantId, Sold>> {
    let rows: Vec<Sold> =
        Statement::new(SOLD).bind::<Array<SqlUuid>, _>(variants.to_vec()).load(&mut conn).await?;
    Ok(rows.into_iter().map(|row| (row.variant_id, row)).collect())
}

/// A piece that gets a version of a shared secret.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    pub unit_id: UnitId,
    pub seller_id: SellerId,
    pub variant_id: VariantId,
    pub version_id: SecretVersionId,
    /// Whether later versions belong to it.
    pub follows: bool,
}

const SHARES: &str = "insert into unit_secret (unit_id, seller_id, variant_id, version_id, follows)
  select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::bool[])";

pub(super) async fn insert_shares(mut conn: &AsyncPgConnection, shares: &[Share]) -> QueryResult<usize> {
    let all = || shares.iter();
    Statement::new(SHARES)
        .bind::<Array<SqlUuid>, _>(all().map(|s| s.unit_id.0).collect::<Vec<_>>())
        .bind::<Array<SqlUuid>, _>(all().map(|s| s.seller_id.0).collect::<Vec<_>>())
        .bind::<Array<SqlUuid>, _>(all().map(|s| s.variant_id.0).collect::<Vec<_>>())
        .bind::<Array<SqlUuid>, _>(all().map(|s| s.version_id.0).collect::<Vec<_>>())
        .bind::<Array<Bool>, _>(all().map(|s| s.follows).collect::<Vec<_>>())
        .execute(&mut conn)
        .await
}

/// A piece's own text.
pub(super) async fn insert_text(
    conn: &mut AsyncPgConnection,
    (unit, seller, variant): (UnitId, SellerId, VariantId),
    data_key: Uuid,
    sealed: Vec<u8>,
) -> QueryResult<usize> {
    let sql = "insert into unit_secret (unit_id, seller_id, variant_id, data_key_id, sealed) values ($1, $2, $3, $4, $5)";
    Statement::new(sql)
        .bind::<SqlUuid, _>(unit)
        .bind::<SqlUuid, _>(seller)
        .bind::<SqlUuid, _>(variant)
        .bind::<SqlUuid, _>(data_key)
        .bind::<Bytea, _>(sealed)
        .execute(conn)
        .await
}

const TAKE_BACK: &str = "with taken as (update unit_secret s set taken_back_at = app_now()
    where s.unit_id = any($1) and s.taken_back_at is null
    returning s.variant_id, s.version_id is not null and s.revealed_at is null and s.mailed_at is null as unseen)
  select distinct t.variant_id from taken t join variant v on v.id = t.variant_id
  where t.unseen and v.terms ? 'sale_cap'";

#[derive(QueryableByName)]
struct FreedRow {
    #[diesel(sql_type = SqlUuid)]
    variant_id: VariantId,
}

/// Writes down that the money of these units went back. Answers the variants with a cap of which more may be sold now.
pub async fn advance_taken_back(
    conn: &mut AsyncPgConnection,
    units: &[UnitId],
) -> QueryResult<Vec<VariantId>> {
    let rows: Vec<FreedRow> = Statement::new(TAKE_BACK).bind::<Array<SqlUuid>, _>(units).load(conn).await?;
    Ok(rows.into_iter().map(|row| row.variant_id).collect())
}
