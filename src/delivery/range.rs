//! Conditions and ranges of RFC 9110 for one immutable content with a strong validator. Pure.

/// What the request's headers ask, as they came.
#[derive(Clone, Copy, Debug, Default)]
pub struct Conditions<'a> {
    pub range: Option<&'a str>,
    pub if_range: Option<&'a str>,
    pub if_match: Option<&'a str>,
    pub if_none_match: Option<&'a str>,
}

/// What is to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// 200 with everything.
    Whole,
    /// 206 with `length` bytes from `start`; `length` is never 0.
    Part { start: u64, length: u64 },
    /// 304.
    NotModified,
    /// 412: the client holds another version and said so.
    PreconditionFailed,
    /// 416.
    Unsatisfiable,
}

impl Plan {
    /// First byte and number of bytes of the body, when there is one.
    pub fn body(self, size: u64) -> Option<(u64, u64)> {
        match self {
            Plan::Whole => Some((0, size)),
            Plan::Part { start, length } => Some((start, length)),
            Plan::NotModified | Plan::PreconditionFailed | Plan::Unsatisfiable => None,
        }
    }
}

/// Decides in the order of RFC 9110 13.2.2. `ranges` is false for HEAD, for which ranges are not defined (14.2).
/// `etag` is the quoted strong tag.
pub fn plan(size: u64, etag: &str, conditions: &Conditions, ranges: bool) -> Plan {
    if let Some(tags) = conditions.if_match
        && !listed(tags, etag, true)
    {
        return Plan::PreconditionFailed;
    }
    if let Some(tags) = conditions.if_none_match
        && listed(tags, etag, false)
    {
        return Plan::NotModified;
    }
    let Some(range) = conditions.range.filter(|_| ranges) else { return Plan::Whole };
    // A date, a weak tag or another version: the client's part is of something else, so it gets everything.
    if conditions.if_range.is_some_and(|tag| tag.trim() != etag) {
        return Plan::Whole;
    }
    match single(range) {
        Some(spec) => spec.resolve(size),
        None => Plan::Whole,
    }
}

/// Whether a list of entity tags holds `etag`. The strong comparison refuses weak tags (8.8.3.2).
fn listed(tags: &str, etag: &str, strong: bool) -> bool {
    tags.trim() == "*"
        || tags.split(',').map(str::trim).any(|tag| {
            let weak = tag.strip_prefix("W/");
            if strong { weak.is_none() && tag == etag } else { weak.unwrap_or(tag) == etag }
        })
}

/// One range as it was asked for.
#[derive(Clone, Copy)]
enum Spec {
    From { first: u64, last: u64 },
    Last(u64),
}

impl Spec {
    fn resolve(self, size: u64) -> Plan {
        match self {
            Spec::From { first, .. } if first >= size => Plan::Unsatisfiable,
            Spec::From { first, last } => Plan::Part { start: first, length: last.min(size - 1) - first + 1 },
            Spec::Last(0) => Plan::Unsatisfiable,
            // An empty content has no bytes that a Content-Range could name.
            Spec::Last(_) if size == 0 => Plan::Whole,
            Spec::Last(length) => Plan::Part { start: size - length.min(size), length: length.min(size) },
        }
    }
}

/// The only range of the header. Other units, faulty ranges and several ranges are nothing: a server may ignore the
/// header then and send the whole (14.2).
fn single(header: &str) -> Option<Spec> {
    let (unit, set) = header.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let mut specs = set.split(',').map(str::trim).filter(|s| !s.is_empty());
    let (spec, others) = (specs.next()?, specs.next());
    if others.is_some() {
        return None;
    }
    match spec.split_once('-')? {
        ("", length) => number(length).map(Spec::Last),
        (first, "") => Some(Spec::From { first: number(first)?, last: u64::MAX }),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(Spec::From { first, last })
        }
    }
}

/// Digits alone; what is beyond 64 bits is beyond every file.
fn number(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(u64::MAX))
}
