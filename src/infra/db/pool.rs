//! A pool for each purpose over one database, so that neither a crowd of readers nor a long report can keep a payment from
//! being settled or a job from running. A transaction that is dropped without `commit` is rolled back.

use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

use deadpool::Runtime;
use deadpool::managed::{Object, PoolError};
use diesel::ConnectionError;
use diesel_async::pooled_connection::deadpool::Pool;
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};
use diesel_async::{AnsiTransactionManager, AsyncPgConnection, SimpleAsyncConnection, TransactionManager};
use futures::FutureExt;
use metrics::{counter, histogram};

use crate::base::outcome::Fault;
use crate::infra::db::address::Address;
use crate::infra::db::errors::is_connection_lost;
use crate::infra::db::purpose::Purpose;

/// The way to the database. Cheap to clone.
#[derive(Clone)]
pub struct Db {
    /// By purpose.
    pools: [Pool<AsyncPgConnection>; 4],
    address: Address,
}

/// One connection outside a transaction: for a single statement, or reads that need no common snapshot.
pub type Connection = Object<AsyncDieselConnectionManager<AsyncPgConnection>>;

/// Limits of the pools and their sessions.
#[derive(Clone, Debug)]
pub struct Limits {
    /// For requests.
    pub connections: usize,
    pub report_connections: usize,
    pub background_connections: usize,
    /// How long a caller waits for a free connection.
    pub wait: Duration,
    pub statement_timeout: Duration,
    pub lock_timeout: Duration,
}

/// Connections that only notices use: two slices, what is asked and stored beside them, and four that wait for orders that
/// others hold.
const NOTICES: usize = 8;

impl Db {
    /// Opens no connection yet; the first use does.
    pub fn new(address: Address, limits: &Limits) -> Result<Self, Fault> {
        let [requests, reports, background, notices] =
            Purpose::ALL.map(|purpose| pool(&address, limits, purpose));
        Ok(Self { pools: [requests?, reports?, background?, notices?], address })
    }

    /// A connection for the purpose of the current task.
    pub async fn conn(&self) -> Result<Connection, Fault> {
        self.conn_for(Purpose::current()).await
    }

    pub async fn conn_for(&self, purpose: Purpose) -> Result<Connection, Fault> {
        let began = Instant::now();
        let got = self.pools[purpose as usize].get().await;
        histogram!("dispense_db_wait_seconds", "purpose" => purpose.name())
            .record(began.elapsed().as_secs_f64());
        got.map_err(|error| match error {
            PoolError::Timeout(_) => {
                counter!("dispense_db_refused_total", "purpose" => purpose.name()).increment(1);
                Fault::Overloaded("all database connections are in use")
            }
            other => Fault::Database(other.to_string()),
        })
    }

    /// Opens a transaction for the purpose of the current task.
    pub async fn begin(&self) -> Result<Transaction, Fault> {
        self.begin_for(Purpose::current()).await
    }

    pub async fn begin_for(&self, purpose: Purpose) -> Result<Transaction, Fault> {
        let mut conn = self.conn_for(purpose).await?;
        AnsiTransactionManager::begin_transaction(&mut *conn).await?;
        Ok(Transaction { conn: Some(conn) })
    }

    /// A connection of its own outside the pools, for LISTEN and for session locks.
    pub async fn dedicated(&self) -> Result<AsyncPgConnection, Fault> {
        self.address.connect().await
    }
}

/// An open transaction. Dropping it rolls back and gives the connection back once that is done.
pub struct Transaction {
    conn: Option<Connection>,
}

impl Transaction {
    /// Commits. A connection that dies on the way leaves the outcome unknown: the caller looks it up by a unique
    /// row of its own, never guesses.
    pub async fn commit(mut self) -> Result<(), Fault> {
        let Some(mut conn) = self.conn.take() else { return Err(Fault::bug("transaction already ended")) };
        AnsiTransactionManager::commit_transaction(&mut *conn).await.map_err(|error| {
            if is_connection_lost(&error) { Fault::CommitUnknown(error.to_string()) } else { error.into() }
        })
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        let Some(mut conn) = self.conn.take() else { return };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                // A connection that cannot roll back is broken, and the pool discards it.
                let _ = AnsiTransactionManager::rollback_transaction(&mut *conn).await;
            });
        }
    }
}

#[allow(clippy::expect_used)]
impl Deref for Transaction {
    type Target = AsyncPgConnection;
    fn deref(&self) -> &AsyncPgConnection {
        self.conn.as_ref().expect("only commit and drop take the connection")
    }
}

#[allow(clippy::expect_used)]
impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut AsyncPgConnection {
        self.conn.as_mut().expect("only commit and drop take the connection")
    }
}

fn pool(address: &Address, limits: &Limits, purpose: Purpose) -> Result<Pool<AsyncPgConnection>, Fault> {
    let size = match purpose {
        Purpose::Requests => limits.connections,
        Purpose::Reports => limits.report_connections,
        Purpose::Background => limits.background_connections,
        Purpose::Notices => NOTICES,
    };
    let settings = format!(
        "set statement_timeout = {}; set lock_timeout = {}; set idle_in_transaction_session_timeout = {}; \
         set timezone = 'UTC'; set plan_cache_mode = {}; set application_name = 'dispense'",
        limits.statement_timeout.as_millis(),
        limits.lock_timeout.as_millis(),
        limits.statement_timeout.as_millis() * 2,
        if purpose == Purpose::Notices { "force_generic_plan" } else { "auto" },
    );
    let mut config = ManagerConfig::<AsyncPgConnection>::default();
    config.recycling_method = RecyclingMethod::Fast;
    let address = address.clone();
    config.custom_setup = Box::new(move |_| {
        let (address, settings) = (address.clone(), settings.clone());
        async move {
            let mut conn = address.open().await?;
            conn.batch_execute(&settings).await.map_err(ConnectionError::CouldntSetupConfiguration)?;
            Ok(conn)
        }
        .boxed()
    });
    let manager = AsyncDieselConnectionManager::<AsyncPgConnection>::new_with_config("", config);
    Pool::builder(manager)
        .max_size(size)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(limits.wait))
        .create_timeout(Some(Duration::from_secs(5)))
        .build()
        .map_err(|e| Fault::bug(e.to_string()))
}
