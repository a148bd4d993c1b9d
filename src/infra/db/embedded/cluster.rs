//! The cluster as its owner sees it.

use std::path::Path;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::base::outcome::Fault;
use crate::infra::db::embedded::folder::{self, Folder};
use crate::infra::db::embedded::postmaster::{Launch, Postmaster};
use crate::infra::db::embedded::{initialise, programs};

/// As whom a session works (K15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseRole {
    /// Owns the schema; migrations alone.
    Owner,
    /// Everything else.
    App,
}

impl DatabaseRole {
    pub fn as_str(self) -> &'static str {
        match self {
            DatabaseRole::Owner => "dispense_owner",
            DatabaseRole::App => "dispense_app",
        }
    }
}

/// A running cluster. Dropping it stops the server too, but does not wait for it.
pub struct Cluster {
    folder: Folder,
    /// None when another program owns the cluster and we only visit.
    watch: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Cluster {
    /// Starts the cluster of this data folder and makes it first when there is none. `programs` names the folder of
    /// PostgreSQL's programs; without it they are looked for. Refuses when another program has the cluster, when
    /// the programs are missing, and when the cluster is of a version whose programs are gone.
    pub async fn start(data: &Path, programs: Option<&Path>) -> Result<Self, Fault> {
        match Self::start_unless_owned(data, programs).await? {
            Some(cluster) => Ok(cluster),
            None => Err(Fault::setup(format!(
                "another program uses the data folder {} already; stop it first, or name another folder by --data",
                data.display()
            ))),
        }
    }

    /// Visits the cluster when another program runs it, starts it otherwise: for commands that do one thing
    /// beside a running shop.
    pub async fn visit(data: &Path, programs: Option<&Path>) -> Result<Self, Fault> {
        if let Some(cluster) = Self::start_unless_owned(data, programs).await? {
            return Ok(cluster);
        }
        let (folder, _) = Folder::of(data).await?;
        Ok(Self { folder, watch: None })
    }

    async fn start_unless_owned(data: &Path, named: Option<&Path>) -> Result<Option<Self>, Fault> {
        let (folder, runner) = Folder::of(data).await?;
        let Some(lock) = folder::own(data)? else { return Ok(None) };
        runner.own_folder(&folder.root)?;
        runner.own_folder(&folder.socket)?;
        let (programs, cluster) = match folder.existing() {
            Some((cluster, major)) => (programs::of_version(major, &cluster, named).await?, cluster),
            None => {
                let programs = programs::newest(named).await?;
                let cluster = initialise::make(&folder, &runner, &programs).await?;
                (programs, cluster)
            }
        };
        let url = url(&folder, DatabaseRole::App);
        let launch = Launch { folder: folder.clone(), runner, programs, cluster, url };
        let server = launch.start().await?;
        let (stop, stopped) = oneshot::channel();
        let watch = tokio::spawn(async move {
            watch(server, launch, stopped).await;
            drop(lock);
        });
        Ok(Some(Self { folder, watch: Some((stop, watch)) }))
    }

    /// Address of the database for tokio-postgres.
    pub fn url(&self, role: DatabaseRole) -> String {
        url(&self.folder, role)
    }

    /// Stops the server and waits for its end. A visitor leaves it running.
    pub async fn stop(self) {
        if let Some((stop, watch)) = self.watch {
            let _ = stop.send(());
            let _ = watch.await;
        }
    }
}

/// Keeps the server up until it is asked to stop, or until the `Cluster` is dropped.
async fn watch(mut server: Postmaster, launch: Launch, mut stopped: oneshot::Receiver<()>) {
    loop {
        tokio::select! {
            _ = &mut stopped => return server.stop().await,
            () = server.ended() => tracing::error!(pid = server.id(), "the database ended by itself; starting it again"),
        }
        server = loop {
            let again = tokio::select! {
                _ = &mut stopped => {
                    // The start that was given up has asked its server to stop.
                    return launch.wait_until_gone().await;
                }
                again = launch.start() => again,
            };
            match again {
                Ok(server) => break server,
                Err(fault) => tracing::error!(%fault, "the database does not start"),
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        };
    }
}

fn url(folder: &Folder, role: DatabaseRole) -> String {
    let host: String =
        url::form_urlencoded::byte_serialize(folder.socket.as_os_str().as_encoded_bytes()).collect();
    // A space is `+` in forms, and the driver does not know that.
    let host = host.replace('+', "%20");
    format!("postgres:///dispense?host={host}&port=5432&user={}", role.as_str())
}
