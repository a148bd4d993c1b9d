//! Only one transaction at a time brings a variant's goods and the lines that wait for them together, so that no line is
//! left asleep beside goods that came meanwhile.

use diesel::QueryResult;
use diesel::sql_types::Text;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::VariantId;
use crate::infra::db::statement::Statement;

/// Taken until the transaction ends, before it looks at either.
pub async fn take(conn: &mut AsyncPgConnection, variant_id: VariantId) -> QueryResult<()> {
    Statement::new("select pg_advisory_xact_lock(hashtextextended('fill:' || $1::text, 0))")
        .bind::<Text, _>(variant_id.0.to_string())
        .execute(conn)
        .await?;
    Ok(())
}
