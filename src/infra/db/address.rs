//! Where a database listens, and whose certificate it must show there.

use std::sync::Arc;

use diesel::{ConnectionError, ConnectionResult};
use diesel_async::AsyncPgConnection;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::base::outcome::Fault;
use crate::config::Database;

/// An address that connections are opened to. Cheap to clone.
#[derive(Clone)]
pub struct Address {
    config: tokio_postgres::Config,
    /// None: in clear, over a Unix socket or with `sslmode=disable`.
    tls: Option<MakeRustlsConnect>,
}

impl Address {
    /// `url` as it is configured, `database` for the authority that signs the server's certificate. With `database.ca`
    /// every connection over TCP is encrypted, as `sslmode=verify-full` of other programs: that authority alone is
    /// trusted, and the certificate must name the host of the address. Without it the public authorities are trusted, and
    /// a server without TLS is accepted unless the address has `sslmode=require`.
    pub fn new(url: &str, database: &Database) -> Result<Self, Fault> {
        // The parser's complaint does not repeat the address, which has a password.
        let mut config: tokio_postgres::Config =
            url.parse().map_err(|e| Fault::setup(format!("the database's address cannot be read: {e}")))?;
        let local = config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_)));
        if local || config.get_ssl_mode() == SslMode::Disable {
            return Ok(Self { config, tls: None });
        }
        let own = database.authorities().map_err(|e| Fault::setup(format!("database.ca: {e}")))?;
        let roots = match own {
            Some(roots) => {
                config.ssl_mode(SslMode::Require);
                roots
            }
            None => RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() },
        };
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| Fault::bug(e.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { config, tls: Some(MakeRustlsConnect::new(tls)) })
    }

    /// One connection outside any pool.
    pub async fn connect(&self) -> Result<AsyncPgConnection, Fault> {
        self.open().await.map_err(|e| Fault::Database(e.to_string()))
    }

    pub(super) async fn open(&self) -> ConnectionResult<AsyncPgConnection> {
        let bad = |e: tokio_postgres::Error| ConnectionError::BadConnection(with_cause(&e));
        match &self.tls {
            None => {
                let (client, connection) = self.config.connect(tokio_postgres::NoTls).await.map_err(bad)?;
                AsyncPgConnection::try_from_client_and_connection(client, connection).await
            }
            Some(tls) => {
                let (client, connection) = self.config.connect(tls.clone()).await.map_err(bad)?;
                AsyncPgConnection::try_from_client_and_connection(client, connection).await
            }
        }
    }
}

/// An error and what is behind it: "error performing TLS handshake" alone does not name the certificate's fault.
fn with_cause(error: &tokio_postgres::Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
