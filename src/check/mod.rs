//! `dispense check`: proves on a live database what must always hold. It shares nothing with what it judges: its
//! questions are SQL of their own that return counter-examples, asked in one snapshot, and the seals and the audit
//! chain are recomputed here.
//!
//! The numbers are those of the fault matrix. What only the journals of gateways and clients can show (what was
//! answered to whom, which mail was accepted) is proven by the tests. With `--ask` the gateways are asked what they say of
//! the payments that are open or moved lately.

mod asked;
mod attempts;
mod bundles;
mod buyers;
mod callers;
mod chain;
mod downloads;
mod goods;
mod hooks;
mod keys;
mod licences;
mod lists;
mod messages;
mod money;
mod money_back;
mod notices;
mod report;
mod retention;
mod run;
mod seals;
mod secrets;
mod suppliers;
mod waiting;
mod warranty;

pub use asked::Since;
pub use report::{AskedReport, CheckReport, CheckVerdict, Finding, NotAsked};
pub use run::{ask, ask_gateways, run, run_at};
