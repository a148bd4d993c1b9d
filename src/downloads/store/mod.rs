//! All SQL that changes files, grants, links and sessions.

mod files;
mod grants;

pub use files::*;
pub use grants::*;
