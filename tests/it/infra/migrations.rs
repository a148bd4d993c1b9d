//! The migrations, and what they leave the runtime role.

use diesel_async::{AsyncConnection, AsyncPgConnection};
use dispense::infra::db::migrate;
use tokio_postgres::NoTls;

use crate::harness::{Server, TestDatabase};

/// Tables, columns, constraints, indexes, functions and triggers, as text.
const SHAPE: &str = "select string_agg(line, E'\\n' order by line collate \"C\") from ( \
    select format('column %s.%s %s %s %s', table_name, column_name, data_type, is_nullable, column_default) as line \
      from information_schema.columns where table_schema = 'public' \
    union all select format('constraint %s %s', conname, pg_get_constraintdef(oid)) from pg_constraint \
      where connamespace = 'public'::regnamespace \
    union all select indexdef from pg_indexes where schemaname = 'public' \
    union all select format('function %s %s', proname, prosrc) from pg_proc where pronamespace = 'public'::regnamespace \
    union all select pg_get_triggerdef(oid) from pg_trigger where not tgisinternal \
    union all select format('grant %s %s %s', table_name, grantee, privilege_type) \
      from information_schema.role_table_grants where table_schema = 'public') lines";

async fn owner(db: &TestDatabase) -> AsyncPgConnection {
    AsyncPgConnection::establish(&db.owner_url()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_go_up_down_and_up_again_to_the_same_schema() {
    let db = TestDatabase::empty().await;
    let ran = migrate::up(owner(&db).await, "dispense_app", false).await.unwrap();
    assert!(ran > 0);
    let first = db.one(SHAPE).await;
    assert_eq!(migrate::down(owner(&db).await).await.unwrap(), ran);
    let left = db.one(
        "select count(*) from pg_class where relnamespace = 'public'::regnamespace \
         and relname not like '\\_\\_diesel%'",
    );
    assert_eq!(left.await, "0", "down leaves nothing");
    let functions = "select count(*) from pg_proc where pronamespace = 'public'::regnamespace and proname not like 'diesel%'";
    assert_eq!(db.one(functions).await, "0", "down leaves no function");
    assert_eq!(migrate::up(owner(&db).await, "dispense_app", false).await.unwrap(), ran);
    assert_eq!(db.one(SHAPE).await, first);
    assert_eq!(
        migrate::up(owner(&db).await, "dispense_app", false).await.unwrap(),
        0,
        "nothing is left to do"
    );
    db.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_programs_that_migrate_at_once_one_does_the_work() {
    let db = TestDatabase::empty().await;
    let (a, b) = (owner(&db).await, owner(&db).await);
    let (a, b) = (
        tokio::spawn(async { migrate::up(a, "dispense_app", false).await.unwrap() }),
        tokio::spawn(async { migrate::up(b, "dispense_app", false).await.unwrap() }),
    );
    let (a, b) = (a.await.unwrap(), b.await.unwrap());
    assert!(a.min(b) == 0 && a.max(b) > 0, "{a} and {b} ran");
    db.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_over_a_database_without_its_migrations_does_not_start() {
    let db = TestDatabase::empty().await;
    let setup = Server::of(&db.app_url());
    let said = setup.clone().try_start().err().expect("it does not start");
    assert!(said.contains("dispense migrate"), "{said}");
    let owned = setup.env("DISPENSE_DATABASE__OWNER_URL", db.owner_url());
    let out = owned.command(&["migrate"]).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let mut server = owned.without_env("DISPENSE_DATABASE__OWNER_URL").start();
    assert!(server.terminate().success(), "{}", server.log());
    db.finish().await;
}

/// Rows: X4.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_a_newer_version_is_served_only_where_that_is_wanted_and_a_foreign_one_never() {
    let db = TestDatabase::migrated().await;
    let server = Server::of(&db.app_url());
    let owned = server.clone().env("DISPENSE_DATABASE__OWNER_URL", db.owner_url());
    let refuses = |why: &str, what: &[&str]| {
        let said = server.clone().try_start().err().expect(why);
        assert!(what.iter().all(|part| said.contains(part)), "{why}: {said}");
        let shape = || owned.command(&["migrate"]).output().unwrap();
        let out = shape();
        assert!(!out.status.success(), "{why}");
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(what.iter().all(|part| said.contains(part)), "{why}: {said}");
    };
    db.sql("insert into __diesel_schema_migrations (version) values ('20991231000001')").await;
    refuses("newer", &["newer version", "20991231000001", "database.accept_newer"]);
    let accepting = server.clone().env("DISPENSE_DATABASE__ACCEPT_NEWER", "true");
    let mut running = accepting.start();
    assert!(running.terminate().success(), "{}", running.log());
    // Some of ours are missing beside it: not the same line.
    db.sql("delete from __diesel_schema_migrations where version in (select min(version) from __diesel_schema_migrations)").await;
    refuses("foreign", &["something else", "database.url"]);
    let said = server.clone().env("DISPENSE_DATABASE__ACCEPT_NEWER", "true").try_start().err();
    assert!(said.expect("foreign all the same").contains("something else"));
    db.finish().await;
}

/// Rows: K15.
#[tokio::test(flavor = "multi_thread")]
async fn the_runtime_role_owns_nothing_and_cannot_rewrite_what_only_grows() {
    let db = TestDatabase::migrated().await;
    assert_eq!(db.one("select count(*) from pg_tables where tableowner = 'dispense_app'").await, "0");
    let (app, connection) = tokio_postgres::connect(&db.app_url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    for refused in [
        "update ledger_entry set currency = 'USD'",
        "delete from ledger_entry",
        "truncate ledger_entry",
        "update event_seq set hash = ''",
        "delete from event_seq",
        "update event set kind = ''",
        "update notice_body set body = ''",
        "delete from orders",
        "delete from unit",
        "delete from payment",
        "delete from vault_key",
        "delete from data_key",
        "delete from seller",
        "delete from __diesel_schema_migrations",
        "create table mine (id int)",
        "alter table orders add column mine int",
        "drop table orders",
        "alter table ledger_entry disable trigger all",
        "create or replace function app_now() returns timestamptz language sql as $$ select now() $$",
    ] {
        let error = app.batch_execute(refused).await.expect_err(refused);
        // 42501: insufficient privilege.
        assert_eq!(error.code().map(|c| c.code()), Some("42501"), "{refused}: {error:?}");
    }
    app.batch_execute("select app_now(); select count(*) from orders").await.unwrap();
    db.finish().await;
}
