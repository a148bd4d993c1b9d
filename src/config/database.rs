use std::path::PathBuf;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;
use tokio_postgres::config::{Host, SslMode};

use crate::base::secret::Secret;
use crate::config::load::Faults;

/// `[database]`: empty means a cluster of our own in the data folder.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// `postgres://…` of the runtime role.
    pub url: Option<Secret>,
    /// `postgres://…` of the schema's owner, used by `dispense migrate` alone; empty: the runtime role's.
    pub owner_url: Option<Secret>,
    /// PEM file with the certificates of the authority that signs the server's; empty: the public authorities.
    pub ca: Option<PathBuf>,
    /// Folder of PostgreSQL's server programs, for the cluster of our own; empty: looked for.
    pub programs: Option<PathBuf>,
    /// Name of the runtime role that the migrations grant rights to.
    pub runtime_role: String,
    /// Works on a database that a newer version migrated.
    pub accept_newer: bool,
    /// Connections for requests. Notices have eight of their own beside all these.
    pub connections: usize,
    /// Connections for the requests of those who sell and of staff.
    pub report_connections: usize,
    /// Connections for jobs and sweeps.
    pub background_connections: usize,
    pub statement_timeout_ms: u64,
    pub lock_timeout_ms: u64,
    /// How long a request waits for a free connection.
    pub wait_ms: u64,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            url: None,
            owner_url: None,
            ca: None,
            programs: None,
            runtime_role: "dispense_app".into(),
            accept_newer: false,
            connections: 16,
            report_connections: 4,
            background_connections: 8,
            statement_timeout_ms: 5_000,
            lock_timeout_ms: 3_000,
            wait_ms: 1_000,
        }
    }
}

impl Database {
    pub(super) fn check(&self, faults: &mut Faults) {
        for (key, url) in [("database.url", &self.url), ("database.owner_url", &self.owner_url)] {
            let bad = |url: &&Secret| {
                let read = url.expose().parse::<tokio_postgres::Config>();
                !read.is_ok_and(|c| !c.get_hosts().is_empty())
            };
            if url.as_ref().filter(bad).is_some() {
                faults.add(key, "takes an address such as postgres://user:password@host:5432/database");
            }
        }
        if self.owner_url.is_some() && self.url.is_none() {
            faults.add("database.owner_url", "means nothing without database.url");
        }
        self.check_ca(faults);
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if self.runtime_role.is_empty() || !self.runtime_role.bytes().all(plain) {
            faults.add("database.runtime_role", "has lower-case letters, digits and underscores");
        }
    }

    fn check_ca(&self, faults: &mut Faults) {
        if self.ca.is_none() {
            return;
        }
        if self.url.is_none() {
            faults.add("database.ca", "means nothing without database.url");
        }
        for (key, url) in [("database.url", &self.url), ("database.owner_url", &self.owner_url)] {
            let Some(Ok(url)) = url.as_ref().map(|url| url.expose().parse::<tokio_postgres::Config>()) else {
                continue;
            };
            if url.get_ssl_mode() == SslMode::Disable {
                faults
                    .add(key, "has sslmode=disable, which makes database.ca useless: leave out one of them");
            } else if url.get_hosts().iter().any(|host| matches!(host, Host::Unix(_))) {
                faults.add(key, "names a Unix socket, which has no certificate that database.ca could check");
            }
        }
        if let Err(fault) = self.authorities() {
            faults.add("database.ca", fault);
        }
    }

    /// The certificates of `ca`, which alone are trusted then; none when it is not set. The error names the file's fault.
    pub fn authorities(&self) -> Result<Option<RootCertStore>, String> {
        let Some(path) = &self.ca else { return Ok(None) };
        let file = path.display();
        let pem = std::fs::read(path).map_err(|e| format!("{file} cannot be read: {e}"))?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let certificate = certificate.map_err(|e| format!("{file} is no PEM file: {e}"))?;
            roots
                .add(certificate)
                .map_err(|e| format!("{file} has a certificate that cannot be used: {e}"))?;
        }
        if roots.is_empty() {
            return Err(format!("{file} has no certificate in PEM form (-----BEGIN CERTIFICATE-----)"));
        }
        Ok(Some(roots))
    }
}
