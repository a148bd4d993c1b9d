//! Whether the process lives, and whether it can serve.

use std::sync::Arc;
use std::time::Duration;

use poem::handler;
use poem::web::Data;

use crate::base::error_code::ErrorCode;
use crate::infra::db::migrate;
use crate::rest::problem::Problem;
use crate::rest::state::RestBackend;

/// How long the database may take to answer before the program counts as not ready.
const PATIENCE: Duration = Duration::from_secs(1);

/// 200 as long as the process answers at all; looks at nothing else, so that a restart is not the answer to a
/// database that is down.
#[handler]
pub fn healthz() -> &'static str {
    "ok\n"
}

/// 200 when the database answers and has the tables this program knows; else 503.
#[handler]
pub async fn readyz(backend: Data<&Arc<RestBackend>>) -> Result<&'static str, Problem> {
    let not_ready = |detail: &'static str, fault: String| {
        let mut problem = Problem::new(ErrorCode::Unavailable, detail).after(1);
        problem.fault = Some(fault);
        problem
    };
    let look = async {
        let mut conn = backend.db.conn().await?;
        migrate::is_current(&mut conn).await
    };
    match tokio::time::timeout(PATIENCE, look).await {
        Ok(Ok(true)) => Ok("ready\n"),
        Ok(Ok(false)) => {
            Err(not_ready("the database has not been migrated", "migrations are missing".into()))
        }
        Ok(Err(fault)) => Err(not_ready("the database does not answer", fault.to_string())),
        Err(_) => Err(not_ready("the database does not answer", "the readiness query timed out".into())),
    }
}
