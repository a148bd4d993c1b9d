//! The cluster of our own: made, kept, refused, taken over, repaired.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use dispense::infra::db::embedded::{Cluster, DatabaseRole};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use tokio_postgres::{Client, NoTls};

use crate::harness::{Server, program};

async fn session(cluster: &Cluster, role: DatabaseRole) -> Client {
    let (client, connection) = tokio_postgres::connect(&cluster.url(role), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn one(client: &Client, sql: &str) -> String {
    let row = client.query_one(&format!("select ({sql})::text"), &[]).await.unwrap();
    row.get(0)
}

/// The cluster's folder in a data folder.
fn cluster_folder(data: &Path) -> PathBuf {
    let folders = std::fs::read_dir(data.join("postgres")).unwrap().flatten().map(|e| e.path());
    let mut found = folders.filter(|p| p.join("PG_VERSION").exists());
    found.next().expect("there is a cluster")
}

fn postmaster(data: &Path) -> Option<i32> {
    let text = std::fs::read_to_string(cluster_folder(data).join("postmaster.pid")).ok()?;
    text.lines().next()?.trim().parse().ok()
}

fn lives(pid: i32) -> bool {
    // A zombie has no command line.
    std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

/// A folder that every user can reach.
fn open_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !done().await {
        assert!(Instant::now() < deadline, "in vain waited for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Rows: K15.
#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_durable_private_and_keeps_its_data_over_two_starts() {
    let folder = open_folder();
    let data = folder.path().join("data");
    let cluster = Cluster::start(&data, None).await.unwrap();
    let owner = session(&cluster, DatabaseRole::Owner).await;
    owner.batch_execute("create table kept (id int); insert into kept values (7)").await.unwrap();
    for (setting, value) in
        [("fsync", "on"), ("synchronous_commit", "on"), ("full_page_writes", "on"), ("listen_addresses", "")]
    {
        assert_eq!(one(&owner, &format!("current_setting('{setting}')")).await, value, "{setting}");
    }
    let database = "from pg_database where datname = current_database()";
    assert_eq!(one(&owner, &format!("select pg_encoding_to_char(encoding) {database}")).await, "UTF8");
    assert_eq!(one(&owner, &format!("select datcollate {database}")).await, "C");
    assert_eq!(one(&owner, "upper('straße — ж')").await, "STRASSE — Ж".replace("SS", "ß"));
    let app = session(&cluster, DatabaseRole::App).await;
    for role in ["dispense_owner", "dispense_app"] {
        let sql =
            format!("select rolsuper or rolcreaterole or rolcreatedb from pg_roles where rolname = '{role}'");
        assert_eq!(one(&app, &sql).await, "false", "{role} has no more rights than it needs");
    }
    assert!(
        app.batch_execute("create table mine (id int)").await.is_err(),
        "the runtime role makes no tables"
    );
    let superuser = cluster.url(DatabaseRole::App).replace("user=dispense_app", "user=postgres");
    assert!(tokio_postgres::connect(&superuser, NoTls).await.is_err(), "the superuser has no way in");
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data.join("postgres")), 0o700);
    assert_eq!(mode(&data.join("postgres/socket")), 0o700);
    if geteuid().is_root() {
        let owner = cluster_folder(&data).metadata().unwrap().uid();
        assert_ne!(owner, 0, "PostgreSQL does not run as root");
    }
    cluster.stop().await;
    assert_eq!(postmaster(&data), None);

    let again = Cluster::start(&data, None).await.unwrap();
    assert_eq!(one(&session(&again, DatabaseRole::Owner).await, "select id from kept").await, "7");
    again.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_owner_is_refused_and_a_visitor_is_not() {
    let folder = open_folder();
    let setup = Server::embedded(folder.path());
    assert!(setup.command(&["migrate"]).status().unwrap().success());
    let cluster = Cluster::start(folder.path(), None).await.unwrap();
    let refused = Cluster::start(folder.path(), None).await.err().unwrap().to_string();
    assert!(refused.contains("another program uses the data folder"), "{refused}");
    let said = setup.try_start().err().expect("the second server is refused");
    assert!(said.contains("another program uses the data folder"), "{said}");
    let visitor = Cluster::visit(folder.path(), None).await.unwrap();
    assert_eq!(one(&session(&visitor, DatabaseRole::App).await, "select 1").await, "1");
    visitor.stop().await;
    assert_eq!(
        one(&session(&cluster, DatabaseRole::App).await, "select 2").await,
        "2",
        "a visitor stops nothing"
    );
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orphan_of_a_killed_program_is_taken_over_and_stopped() {
    let folder = open_folder();
    let mut server = Server::embedded(folder.path()).start();
    let orphan = postmaster(folder.path()).unwrap();
    server.kill();
    assert!(lives(orphan), "the database outlives a killed program");
    let mut again = server.start_again();
    assert_eq!(postmaster(folder.path()), Some(orphan), "the orphan is used, not replaced");
    assert!(again.log().contains("taken over"), "{}", again.log());
    assert!(again.terminate().success(), "{}", again.log());
    assert!(!lives(orphan), "the orphan is stopped by who took it over");
    assert_eq!(postmaster(folder.path()), None, "and it stopped cleanly");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_is_killed_while_it_makes_the_cluster_is_repeated_whole() {
    let folder = open_folder();
    let root = folder.path().join("postgres");
    let unfinished = || {
        let entries = std::fs::read_dir(&root).into_iter().flatten().flatten();
        entries.filter(|e| e.file_name().to_string_lossy().starts_with("init-")).count()
    };
    let setup = Server::embedded(folder.path());
    let mut killed = setup.command(&["migrate"]).spawn().unwrap();
    until("the unfinished folder", async || unfinished() > 0).await;
    killed.kill().unwrap();
    killed.wait().unwrap();
    let said = setup.command(&["migrate"]).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    cluster_folder(folder.path());
    // The orphaned initdb may still have been writing; the next start finds it gone.
    assert!(setup.command(&["migrate"]).output().unwrap().status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ordinary_user_runs_a_copy_of_the_program_in_his_own_folder() {
    let folder = open_folder();
    let copy = folder.path().join("dispense");
    std::fs::copy(program(), &copy).unwrap();
    std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o755)).unwrap();
    let home = folder.path().join("home");
    std::fs::create_dir(&home).unwrap();
    let data = home.join("data");
    let mut setup = Server::embedded(&data).program(&copy);
    let mut uid = geteuid().as_raw();
    if geteuid().is_root() {
        let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
        uid = nobody.uid.as_raw();
        std::os::unix::fs::chown(&home, Some(uid), Some(nobody.gid.as_raw())).unwrap();
        setup = setup.user(uid, nobody.gid.as_raw());
    }
    let mut server = setup.start();
    let ready = reqwest::get(server.url("/readyz")).await.unwrap();
    assert!(ready.status().is_success(), "{}", server.log());
    let pid = postmaster(&data).unwrap();
    assert_eq!(PathBuf::from(format!("/proc/{pid}")).metadata().unwrap().uid(), uid);
    let secrets = data.join("secrets.toml").metadata().unwrap();
    assert_eq!((secrets.permissions().mode() & 0o777, secrets.uid()), (0o600, uid));
    assert!(server.terminate().success(), "{}", server.log());
    assert!(!lives(pid));
    if geteuid().is_root() {
        let mut as_root = server.setup().user(0, 0).start();
        let pid = postmaster(&data).unwrap();
        let runs_as = PathBuf::from(format!("/proc/{pid}")).metadata().unwrap().uid();
        assert_eq!(runs_as, uid, "root runs the cluster as the user whose it is");
        assert!(as_root.terminate().success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_dies_under_the_program_is_started_again() {
    let folder = open_folder();
    let cluster = Cluster::start(folder.path(), None).await.unwrap();
    let owner = session(&cluster, DatabaseRole::Owner).await;
    owner.batch_execute("create table kept (id int); insert into kept values (7)").await.unwrap();
    let first = postmaster(folder.path()).unwrap();
    kill(Pid::from_raw(first), Signal::SIGKILL).unwrap();
    until("the database", async || {
        postmaster(folder.path()).is_some_and(|pid| pid != first)
            && tokio_postgres::connect(&cluster.url(DatabaseRole::App), NoTls).await.is_ok()
    })
    .await;
    assert_eq!(one(&session(&cluster, DatabaseRole::Owner).await, "select id from kept").await, "7");
    cluster.stop().await;
    assert_eq!(postmaster(folder.path()), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_meanwhile_belongs_to_another_process_does_not_keep_the_database_down() {
    let folder = open_folder();
    Cluster::start(folder.path(), None).await.unwrap().stop().await;
    let cluster = cluster_folder(folder.path());
    // As after a crash of the machine: the file is there, its number is somebody else's now (ours).
    let text = format!("{}\n{}\n1\n5432\n", std::process::id(), cluster.display());
    std::fs::write(cluster.join("postmaster.pid"), text).unwrap();
    let again = Cluster::start(folder.path(), None).await.unwrap();
    again.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_whose_programs_are_gone_is_refused_and_no_empty_one_is_made_beside_it() {
    let folder = open_folder();
    let old = folder.path().join("postgres/pg9");
    std::fs::create_dir_all(&old).unwrap();
    std::fs::write(old.join("PG_VERSION"), "9\n").unwrap();
    if geteuid().is_root() {
        std::os::unix::fs::chown(folder.path().join("postgres"), Some(65534), Some(65534)).unwrap();
    }
    let refused = Cluster::start(folder.path(), None).await.err().unwrap().to_string();
    assert!(refused.contains("PostgreSQL 9 cluster") && refused.contains("pg_upgrade"), "{refused}");
    let left: Vec<_> = std::fs::read_dir(folder.path().join("postgres")).unwrap().flatten().collect();
    assert!(left.iter().all(|e| ["pg9", "socket"].contains(&&*e.file_name().to_string_lossy())), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_programs_are_told_with_the_way_to_get_them() {
    let (folder, empty) = (open_folder(), open_folder());
    let refused = Cluster::start(folder.path(), Some(empty.path())).await.err().unwrap().to_string();
    assert!(refused.contains("apt-get install postgresql") && refused.contains("database.url"), "{refused}");
}
