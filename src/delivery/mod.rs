//! What was bought on its way to its buyer: secrets shown, mails sent again, trouble reported and answered, pieces
//! delivered by a person or replaced, batches recalled, links, counted download sessions, and the bytes.

pub mod access;
pub mod cases;
pub mod events;
pub mod fulfil_by_hand;
pub mod grant;
pub mod jobs;
pub mod kit;
pub mod link;
pub mod messages;
pub mod model;
pub mod range;
pub mod read;
pub mod recall;
pub mod replace;
pub mod report;
pub mod resend;
pub mod retention;
pub mod reveal;
pub mod reveal_for_staff;
pub mod serve;
pub mod session;
pub mod store;
pub mod streams;
pub mod sweep;
pub mod tasks;

pub use grant::{extend_grant, revoke_grant};
pub use link::{ClaimLink, DownloadLink, claim_links, create_download_link};
pub use model::GrantStanding;
pub use streams::Streams;
