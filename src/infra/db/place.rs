//! Which database: the cluster of our own, or the one that an address names.

use std::path::Path;

use crate::base::outcome::Fault;
use crate::config::{Config, Database};
use crate::infra::db::address::Address;
use crate::infra::db::embedded::{Cluster, DatabaseRole};
use crate::infra::db::migrate::{self, SchemaState};

/// An open way to the database, and the cluster behind it when it is ours.
pub struct DatabasePlace {
    cluster: Option<Cluster>,
    url: String,
    app: Address,
    owner: Address,
    runtime_role: String,
    accept_newer: bool,
}

impl DatabasePlace {
    /// The database that the configuration names: the server of `database.url`, else the cluster of the data folder,
    /// which is started. With `visit`, a cluster that another program runs is used instead of refused.
    pub async fn open(config: &Config, visit: bool) -> Result<Self, Fault> {
        let database = &config.database;
        match &database.url {
            Some(url) => Self::given(url.expose(), database),
            None => Self::own(&config.data, database, visit).await,
        }
    }

    /// The server at `url`. Without `database.owner_url` the runtime role migrates.
    fn given(url: &str, database: &Database) -> Result<Self, Fault> {
        let owner = database.owner_url.as_ref().map_or(url, |owner| owner.expose());
        Ok(Self {
            cluster: None,
            url: url.to_owned(),
            app: Address::new(url, database)?,
            owner: Address::new(owner, database)?,
            runtime_role: database.runtime_role.clone(),
            accept_newer: database.accept_newer,
        })
    }

    async fn own(data: &Path, database: &Database, visit: bool) -> Result<Self, Fault> {
        let programs = database.programs.as_deref();
        let cluster = if visit {
            Cluster::visit(data, programs).await?
        } else {
            Cluster::start(data, programs).await?
        };
        let url = cluster.url(DatabaseRole::App);
        Ok(Self {
            app: Address::new(&url, database)?,
            owner: Address::new(&cluster.url(DatabaseRole::Owner), database)?,
            url,
            runtime_role: DatabaseRole::App.as_str().to_owned(),
            accept_newer: database.accept_newer,
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
        migrate::up(self.owner.connect().await?, &self.runtime_role, self.accept_newer).await
    }

    /// Makes sure that the schema is up to date: our own cluster's is brought there, another's is only looked at,
    /// because a running shop does not hold the owner's rights.
    pub async fn make_ready(&self) -> Result<(), Fault> {
        if self.is_own() {
            return self.migrate().await.map(|_| ());
        }
        let state = migrate::state(&mut self.app.connect().await?).await?;
        state.admit(self.accept_newer)?;
        if state == SchemaState::Behind {
            let text = "the database lacks migrations of this program; run `dispense migrate` first";
            return Err(Fault::setup(text));
        }
        Ok(())
    }

    /// Stops the cluster when it is ours and waits for it.
    pub async fn close(self) {
        if let Some(cluster) = self.cluster {
            cluster.stop().await;
        }
    }
}
