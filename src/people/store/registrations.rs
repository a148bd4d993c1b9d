//! Registrations that wait for their confirmation.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult, QueryableByName};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::base::ids::UserId;
use crate::infra::db::statement::Statement;
use crate::people::model::{Pending, Recent};

/// A registration to be stored.
pub(in crate::people) struct NewRegistration<'a> {
    pub id: Uuid,
    pub email: &'a str,
    pub email_normalised: &'a str,
    pub password_hash: &'a str,
    pub name: Option<&'a str>,
    pub locale: &'a str,
    pub client: &'a str,
    pub expires_at: DateTime<Utc>,
}

pub(in crate::people) async fn insert_registration(
    conn: &mut AsyncPgConnection,
    new: &NewRegistration<'_>,
) -> QueryResult<usize> {
    Statement::new(
        "insert into registration (id, email, email_normalised, password_hash, name, locale, client_key, expires_at) \
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind::<SqlUuid, _>(new.id)
    .bind::<Text, _>(new.email)
    .bind::<Text, _>(new.email_normalised)
    .bind::<Text, _>(new.password_hash)
    .bind::<Nullable<Text>, _>(new.name)
    .bind::<Text, _>(new.locale)
    .bind::<Text, _>(new.client)
    .bind::<Timestamptz, _>(new.expires_at)
    .execute(conn)
    .await
}

/// Registrations of the address within the last hour.
pub(in crate::people) async fn count_registrations(
    conn: &mut AsyncPgConnection,
    email: &str,
    client: &str,
) -> QueryResult<Recent> {
    Statement::new(
        "select count(*) as everywhere, count(*) filter (where client_key = $1) as here from registration \
         where email_normalised = $2 and created_at > app_now() - interval '1 hour'",
    )
    .bind::<Text, _>(client)
    .bind::<Text, _>(email)
    .get_result(conn)
    .await
}

macro_rules! pending {
    ($where:literal) => {
        concat!("select id, email, password_hash, name, locale from registration ", $where)
    };
}

/// A registration that can still be confirmed.
pub(in crate::people) async fn find_registration(
    conn: &mut AsyncPgConnection,
    id: Uuid,
) -> QueryResult<Option<Pending>> {
    Statement::new(pending!("where id = $1 and expires_at > app_now()"))
        .bind::<SqlUuid, _>(id)
        .get_result(conn)
        .await
        .optional()
}

/// The same, which stays until the transaction ends: whoever confirms it waits.
pub(in crate::people) async fn lock_registration(
    conn: &mut AsyncPgConnection,
    id: Uuid,
) -> QueryResult<Option<Pending>> {
    Statement::new(pending!("where id = $1 and expires_at > app_now() for key share"))
        .bind::<SqlUuid, _>(id)
        .get_result(conn)
        .await
        .optional()
}

/// The address's newest registration by this client, else its newest.
pub(in crate::people) async fn find_newest_registration(
    conn: &mut AsyncPgConnection,
    email: &str,
    client: &str,
) -> QueryResult<Option<Pending>> {
    Statement::new(pending!(
        "where email_normalised = $1 and expires_at > app_now() order by client_key = $2 desc, created_at desc limit 1"
    ))
    .bind::<Text, _>(email)
    .bind::<Text, _>(client)
    .get_result(conn)
    .await
    .optional()
}

/// The registration that another code is mailed for: this client's newest, or the only one there is. Of several that
/// others made, none: the code would confirm a stranger's password.
pub(in crate::people) async fn find_own_registration(
    conn: &mut AsyncPgConnection,
    email: &str,
    client: &str,
) -> QueryResult<Option<Pending>> {
    Statement::new(pending!(
        "r where email_normalised = $1 and expires_at > app_now() and (client_key = $2 or not exists (select from \
         registration o where o.email_normalised = r.email_normalised and o.expires_at > app_now() and o.id <> r.id)) \
         order by client_key = $2 desc, created_at desc limit 1"
    ))
    .bind::<Text, _>(email)
    .bind::<Text, _>(client)
    .get_result(conn)
    .await
    .optional()
}

/// Drops every registration of the address, with their codes.
pub(in crate::people) async fn delete_registrations(
    conn: &mut AsyncPgConnection,
    email: &str,
) -> QueryResult<usize> {
    Statement::new("delete from registration where email_normalised = $1")
        .bind::<Text, _>(email)
        .execute(conn)
        .await
}

#[derive(QueryableByName)]
struct Settled {
    #[diesel(sql_type = SqlUuid)]
    id: UserId,
}

/// Gives an account that was never confirmed what its confirmed registration says. `None` when the address belongs to
/// somebody.
pub(in crate::people) async fn advance_unconfirmed(
    conn: &mut AsyncPgConnection,
    email_normalised: &str,
    pending: &Pending,
) -> QueryResult<Option<UserId>> {
    let settled: Option<Settled> = Statement::new(
        "update app_user set email = $1, password_hash = $2, name = $3, locale = $4, generation = generation + 1, \
         email_confirmed_at = app_now() \
         where email_normalised = $5 and email_confirmed_at is null and state = 'active' returning id",
    )
    .bind::<Text, _>(pending.email.as_str())
    .bind::<Text, _>(pending.password_hash.as_str())
    .bind::<Nullable<Text>, _>(pending.name.as_deref())
    .bind::<Text, _>(pending.locale.as_str())
    .bind::<Text, _>(email_normalised)
    .get_result(conn)
    .await
    .optional()?;
    Ok(settled.map(|s| s.id))
}
