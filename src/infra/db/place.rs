//! Which database: the cluster of our own, or the one that an address names.

use std::path::Path;

use crate::base::outcome::Fault;
use crate::infra::db::embedded::{Cluster, Role};
use crate::infra::db::migrate;
use crate::infra::db::pool::connect_to;

/// An open way to the database, and the cluster behind it when it is ours.
pub struct Place {
    cluster: Option<Cluster>,
    url: String,
    owner_url: String,
    runtime_role: String,
}

impl Place {
    /// The server at `url`. `owner_url` is the schema owner's; without it the runtime role migrates.
    pub fn given(url: &str, owner_url: Option<&str>, runtime_role: &str) -> Self {
        Self {
            cluster: None,
            url: url.to_owned(),
            owner_url: owner_url.unwrap_or(url).to_owned(),
            runtime_role: runtime_role.to_owned(),
        }
    }

    /// Starts the cluster of the data folder. With `visit`, a cluster that another program runs is used instead
    /// of refused.
    pub async fn own(data: &Path, programs: Option<&Path>, visit: bool) -> Result<Self, Fault> {
        let cluster = if visit {
            Cluster::visit(data, programs).await?
        } else {
            Cluster::start(data, programs).await?
        };
        Ok(Self {
            url: cluster.url(Role::App),
            owner_url: cluster.url(Role::Owner),
            runtime_role: Role::App.as_str().to_owned(),
            cluster: Some(cluster),
        })
    }

    /// Address for the runtime role.
    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn is_own(&self) -> bool {
        self.cluster.is_some()
    }

    /// Brings the schema up to date as its owner; answers how many migrations ran.
    pub async fn migrate(&self) -> Result<usize, Fault> {
        migrate::up(connect_to(&self.owner_url).await?, &self.runtime_role).await
    }

    /// Makes sure that the schema is up to date: our own cluster's is brought there, another's is only looked at,
    /// because a running shop does not hold the owner's rights.
    pub async fn make_ready(&self) -> Result<(), Fault> {
        if self.is_own() {
            return self.migrate().await.map(|_| ());
        }
        if migrate::is_current(&mut connect_to(&self.url).await?).await? {
            return Ok(());
        }
        Err(Fault::setup("the database lacks migrations of this program; run `dispense migrate` first"))
    }

    /// Stops the cluster when it is ours and waits for it.
    pub async fn close(self) {
        if let Some(cluster) = self.cluster {
            cluster.stop().await;
        }
    }
}
