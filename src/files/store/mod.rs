//! All SQL that changes files, uploads and grants.

mod grants;
mod uploads;

pub use grants::*;
pub use uploads::*;
