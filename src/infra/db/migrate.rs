//! The embedded migrations, run as the owner of the schema, one program at a time.

use diesel::QueryableByName;
use diesel::migration::{Migration, MigrationSource};
use diesel::pg::Pg;
use diesel_async::{AsyncMigrationHarness, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::base::outcome::Fault;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");
const GRANTS: &str = include_str!("../../../migrations/grants.sql");

/// Any fixed number: whoever migrates this database holds this lock.
const LOCK: i64 = 0x4449_5350_454e_5345;

/// Brings the schema up to this program's version and grants the runtime role its rights. Several programs may
/// start at once: one migrates, the others wait and find nothing left to do. Returns how many ran.
pub async fn up(owner: AsyncPgConnection, runtime_role: &str) -> Result<usize, Fault> {
    let mut owner = owner;
    diesel::sql_query("select pg_advisory_lock($1)")
        .bind::<diesel::sql_types::BigInt, _>(LOCK)
        .execute(&mut owner)
        .await?;
    let mut harness = AsyncMigrationHarness::new(owner);
    let ran =
        tokio::task::block_in_place(|| harness.run_pending_migrations(MIGRATIONS).map(|done| done.len()))
            .map_err(|e| Fault::bug(format!("a migration failed: {e}")))?;
    let mut owner = harness.into_inner();
    owner.batch_execute(&grants(runtime_role)?).await?;
    Ok(ran)
}

/// Takes every migration back, newest first: for tests of the migrations themselves.
pub async fn down(owner: AsyncPgConnection) -> Result<usize, Fault> {
    let mut harness = AsyncMigrationHarness::new(owner);
    tokio::task::block_in_place(|| harness.revert_all_migrations(MIGRATIONS).map(|done| done.len()))
        .map_err(|e| Fault::bug(format!("a migration could not be taken back: {e}")))
}

/// Whether the database still lacks migrations that this program knows.
pub async fn pending(conn: AsyncPgConnection) -> Result<bool, Fault> {
    let mut harness = AsyncMigrationHarness::new(conn);
    tokio::task::block_in_place(|| harness.has_pending_migration(MIGRATIONS))
        .map_err(|e| Fault::bug(e.to_string()))
}

/// Whether the database has every migration this program knows, asked over an ordinary connection.
pub async fn is_current(conn: &mut AsyncPgConnection) -> Result<bool, Fault> {
    #[derive(QueryableByName)]
    struct Done {
        #[diesel(sql_type = diesel::sql_types::Text)]
        version: String,
    }
    let table =
        "select 1 from pg_tables where schemaname = 'public' and tablename = '__diesel_schema_migrations'";
    if diesel::sql_query(table).execute(conn).await? == 0 {
        return Ok(false);
    }
    let done: Vec<Done> =
        diesel::sql_query("select version from __diesel_schema_migrations").load(conn).await?;
    let known: Vec<Box<dyn Migration<Pg>>> =
        MIGRATIONS.migrations().map_err(|e| Fault::bug(e.to_string()))?;
    Ok(known.iter().all(|m| done.iter().any(|d| d.version == m.name().version().to_string())))
}

/// The documented GRANT script with the runtime role's name in place.
fn grants(runtime_role: &str) -> Result<String, Fault> {
    let plain =
        runtime_role.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') && !runtime_role.is_empty();
    if !plain {
        return Err(Fault::bug("the runtime role's name has letters, digits and underscores only"));
    }
    Ok(GRANTS.replace("dispense_app", runtime_role))
}
