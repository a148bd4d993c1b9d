//! `dispense check`: proves on a live database what must always hold. It shares nothing with what it judges: its
//! questions are SQL of their own that return counter-examples, asked in one snapshot, and the seals and the audit
//! chain are recomputed here.
//!
//! The numbers are those of the fault matrix. What only the journals of gateways and clients can tell (what was
//! answered to whom, which mail was accepted) is proven by the tests.

mod attempts;
mod buyers;
mod callers;
mod chain;
mod downloads;
mod goods;
mod keys;
mod messages;
mod money;
mod money_back;
mod notices;
mod report;
mod run;
mod seals;

pub use report::{Finding, Report, Verdict};
pub use run::{ask, run, run_at};
