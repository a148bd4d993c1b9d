//! A PostgreSQL server whose certificate a private authority signed.

use std::path::{Path, PathBuf};

use dispense::base::secret::Secret;
use dispense::config::Database;
use dispense::infra::db::Address;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::harness::{DurableCluster, Server};

/// A certificate authority of this test.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Certificate and private key of a server of that name, in PEM form.
    fn signs_for(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// Its own certificate as a file.
    fn file(&self, folder: &Path, name: &str) -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, self.0.pem()).unwrap();
        path
    }
}

/// What comes of one connection: whether it is encrypted, or why there is none.
async fn connects(url: &str, ca: Option<&Path>) -> Result<bool, String> {
    #[derive(diesel::QueryableByName)]
    struct Encrypted {
        #[diesel(sql_type = diesel::sql_types::Bool)]
        ssl: bool,
    }
    let database = Database { ca: ca.map(Path::to_owned), ..Database::default() };
    let address = Address::new(url, &database).map_err(|fault| fault.to_string())?;
    let mut conn = address.connect().await.map_err(|fault| fault.to_string())?;
    let query = diesel::sql_query("select ssl from pg_stat_ssl where pid = pg_backend_pid()");
    let found: Encrypted = diesel_async::RunQueryDsl::get_result(query, &mut conn).await.unwrap();
    Ok(found.ssl)
}

/// Rows: X3.
#[tokio::test(flavor = "multi_thread")]
async fn a_private_authority_is_trusted_alone_and_for_the_name_it_signed() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, other) = (Authority::new(), Authority::new());
    let (certificate, key) = ours.signs_for("localhost");
    let cluster = DurableCluster::start_with_tls(&certificate, &key).await;
    let (right, wrong) = (ours.file(folder.path(), "ca.pem"), other.file(folder.path(), "other.pem"));
    let at = |host: &str, more: &str| cluster.tcp_url("dispense_owner", "postgres", host, more);

    assert_eq!(connects(&at("localhost", ""), Some(&right)).await, Ok(true));
    assert_eq!(connects(&at("localhost", "sslmode=prefer"), Some(&right)).await, Ok(true));
    let refused = connects(&at("localhost", ""), Some(&wrong)).await.unwrap_err();
    assert!(refused.contains("UnknownIssuer") || refused.contains("BadSignature"), "{refused}");
    // The same server by a name that its certificate does not have.
    let refused = connects(&at("127.0.0.1", ""), Some(&right)).await.unwrap_err();
    assert!(refused.contains("not valid for"), "{refused}");
    let refused = connects(&at("shop.example", "hostaddr=127.0.0.1"), Some(&right)).await.unwrap_err();
    assert!(refused.contains("not valid for"), "{refused}");
    // The public authorities know nothing of it.
    let refused = connects(&at("localhost", "sslmode=require"), None).await.unwrap_err();
    assert!(refused.contains("UnknownIssuer"), "{refused}");
}

/// Rows: X3.
#[tokio::test(flavor = "multi_thread")]
async fn with_an_authority_a_server_without_tls_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = DurableCluster::start_on_tcp().await;
    let ca = Authority::new().file(folder.path(), "ca.pem");
    let url = cluster.tcp_url("dispense_owner", "postgres", "localhost", "sslmode=prefer");
    assert_eq!(connects(&url, None).await, Ok(false));
    let refused = connects(&url, Some(&ca)).await.unwrap_err();
    assert!(refused.contains("does not support TLS"), "{refused}");
}

/// Rows: X3.
#[tokio::test(flavor = "multi_thread")]
async fn the_whole_program_runs_over_a_server_that_takes_nothing_in_clear() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let (certificate, key) = authority.signs_for("localhost");
    let cluster = DurableCluster::start_with_tls(&certificate, &key).await;
    let admin = cluster.client("dispense_owner", "postgres").await;
    admin.batch_execute("create database shop template template0").await.unwrap();
    let url = |role: &str| cluster.tcp_url(role, "shop", "localhost", "");
    let ca = authority.file(folder.path(), "ca.pem");
    let setup = Server::of(&url("dispense_app"))
        .env("DISPENSE_DATABASE__OWNER_URL", url("dispense_owner"))
        .env("DISPENSE_DATABASE__CA", ca.display().to_string());
    for command in [&["migrate"][..], &["check"]] {
        let out = setup.command(command).output().unwrap();
        assert!(out.status.success(), "{command:?}: {}", String::from_utf8_lossy(&out.stderr));
    }
    let mut server = setup.start();
    let ready = reqwest::get(server.url("/readyz")).await.unwrap();
    assert_eq!(ready.status(), 200, "{}", server.log());
    let open = "select count(*) filter (where ssl), count(*) filter (where not ssl) \
                from pg_stat_ssl join pg_stat_activity using (pid) where datname = 'shop'";
    // Who is connected and how, only the superuser sees of others.
    let superuser = cluster.client("postgres", "postgres").await;
    let row = superuser.query_one(open, &[]).await.unwrap();
    assert!(row.get::<_, i64>(0) >= 2, "the pool and the listener are connected");
    assert_eq!(row.get::<_, i64>(1), 0, "nothing is in clear");
    assert!(server.terminate().success(), "{}", server.log());
}

#[test]
fn an_authority_that_cannot_be_used_is_a_fault_of_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let (_, key) = Authority::new().signs_for("localhost");
    for (path, fault) in [
        (folder.path().join("missing.pem"), "cannot be read"),
        (folder.path().to_owned(), "cannot be read"),
        (file("empty.pem", ""), "has no certificate"),
        (file("key.pem", &key), "has no certificate"),
        (
            file("broken.pem", "-----BEGIN CERTIFICATE-----\nbm9uZQ==\n-----END CERTIFICATE-----\n"),
            "cannot be used",
        ),
    ] {
        let url = Some(Secret::new("postgres://a@host/b"));
        let reported = Database { url, ca: Some(path), ..Database::default() }.authorities().unwrap_err();
        assert!(reported.contains(fault), "{reported}");
    }
}
