//! After a backup was restored: what the world did since is asked for before anything is sold again. A new epoch of the
//! database begins, held: no order is placed, no payment started, and every key that is free in the backup is frozen,
//! because it may have been sold after it. Then each gateway is asked about every attempt that the backup knows and for
//! its statements since; what nobody here knows is listed and put before a person. Then sales go on.

mod ask;
mod release;
mod report;
mod run;
mod store;

pub use ask::sweep;
pub use release::release;
pub use report::RestoredReport;
pub use run::run;
