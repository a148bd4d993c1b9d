//! Database errors as refusals (a named constraint that says no) or faults.

use diesel::result::{DatabaseErrorKind, Error};

use crate::base::outcome::{Failure, Fault, Refusal};

/// Constraints whose violation is an expected no. Others are bugs.
pub trait ResultExt<T> {
    /// Turns the violation of the named constraint into a refusal.
    fn on_constraint(self, name: &str, refusal: impl FnOnce() -> Refusal) -> Result<T, Failure>;
}

impl<T> ResultExt<T> for Result<T, Error> {
    fn on_constraint(self, name: &str, refusal: impl FnOnce() -> Refusal) -> Result<T, Failure> {
        self.map_err(|error| if violated(&error, name) { refusal().into() } else { Failure::from(error) })
    }
}

/// Whether this error is the violation of the named constraint.
pub fn violated(error: &Error, name: &str) -> bool {
    matches!(error, Error::DatabaseError(_, info) if info.constraint_name() == Some(name))
}

/// Serialisation failures and deadlocks: the whole transaction may be tried again at once.
pub fn is_transient(error: &Error) -> bool {
    match error {
        Error::DatabaseError(DatabaseErrorKind::SerializationFailure, _) => true,
        Error::DatabaseError(_, info) => info.message().contains("deadlock detected"),
        _ => false,
    }
}

/// A lock that did not come within `lock_timeout`.
pub fn is_lock_timeout(error: &Error) -> bool {
    matches!(error, Error::DatabaseError(_, info) if info.message().contains("due to lock timeout"))
}

/// The connection is gone: nothing is known about a statement that was on its way.
pub fn is_connection_lost(error: &Error) -> bool {
    match error {
        Error::BrokenTransactionManager => true,
        Error::DatabaseError(
            DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand,
            _,
        ) => true,
        Error::DatabaseError(_, info) => {
            info.message().contains("connection closed") || info.message().contains("terminating connection")
        }
        _ => false,
    }
}

impl From<Error> for Fault {
    /// The message of PostgreSQL without its DETAIL, which quotes values.
    fn from(error: Error) -> Self {
        match &error {
            Error::DatabaseError(kind, info) => {
                let constraint = info.constraint_name().map(|c| format!(" ({c})")).unwrap_or_default();
                let text = format!("{}{constraint}", info.message());
                match kind {
                    DatabaseErrorKind::UniqueViolation
                    | DatabaseErrorKind::ForeignKeyViolation
                    | DatabaseErrorKind::NotNullViolation
                    | DatabaseErrorKind::CheckViolation => Fault::Bug(text),
                    _ => Fault::Database(text),
                }
            }
            Error::NotFound => Fault::Bug("a row that must exist does not".into()),
            Error::BrokenTransactionManager | Error::RollbackErrorOnCommit { .. } => {
                Fault::Database(error.to_string())
            }
            _ => Fault::Bug(error.to_string()),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Fault(error.into())
    }
}

/// That a statement changed the one row it was for. A row that is locked, or that its key names, is there: another count is
/// a bug, and what else was written with it must not be committed.
pub fn one(changed: usize, row: &str) -> Result<(), Fault> {
    if changed == 1 {
        Ok(())
    } else {
        Err(Fault::bug(format!("{changed} rows changed instead of one {row}")))
    }
}
