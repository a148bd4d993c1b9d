//! A database per test, cloned from one migrated template.

use std::path::PathBuf;

use diesel_async::{AsyncConnection, AsyncPgConnection};
use dispense::infra::db::migrate;
use sha2::{Digest, Sha256};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

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
    let (client, connection) = tokio_postgres::connect(&url(role, database), NoTls)
        .await
        .unwrap_or_else(|e| panic!("no connection to the test cluster as {role}: {e:?}"));
    tokio::spawn(connection);
    client
}

/// A database that is dropped by `finish`.
pub struct TestDatabase {
    pub name: String,
    owner: Client,
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
        let owner = connect("dispense_owner", &name).await;
        Self { name, owner }
    }

    /// Address for the runtime role.
    pub fn app_url(&self) -> String {
        url("dispense_app", &self.name)
    }

    /// Address for the schema's owner.
    pub fn owner_url(&self) -> String {
        url("dispense_owner", &self.name)
    }

    /// Runs SQL as the owner; the rows of the last statement as text.
    pub async fn sql(&self, text: &str) -> Vec<Vec<Option<String>>> {
        let messages = self.owner.simple_query(text).await.unwrap_or_else(|e| panic!("{text}: {e:?}"));
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
        connect("dispense_owner", &self.name).await
    }

    /// Moves `app_now()` for every session of this database.
    pub async fn set_clock_offset(&self, micros: i64) {
        let sql = format!(
            "create or replace function app_now() returns timestamptz language sql stable parallel safe \
             as $$ select now() + interval '{micros} microseconds' $$"
        );
        self.owner.batch_execute(&sql).await.unwrap();
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
        let admin = connect("dispense_owner", "postgres").await;
        admin.batch_execute(&format!("drop database {} with (force)", self.name)).await.unwrap();
    }
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
        migrate::up(owner, "dispense_app").await.unwrap();
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
