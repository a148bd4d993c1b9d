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

/// How a database's schema relates to this program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SchemaState {
    /// It has every migration this program knows, and no other.
    Current,
    /// It lacks some; it may lack all.
    Behind,
    /// It has every one of ours and these beyond: a newer version migrated it.
    Newer(Vec<String>),
    /// Its migrations are not of this program's line.
    Foreign,
}

impl SchemaState {
    /// Whether this program may work on it. One that only has more is fit where the operator says so: the migrations of the
    /// next version expand, so that this one may run beside it.
    ///
    /// # Errors
    /// [`Fault::Setup`] with what the operator can do.
    pub fn admit(&self, accept_newer: bool) -> Result<(), Fault> {
        match self {
            Self::Current | Self::Behind => Ok(()),
            Self::Newer(_) if accept_newer => Ok(()),
            Self::Newer(versions) => Err(Fault::setup(format!(
                "the database was migrated by a newer version of this program ({}): start that version, or set \
                 `database.accept_newer` when its notes say that this one may run beside it",
                versions.join(", ")
            ))),
            Self::Foreign => Err(Fault::setup(
                "the database has migrations of something else than this program: check that `database.url` is the shop's own",
            )),
        }
    }
}

/// Brings the schema up to this program's version and grants the runtime role its rights. Several programs may
/// start at once: one migrates, the others wait and find nothing left to do. Returns how many ran.
///
/// # Errors
/// [`Fault::Setup`] when the database is not one that this program may migrate; nothing was changed then.
pub async fn up(owner: AsyncPgConnection, runtime_role: &str, accept_newer: bool) -> Result<usize, Fault> {
    let mut owner = owner;
    diesel::sql_query("select pg_advisory_lock($1)")
        .bind::<diesel::sql_types::BigInt, _>(LOCK)
        .execute(&mut owner)
        .await?;
    state(&mut owner).await?.admit(accept_newer)?;
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

/// How the database's schema relates to this program, asked over an ordinary connection.
pub async fn state(conn: &mut AsyncPgConnection) -> Result<SchemaState, Fault> {
    #[derive(QueryableByName)]
    struct Done {
        #[diesel(sql_type = diesel::sql_types::Text)]
        version: String,
    }
    let table =
        "select 1 from pg_tables where schemaname = 'public' and tablename = '__diesel_schema_migrations'";
    if diesel::sql_query(table).execute(conn).await? == 0 {
        return Ok(SchemaState::Behind);
    }
    let done: Vec<Done> =
        diesel::sql_query("select version from __diesel_schema_migrations order by version")
            .load(conn)
            .await?;
    let known: Vec<Box<dyn Migration<Pg>>> =
        MIGRATIONS.migrations().map_err(|e| Fault::bug(e.to_string()))?;
    let known: Vec<String> = known.iter().map(|m| m.name().version().to_string()).collect();
    let done: Vec<String> = done.into_iter().map(|row| row.version).collect();
    let has_all = known.iter().all(|version| done.contains(version));
    let beyond: Vec<String> = done.into_iter().filter(|version| !known.contains(version)).collect();
    Ok(match (has_all, beyond.is_empty()) {
        (true, true) => SchemaState::Current,
        (false, true) => SchemaState::Behind,
        (true, false) => SchemaState::Newer(beyond),
        (false, false) => SchemaState::Foreign,
    })
}

/// Whether the database has every migration this program knows.
pub async fn is_current(conn: &mut AsyncPgConnection) -> Result<bool, Fault> {
    Ok(matches!(state(conn).await?, SchemaState::Current | SchemaState::Newer(_)))
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
