//! A database per test, cloned from one migrated template.

use std::path::PathBuf;

use diesel_async::{AsyncConnection, AsyncPgConnection};
use dispense::infra::db::migrate;
use sha2::{Digest, Sha256};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use super::durable::DurableDatabase;

/// Folder of the socket of the cluster that the test runner started.
fn socket() -> PathBuf {
    std::env::var_os("DISPENSE_TEST_SOCKET")
        .map(PathBuf::from)
        .expect("DISPENSE_TEST_SOCKET is not set: run the tests by `make test` or `tests/cluster.sh with …`")
}

fn url(role: &str, database: &str) -> String {
    format!("host={} port=5432 user={role} dbname={database} sslmode=disable", socket().display())
}

async fn connect(role: &str, database: &str) -> Client {
    connect_to(&url(role, database)).await
}

async fn connect_to(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls)
        .await
        .unwrap_or_else(|e| panic!("no connection to the test cluster by {url}: {e:?}"));
    tokio::spawn(connection);
    client
}

/// A database that is dropped by `finish`.
pub struct TestDatabase {
    pub name: String,
    app_url: String,
    owner_url: String,
    /// The owner's connection; made anew when the server was killed under it.
    owner: tokio::sync::Mutex<Option<std::sync::Arc<Client>>>,
    /// In the shared cluster, so that it has to be dropped.
    shared: bool,
}

impl TestDatabase {
    /// A migrated copy of the template.
    pub async fn migrated() -> Self {
        let template = template().await;
        Self::create(&format!("template {template}")).await
    }

    /// Without any tables.
    pub async fn empty() -> Self {
        Self::create("template template0").await
    }

    async fn create(from: &str) -> Self {
        let name = format!("t_{}", hex::encode(dispense::base::clock::random::<8>()));
        let admin = connect("dispense_owner", "postgres").await;
        admin.batch_execute(&format!("create database {name} {from}")).await.unwrap();
        let (app_url, owner_url) = (url("dispense_app", &name), url("dispense_owner", &name));
        Self { name, app_url, owner_url, owner: Default::default(), shared: true }
    }

