//! Endpoints.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Bytea, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::base::ids::{ApiClientId, HookEndpointId, SellerId};
use crate::hooks::model::HookEndpoint;
use crate::infra::db::statement::Statement;

/// The columns of an endpoint.
macro_rules! endpoint_columns {
    () => {
        "id, seller_id, api_client_id, url, description, event_types, ordered, state, disabled_for, failing_since, \
         data_key_id, secret, old_secret, old_secret_until, version, created_at"
    };
}
pub(in crate::hooks) use endpoint_columns;

/// Locks an endpoint.
pub async fn lock(conn: &mut AsyncPgConnection, id: HookEndpointId) -> QueryResult<Option<HookEndpoint>> {
    let sql = concat!("select ", endpoint_columns!(), " from hook_endpoint where id = $1 for no key update");
    Statement::new(sql).bind::<SqlUuid, _>(id).get_result(conn).await.optional()
}

/// An endpoint to be stored.
pub struct NewEndpoint<'a> {
    pub id: HookEndpointId,
    pub seller_id: SellerId,
    pub api_client_id: Option<ApiClientId>,
    pub url: &'a str,
    pub description: Option<&'a str>,
    pub event_types: &'a [String],
    pub ordered: bool,
    pub since_seq: i64,
    pub data_key_id: Uuid,
    pub secret: Vec<u8>,
}

const INSERT: &str = concat!(
    "insert into hook_endpoint (id, seller_id, api_client_id, url, description, event_types, ordered, since_seq, \
       data_key_id, secret) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) returning ",
    endpoint_columns!()
);

pub async fn insert(conn: &mut AsyncPgConnection, new: NewEndpoint<'_>) -> QueryResult<HookEndpoint> {
    Statement::new(INSERT)
        .bind::<SqlUuid, _>(new.id)
        .bind::<SqlUuid, _>(new.seller_id)
        .bind::<Nullable<SqlUuid>, _>(new.api_client_id.map(|client| client.0))
        .bind::<Text, _>(new.url)
        .bind::<Nullable<Text>, _>(new.description)
        .bind::<Array<Text>, _>(new.event_types)
        .bind::<Bool, _>(new.ordered)
        .bind::<BigInt, _>(new.since_seq)
        .bind::<SqlUuid, _>(new.data_key_id)
        .bind::<Bytea, _>(new.secret)
        .get_result(conn)
        .await
}

const ADVANCE: &str = concat!(
    "update hook_endpoint set url = $1, description = $2, event_types = $3, ordered = $4, state = $5, disabled_for = $6, \
       failing_since = $7, since_seq = coalesce($8, since_seq), version = version + 1 where id = $9 returning ",
    endpoint_columns!()
);

/// Writes a locked endpoint's settings. `since`: above which number they hold; none when what is sent stays the same.
pub async fn advance(
    conn: &mut AsyncPgConnection,
    changed: &HookEndpoint,
    since: Option<i64>,
) -> QueryResult<HookEndpoint> {
    Statement::new(ADVANCE)
        .bind::<Text, _>(&changed.url)
        .bind::<Nullable<Text>, _>(changed.description.as_deref())
        .bind::<Array<Text>, _>(&changed.event_types)
        .bind::<Bool, _>(changed.ordered)
        .bind::<Text, _>(changed.state)
        .bind::<Nullable<Text>, _>(changed.disabled_for.as_deref())
        .bind::<Nullable<Timestamptz>, _>(changed.failing_since)
        .bind::<Nullable<BigInt>, _>(since)
        .bind::<SqlUuid, _>(changed.id)
        .get_result(conn)
        .await
}

const ROTATE: &str = concat!(
    "update hook_endpoint set old_secret = secret, old_secret_until = $1, secret = $2, version = version + 1 \
     where id = $3 returning ",
    endpoint_columns!()
);

/// Another secret; the one before counts until then.
pub async fn advance_secret(
    conn: &mut AsyncPgConnection,
    id: HookEndpointId,
    secret: Vec<u8>,
    overlap_until: DateTime<Utc>,
) -> QueryResult<HookEndpoint> {
    Statement::new(ROTATE)
        .bind::<Timestamptz, _>(overlap_until)
        .bind::<Bytea, _>(secret)
        .bind::<SqlUuid, _>(id)
        .get_result(conn)
        .await
}

/// Since when a locked endpoint fails; none: it took the last event.
pub async fn advance_failing(
    conn: &mut AsyncPgConnection,
    id: HookEndpointId,
    since: Option<DateTime<Utc>>,
) -> QueryResult<usize> {
    Statement::new("update hook_endpoint set failing_since = $1 where id = $2")
        .bind::<Nullable<Timestamptz>, _>(since)
        .bind::<SqlUuid, _>(id)
        .execute(conn)
        .await
}

/// Nothing more is sent there. Returns whether it was active.
pub async fn advance_disabled(
    conn: &mut AsyncPgConnection,
    id: HookEndpointId,
    reason: &str,
) -> QueryResult<bool> {
    let sql = "update hook_endpoint set state = 'disabled', disabled_for = $1, version = version + 1 \
        where id = $2 and state = 'active'";
    let disabled = Statement::new(sql).bind::<Text, _>(reason).bind::<SqlUuid, _>(id).execute(conn).await?;
    Ok(disabled == 1)
}
