//! SQL of API clients that changes rows.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bytea, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::ApiClientId;
use crate::infra::db::statement::Statement;
use crate::people::clients::model::ApiClient;

/// The columns of a client.
macro_rules! client_columns {
    () => {
        "id, name, publishable_id, secret_digest, old_secret_digest, old_secret_until, scopes, state, version, created_at"
    };
}
pub(super) use client_columns;

pub(super) async fn lock(conn: &mut AsyncPgConnection, id: ApiClientId) -> QueryResult<Option<ApiClient>> {
    let sql = concat!("select ", client_columns!(), " from api_client where id = $1 for no key update");
    Statement::new(sql).bind::<SqlUuid, _>(id).get_result(conn).await.optional()
}

/// How many clients there are.
pub(super) async fn count(conn: &mut AsyncPgConnection) -> QueryResult<i64> {
    #[derive(QueryableByName)]
    struct CountedClients {
        #[diesel(sql_type = BigInt)]
        count: i64,
    }
    let counted: CountedClients = Statement::new("select count(*) from api_client").get_result(conn).await?;
    Ok(counted.count)
}

pub(super) async fn insert(
    conn: &mut AsyncPgConnection,
    id: ApiClientId,
    (name, publishable_id): (&str, &str),
    digest: Vec<u8>,
    scopes: &[&'static str],
) -> QueryResult<ApiClient> {
    let sql = concat!(
        "insert into api_client (id, name, publishable_id, secret_digest, scopes) values ($1, $2, $3, $4, $5) returning ",
        client_columns!()
    );
    Statement::new(sql)
        .bind::<SqlUuid, _>(id)
        .bind::<Text, _>(name)
        .bind::<Text, _>(publishable_id)
        .bind::<Bytea, _>(digest)
        .bind::<Array<Text>, _>(scopes)
        .get_result(conn)
        .await
}

/// Writes a locked client's settings.
pub(super) async fn advance(conn: &mut AsyncPgConnection, changed: &ApiClient) -> QueryResult<ApiClient> {
    let sql = concat!(
        "update api_client set name = $1, scopes = $2, state = $3, version = version + 1 where id = $4 returning ",
        client_columns!()
    );
    Statement::new(sql)
        .bind::<Text, _>(&changed.name)
        .bind::<Array<Text>, _>(&changed.scopes)
        .bind::<Text, _>(changed.state)
        .bind::<SqlUuid, _>(changed.id)
        .get_result(conn)
        .await
}

/// Another secret; the one before counts until then.
pub(super) async fn advance_secret(
    conn: &mut AsyncPgConnection,
    id: ApiClientId,
    digest: Vec<u8>,
    overlap_until: DateTime<Utc>,
) -> QueryResult<ApiClient> {
    let sql = concat!(
        "update api_client set old_secret_digest = secret_digest, old_secret_until = $1, secret_digest = $2, \
           version = version + 1 where id = $3 returning ",
        client_columns!()
    );
    Statement::new(sql)
        .bind::<Timestamptz, _>(overlap_until)
        .bind::<Bytea, _>(digest)
        .bind::<SqlUuid, _>(id)
        .get_result(conn)
        .await
}
