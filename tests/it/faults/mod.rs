//! What must be survived: crowds, kills, lost commits. Real processes, real signals.

mod acts;
mod commit;
mod crowds;
mod imports;
mod kills;
mod reservations;
pub mod shop;
mod storm;
