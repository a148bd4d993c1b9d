//! All SQL that changes files, uploads and grants.

mod contents;
mod grants;
mod uploads;

pub use contents::*;
pub use grants::*;
pub use uploads::*;
