//! Files that are sold: uploading and publishing them, the right to download one (a *grant*), links, counted
//! download sessions, and serving the bytes.

pub mod access;
pub mod events;
pub mod grant;
pub mod jobs;
pub mod kit;
pub mod link;
pub mod model;
pub mod name;
pub mod publish;
pub mod range;
pub mod read;
pub mod serve;
pub mod session;
pub mod state;
pub mod store;
pub mod sweep;
pub mod upload;

pub use grant::{extend_grant, grant, revoke, revoke_grant};
pub use link::{ClaimLink, DownloadLink, claim_links, create_download_link};
pub use model::{FileVersion, GrantWant, Granted, Standing, Upload};
pub use publish::{NewVersion, publish_version, yank_version};
pub use serve::Streams;
pub use upload::{NewUpload, create_upload};
