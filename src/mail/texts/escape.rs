//! What others supplied, made harmless: it is text of the mail and nothing else.

/// On one line, so that a title cannot pretend to be a part of the mail. What turns the direction of the text behind it
/// goes (Unicode's `Bidi_Control`).
pub(super) fn line(text: &str) -> String {
    text.chars().filter(|c| !turns(*c)).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Words of somebody whom nobody knows, on their lines: no mail program makes a link of an address in them, because a
/// space of no width follows each dot, colon, slash and at sign inside a word.
pub(super) fn unlinked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().filter(|c| !turns(*c)).peekable();
    while let Some(c) = rest.next() {
        match c {
            '\r' if rest.peek() == Some(&'\n') => {}
            '\n' | '\r' => out.push('\n'),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
        if matches!(c, '.' | ':' | '/' | '@' | '。' | '．')
            && rest.peek().is_some_and(|next| !next.is_whitespace())
        {
            out.push('\u{200b}');
        }
    }
    out
}

fn turns(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Appends a text to a page, between tags or in a quoted attribute. What HTML has no way to show becomes U+FFFD.
pub(super) fn html(page: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => page.push_str("&amp;"),
            '<' => page.push_str("&lt;"),
            '>' => page.push_str("&gt;"),
            '"' => page.push_str("&quot;"),
            '\'' => page.push_str("&#39;"),
            '\n' | '\t' => page.push(c),
            c if c.is_control() => page.push('\u{fffd}'),
            c => page.push(c),
        }
    }
}
