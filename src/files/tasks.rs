//! What of files is put before a person.

use crate::base::ids::{FileId, FileVersionId};
use crate::infra::effects::record::record;
use crate::infra::effects::tasks::task_kinds;

record! {
    pub struct OfVersion {
        file: FileId,
        /// The file's name.
        name: String,
    }
}

task_kinds! {
    /// Tasks of files.
    pub const TASKS = [
        /// The content of a version is not stored any more, or not whole: bring it back from a backup, or yank the version; it
        /// ends by itself when the content is there again.
        "content_missing" ContentMissing(FileVersionId, OfVersion),
    ];
}
