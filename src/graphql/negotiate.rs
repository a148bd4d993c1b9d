//! Which media type a client wants back, and whether it sent one that is taken (GraphQL over HTTP, sections 4.1 and 6.1).

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// `application/graphql-response+json`: the status code tells whether execution began.
    Response,
    /// `application/json`, for clients older than that: any well-formed request is answered with 200.
    Json,
}

impl Media {
    pub fn header(self) -> &'static str {
        match self {
            Self::Response => "application/graphql-response+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
        }
    }
}

/// One entry of an `Accept` header.
struct Wish<'a> {
    kind: &'a str,
    q: f32,
}

fn wishes(accept: &str) -> Vec<Wish<'_>> {
    let mut list: Vec<Wish<'_>> = Vec::new();
    for entry in accept.split(',') {
        let mut parts = entry.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default();
        let mut q = 1.0;
        let mut utf8 = true;
        for (name, value) in parts.filter_map(|p| p.split_once('=')) {
            match name.trim().to_ascii_lowercase().as_str() {
                "q" => q = value.trim().parse().unwrap_or(0.0),
                "charset" => utf8 = is_utf8(value),
                _ => {}
            }
        }
        if utf8 && q > 0.0 && !kind.is_empty() {
            list.push(Wish { kind, q });
        }
    }
    // Stable: equal weights keep the client's order.
    list.sort_by(|a, b| b.q.total_cmp(&a.q));
    list
}

fn is_utf8(charset: &str) -> bool {
    let charset = charset.trim().trim_matches('"');
    charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("utf8")
}

/// The answer's form, or None when the client takes none we have.
pub fn answer(accept: Option<&str>) -> Option<Media> {
    let Some(accept) = accept.filter(|a| !a.trim().is_empty()) else { return Some(Media::Json) };
    wishes(accept).iter().find_map(|wish| match wish.kind.to_ascii_lowercase().as_str() {
        "application/graphql-response+json" => Some(Media::Response),
        "application/json" | "application/*" | "*/*" => Some(Media::Json),
        _ => None,
    })
}

/// A browser that opens the address: HTML is what it wants most.
pub fn wants_page(accept: Option<&str>) -> bool {
    accept.is_some_and(|a| wishes(a).first().is_some_and(|w| w.kind.eq_ignore_ascii_case("text/html")))
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