    /// A dump of this database as it is now, as an operator makes a backup.
    pub fn dump(&self) -> Vec<u8> {
        let output = client_program("pg_dump").args(["--format=custom", &self.name]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// A new database restored from a dump.
    pub async fn restored(dump: &[u8]) -> Self {
        let new = Self::empty().await;
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), dump).unwrap();
        let mut program = client_program("pg_restore");
        let output = program.args(["--exit-on-error", "-d", &new.name]).arg(file.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        new
    }

    /// A database of a durable cluster, which goes with its cluster.
    pub fn durable(database: &DurableDatabase) -> Self {
        Self {
            name: database.name.clone(),
            app_url: database.app_url.clone(),
            owner_url: database.owner_url.clone(),
            owner: Default::default(),
            shared: false,
        }
    }

    async fn owner(&self) -> std::sync::Arc<Client> {
        let mut owner = self.owner.lock().await;
        if let Some(client) = owner.as_ref().filter(|c| !c.is_closed()) {
            return client.clone();
        }
        let client = std::sync::Arc::new(connect_to(&self.owner_url).await);
        *owner = Some(client.clone());
        client
    }

    /// Address for the runtime role.
    pub fn app_url(&self) -> String {
        self.app_url.clone()
    }

    /// Address for the schema's owner.
    pub fn owner_url(&self) -> String {
        self.owner_url.clone()
    }

    /// Runs SQL as the owner; the rows of the last statement as text.
    pub async fn sql(&self, text: &str) -> Vec<Vec<Option<String>>> {
        let messages =
            self.owner().await.simple_query(text).await.unwrap_or_else(|e| panic!("{text}: {e:?}"));
        messages
            .into_iter()
            .filter_map(|m| match m {
                SimpleQueryMessage::Row(row) => {
                    Some((0..row.len()).map(|i| row.get(i).map(String::from)).collect())
                }
                _ => None,
            })
            .collect()
    }

    /// The single value of a query.
    pub async fn one(&self, text: &str) -> String {
        let rows = self.sql(text).await;
        assert_eq!(rows.len(), 1, "{text} gave {} rows", rows.len());
        rows[0][0].clone().unwrap_or_default()
    }

    /// A connection of its own, to hold locks with.
    pub async fn client(&self) -> Client {
        connect_to(&self.owner_url).await
    }

    /// The same as the program's own role.
    pub async fn client_as_app(&self) -> Client {
        connect_to(&self.app_url()).await
    }

    /// Moves `app_now()` for every session of this database.
    pub async fn set_clock_offset(&self, micros: i64) {
        let sql = format!(
            "create or replace function app_now() returns timestamptz language sql stable parallel safe \
             as $$ select now() + interval '{micros} microseconds' $$"
        );
        self.owner().await.batch_execute(&sql).await.unwrap();
    }

    /// Every text, bytea and jsonb value of every table, for looking for canaries.
    pub async fn dump_text(&self) -> String {
        let tables = self
            .sql(
                "select table_name, string_agg(quote_ident(column_name), ',') from information_schema.columns \
                 where table_schema = 'public' and data_type in ('text', 'jsonb', 'bytea', 'ARRAY') group by 1",
            )
            .await;
        let mut dump = String::new();
        for table in tables {
            let (table, columns) = (table[0].clone().unwrap(), table[1].clone().unwrap());
            for row in self.sql(&format!("select {columns} from {table}")).await {
                for value in row.into_iter().flatten() {
                    if let Some(bytes) = value.strip_prefix("\\x").and_then(|h| hex::decode(h).ok()) {
                        dump.push_str(&String::from_utf8_lossy(&bytes));
                    }
                    dump.push_str(&value);
                    dump.push('\n');
                }
            }
        }
        dump
    }

    /// Drops the database, whoever is still connected to it.
    pub async fn finish(&self) {
        if !self.shared {
            return;
        }
        let admin = connect("dispense_owner", "postgres").await;
        admin.batch_execute(&format!("drop database {} with (force)", self.name)).await.unwrap();
    }
}

/// A program of PostgreSQL's that speaks to the test cluster as the owner: of the cluster's own version, or as it is found.
fn client_program(name: &str) -> std::process::Command {
    let beside = std::env::var_os("DISPENSE_TEST_PG_BIN").map(|folder| PathBuf::from(folder).join(name));
    let found = beside.filter(|path| path.exists()).unwrap_or_else(|| name.into());
    let mut program = std::process::Command::new(found);
    program.arg("-h").arg(socket()).args(["-p", "5432", "-U", "dispense_owner"]);
    program
}

/// The migrated template's name; whoever comes first makes it.
async fn template() -> String {
    let mut digest = Sha256::new();
    let mut folders: Vec<_> = std::fs::read_dir("migrations").unwrap().map(|e| e.unwrap().path()).collect();
    folders.sort();
    for file in folders.iter().map(|f| f.join("up.sql")).chain(["migrations/grants.sql".into()]) {
        digest.update(std::fs::read(file).unwrap_or_default());
    }
    let name = format!("template_{}", &hex::encode(digest.finalize())[..12]);
    let admin = connect("dispense_owner", "postgres").await;
    admin.batch_execute("select pg_advisory_lock(20261121)").await.unwrap();
    let found = admin
        .query("select 1 from pg_database where datname = $1 and datistemplate", &[&name])
        .await
        .unwrap();
    if found.is_empty() {
        admin.batch_execute(&format!("drop database if exists {name} with (force)")).await.unwrap();
        admin.batch_execute(&format!("create database {name} template template0")).await.unwrap();
        let owner = AsyncPgConnection::establish(&url("dispense_owner", &name)).await.unwrap();
        migrate::up(owner, "dispense_app", false).await.unwrap();
        // A template must have no session left; the connection above may still be closing.
        admin
            .batch_execute(&format!("alter database {name} with is_template true allow_connections false"))
            .await
            .unwrap();
        admin
            .batch_execute(&format!(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'"
            ))
            .await
            .unwrap();
    }
    admin.batch_execute("select pg_advisory_unlock(20261121)").await.unwrap();
    name
}
