//! Vocabulary without I/O: what every feature speaks in.

pub mod actor;
pub mod caller;
pub mod clock;
pub mod country;
pub mod email;
pub mod error_code;
pub mod ids;
pub mod key_text;
pub mod money;
pub mod network;
pub mod outcome;
pub mod page;
pub mod rfc3339;
pub mod secret;
pub mod text;
