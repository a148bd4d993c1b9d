//! Questions about API clients.

use diesel::prelude::*;
use diesel::sql_types::Uuid as SqlUuid;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::ApiClientId;
use crate::infra::db::statement::Statement;
use crate::people::clients::model::ApiClient;
use crate::people::clients::store::client_columns;

pub async fn find(conn: &mut AsyncPgConnection, id: ApiClientId) -> QueryResult<Option<ApiClient>> {
    let sql = concat!("select ", client_columns!(), " from api_client where id = $1");
    Statement::new(sql).bind::<SqlUuid, _>(id).get_result(conn).await.optional()
}

/// All clients, the oldest first; at most 200.
pub async fn list(conn: &mut AsyncPgConnection) -> QueryResult<Vec<ApiClient>> {
    let sql = concat!("select ", client_columns!(), " from api_client order by created_at, id limit 200");
    Statement::new(sql).load(conn).await
}
