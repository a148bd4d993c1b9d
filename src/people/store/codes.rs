//! Mailed codes.

use diesel::QueryResult;
use diesel::sql_types::{Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::infra::db::statement::Statement;
use crate::people::model::{CodeRow, NewCode, Recent};

const INSERT_CODE: &str = "insert into email_code (id, purpose, email_normalised, user_id, registration_id, client_key, \
    expires_at) values ($1, $2, $3, $4, $5, $6, $7)";

pub(in crate::people) async fn insert_code(
    conn: &mut AsyncPgConnection,
    new: &NewCode<'_>,
) -> QueryResult<usize> {
    Statement::new(INSERT_CODE)
        .bind::<SqlUuid, _>(new.id)
        .bind::<Text, _>(new.purpose)
        .bind::<Text, _>(new.email)
        .bind::<Nullable<SqlUuid>, _>(new.user_id)
        .bind::<Nullable<SqlUuid>, _>(new.registration_id)
        .bind::<Text, _>(new.client_key)
        .bind::<Timestamptz, _>(new.expires_at)
        .execute(conn)
        .await
}

const RECENT_CODES: &str = "select count(*) as everywhere, count(*) filter (where client_key = $1) as here \
    from email_code where purpose = $2 and email_normalised = $3 and created_at > app_now() - interval '1 hour'";

/// Codes made for the address within the last hour.
pub(in crate::people) async fn count_codes(
    conn: &mut AsyncPgConnection,
    purpose: &str,
    email: &str,
    client: &str,
) -> QueryResult<Recent> {
    Statement::new(RECENT_CODES)
        .bind::<Text, _>(client)
        .bind::<Text, _>(purpose)
        .bind::<Text, _>(email)
        .get_result(conn)
        .await
}

const TRY_CODES: &str = "update email_code set attempts = attempts + 1 where purpose = $1 and email_normalised = $2 \
    and used_at is null and expires_at > app_now() and attempts < $3 returning id, user_id, registration_id";

/// Counts one try on each code that may still be used, and gives them.
pub(in crate::people) async fn claim_codes(
    conn: &mut AsyncPgConnection,
    purpose: &str,
    email: &str,
    most: i32,
) -> QueryResult<Vec<CodeRow>> {
    Statement::new(TRY_CODES)
        .bind::<Text, _>(purpose)
        .bind::<Text, _>(email)
        .bind::<Integer, _>(most)
        .load(conn)
        .await
}

const USE_CODES: &str = "update email_code set used_at = app_now() where purpose = $1 and email_normalised = $2 \
    and used_at is null";

/// Ends all codes of a purpose for the address.
pub(in crate::people) async fn advance_codes_used(
    conn: &mut AsyncPgConnection,
    purpose: &str,
    email: &str,
) -> QueryResult<usize> {
    Statement::new(USE_CODES).bind::<Text, _>(purpose).bind::<Text, _>(email).execute(conn).await
}
