//! Whether the process lives, and whether it can serve. To the public that is yes or no.

use std::sync::Arc;

use poem::handler;
use poem::web::Data;

use crate::base::error_code::ErrorCode;
use crate::rest::problem::Problem;
use crate::rest::state::RestBackend;

/// 200 as long as the process answers at all; looks at nothing else, so that a restart is not the answer to a
/// database that is down.
#[handler]
pub fn healthz() -> &'static str {
    "ok\n"
}

/// 200 when the database answers, has the tables this program knows and takes a write; else 503.
#[handler]
pub async fn readyz(backend: Data<&Arc<RestBackend>>) -> Result<&'static str, Problem> {
    match backend.readiness.ask(&backend.db).await.verdict {
        Ok(()) => Ok("ready\n"),
        Err(unready) => {
            let mut problem = Problem::new(ErrorCode::Unavailable, "the shop is not ready").after(1);
            problem.fault = Some(format!("{}: {}", unready.reason, unready.fault));
            Err(problem)
        }
    }
}
