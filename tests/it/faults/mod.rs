//! What must be survived: crowds, kills, lost commits. Real processes, real signals.

mod acts;
mod commit;
mod crowds;
mod four;
mod imports;
mod kills;
mod reservations;
mod rows;
pub mod shop;
mod storm;
pub mod town;
