//! What leaves by age: uploads that came to nothing. Their content left when they expired.

use crate::infra::retention::Rule;

/// Rules of the tables of files.
pub const RETENTION: &[Rule] = &[Rule {
    table: "upload",
    days: |config| config.retention.upload_days,
    leaves: crate::infra::retention::old_rows!("upload", "id", "expires_at", "state = 'expired'"),
}];
