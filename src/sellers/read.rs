//! Questions about sellers.

use diesel::sql_types::Uuid as SqlUuid;
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::SellerId;
use crate::infra::db::statement::Statement;
use crate::sellers::model::SellerProfile;

/// The columns of a profile, of a row of sellers that a statement names `s`.
pub const COLUMNS: &str = "s.slug as seller_slug, s.name as seller_name";

pub async fn find(conn: &mut AsyncPgConnection, id: SellerId) -> QueryResult<Option<SellerProfile>> {
    let mut query = Statement::new("select ");
    query.push(COLUMNS).push(" from seller s where s.id = ").push_bind::<SqlUuid, _>(id);
    query.get_result(conn).await.optional()
}
