//! What a client wants back, by its `Accept` header (RFC 9110, 12.5.1).

/// One entry of an `Accept` header.
pub struct MediaRange<'a> {
    pub kind: &'a str,
    q: f32,
}

/// The wishes, the strongest first; those for another character set than UTF-8 are left out.
pub fn wishes(accept: &str) -> Vec<MediaRange<'_>> {
    let mut list: Vec<MediaRange<'_>> = Vec::new();
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
            list.push(MediaRange { kind, q });
        }
    }
    // Stable: equal weights keep the client's order.
    list.sort_by(|a, b| b.q.total_cmp(&a.q));
    list
}

/// Whether this names UTF-8.
pub fn is_utf8(charset: &str) -> bool {
    let charset = charset.trim().trim_matches('"');
    charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("utf8")
}

/// A browser that opens the address: it wants HTML before it wants data or anything at all.
pub fn wants_page(accept: Option<&str>) -> bool {
    let is_page = |wish: &MediaRange<'_>| match wish.kind.to_ascii_lowercase().as_str() {
        "text/html" | "application/xhtml+xml" => Some(true),
        "*/*" | "application/*" => Some(false),
        kind if kind.ends_with("json") => Some(false),
        _ => None,
    };
    accept.is_some_and(|a| wishes(a).iter().find_map(is_page).unwrap_or(false))
}
