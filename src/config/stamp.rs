use std::path::Path;
use std::time::SystemTime;

use crate::config::Sources;

/// What the configuration's files look like from outside. Two equal ones: nobody wrote in between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp([Option<(SystemTime, u64, u64)>; 2]);

impl Stamp {
    /// Of the file and `.env` as they are now; the environment of a running program does not change.
    pub fn of(sources: &Sources) -> Self {
        Self([of_file(&sources.main_file()), sources.dotenv.as_deref().and_then(of_file)])
    }
}

/// Time of the last change, length, and which file it is: editors put a new one in the old one's place.
fn of_file(path: &Path) -> Option<(SystemTime, u64, u64)> {
    let found = std::fs::metadata(path).ok()?;
    Some((found.modified().ok()?, found.len(), std::os::unix::fs::MetadataExt::ino(&found)))
}
