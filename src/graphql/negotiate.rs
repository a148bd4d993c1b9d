//! Which media type a client wants back, and whether it sent one that is taken (GraphQL over HTTP, sections 4.1 and 6.1).

use crate::rest::accept::{is_utf8, wishes};

/// The media type of server-sent events.
pub const EVENT_STREAM: &str = "text/event-stream";

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// `application/graphql-response+json`: the status code shows whether execution began.
    Response,
    /// `application/json`, for clients older than that: any well-formed request is answered with 200.
    Json,
    /// `text/event-stream`: what runs is written as server-sent events, what cannot run is answered as `Response` is.
    Events,
}

impl Media {
    pub fn header(self) -> &'static str {
        match self {
            Self::Response | Self::Events => "application/graphql-response+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
        }
    }
}

/// The answer's form, or None when the client takes none we have.
pub fn answer(accept: Option<&str>) -> Option<Media> {
    let Some(accept) = accept.filter(|a| !a.trim().is_empty()) else { return Some(Media::Json) };
    wishes(accept).iter().find_map(|wish| match wish.kind.to_ascii_lowercase().as_str() {
        "application/graphql-response+json" => Some(Media::Response),
        "application/json" | "application/*" | "*/*" => Some(Media::Json),
        EVENT_STREAM => Some(Media::Events),
        _ => None,
    })
}

/// Whether the client takes server-sent events, whatever else it takes.
pub fn takes_events(accept: Option<&str>) -> bool {
    accept
        .is_some_and(|accept| wishes(accept).iter().any(|wish| wish.kind.eq_ignore_ascii_case(EVENT_STREAM)))
}

/// Whether a body of this type is read: JSON in UTF-8 only. Anything a browser sends without asking first
/// (`text/plain`, forms) is refused, so that no other site can act in somebody's name.
pub fn takes(content_type: Option<&str>) -> bool {
    let Some(content_type) = content_type else { return false };
    let mut parts = content_type.split(';').map(str::trim);
    parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"))
        && parts.all(|p| match p.split_once('=') {
            Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => is_utf8(value),
            _ => true,
        })
}
