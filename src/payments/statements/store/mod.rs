//! All SQL of statements but the questions of staff.

pub mod books;
pub mod facts;
pub mod runs;
