//! What the inbox keeps of a notice: exactly what came, of the headers those that its gateway signs with, except that nothing
//! that looks like a card's number is stored in clear. Where something was masked, the exact bytes are kept sealed, because a signature covers them.

use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::infra::seal::Sealer;
use crate::payments::gateways::gateway::RawNotice;

/// Of the sealed bytes' key.
const PURPOSE: &str = "notice";

/// A notice as it is stored.
#[derive(Clone, Debug)]
pub struct KeptBody {
    pub method: String,
    pub query: String,
    /// Pairs in the order received.
    pub headers: Value,
    pub body: Vec<u8>,
    /// The exact bytes, where the others are masked.
    pub sealed: Option<Vec<u8>>,
    /// Of method, query and body as they came: says whether two deliveries are the same.
    pub sha256: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Exact {
    query: String,
    headers: Vec<(String, String)>,
    body: String,
}

/// What is stored of a notice. `signed`: the headers that its gateway reads; the others are the sender's choice.
pub fn keep(sealer: &Sealer, raw: &RawNotice, signed: &[&str]) -> KeptBody {
    let reads = |name: &str| signed.iter().any(|wanted| wanted.eq_ignore_ascii_case(name));
    let headers: Vec<(String, String)> =
        raw.headers.iter().filter(|(name, _)| reads(name)).cloned().collect();
    let sha256 = digest(&raw.method, &raw.query, &raw.body);
    let query = masked_text(&raw.query);
    let body = masked(&raw.body);
    let shown: Vec<(String, Option<String>)> =
        headers.iter().map(|(name, value)| (name.clone(), masked_text(value))).collect();
    let touched = query.is_some() || body.is_some() || shown.iter().any(|(_, value)| value.is_some());
    let sealed = touched.then(|| {
        let body = STANDARD.encode(&raw.body);
        let exact = Exact { query: raw.query.clone(), headers: headers.clone(), body };
        let text = serde_json::to_vec(&exact).unwrap_or_default();
        sealer.seal_small(PURPOSE, row(&sha256), &text)
    });
    let sealed = sealed.and_then(|sealed| {
        sealed.inspect_err(|error| tracing::error!(%error, "a notice cannot be verified again")).ok()
    });
    let shown: Vec<(String, String)> = headers
        .into_iter()
        .zip(shown)
        .map(|((name, value), (_, masked))| (name, masked.unwrap_or(value)))
        .collect();
    KeptBody {
        method: raw.method.clone(),
        query: query.unwrap_or_else(|| raw.query.clone()),
        headers: json!(shown),
        body: body.unwrap_or_else(|| raw.body.clone()),
        sealed,
        sha256,
    }
}

/// The notice as it came, to be verified as of `received_unix`; none when its exact bytes cannot be had any more.
pub fn restore(sealer: &Sealer, kept: KeptBody, received_unix: i64) -> Option<RawNotice> {
    let (query, headers, body) = match &kept.sealed {
        None => (kept.query, serde_json::from_value(kept.headers).ok()?, kept.body),
        Some(sealed) => {
            let opened = sealer.open_small(PURPOSE, row(&kept.sha256), sealed).ok()?;
            let exact: Exact = serde_json::from_slice(&opened).ok()?;
            (exact.query, exact.headers, STANDARD.decode(exact.body).ok()?)
        }
    };
    let same = digest(&kept.method, &query, &body) == kept.sha256;
    same.then_some(RawNotice { method: kept.method, query, headers, body, now_unix: received_unix })
}

/// The place of sealed bytes: with other content they would belong elsewhere.
fn row(sha256: &[u8]) -> Uuid {
    sha256.get(..16).and_then(|half| Uuid::from_slice(half).ok()).unwrap_or_default()
}

/// SHA-256 of method, query and body, each with its length before it.
fn digest(method: &str, query: &str, body: &[u8]) -> Vec<u8> {
    let mut digest = Sha256::new();
    for part in [method.as_bytes(), query.as_bytes(), body] {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    digest.finalize().to_vec()
}

fn masked_text(text: &str) -> Option<String> {
    // Digits alone are replaced by asterisks, so it stays a text.
    masked(text.as_bytes()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// The bytes with all but the last four digits of each card number replaced; none when there is no card number. What
/// looks like one has 13 to 19 digits (ISO/IEC 7812-1), together or in groups of three to six with a space, a hyphen or
/// a form's `+` between them, and the right check digit.
pub fn masked(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out: Option<Vec<u8>> = None;
    let mut at = 0;
    while let Some(start) = bytes[at..].iter().position(u8::is_ascii_digit).map(|offset| at + offset) {
        let groups = groups(bytes, start);
        at = groups.last().map_or(start + 1, |last| last.end);
        let mut first = 0;
        while first < groups.len() {
            let Some(last) = (first..groups.len()).find(|last| is_card(bytes, &groups[first..=*last])) else {
                first += 1;
                continue;
            };
            let digits: Vec<usize> = groups[first..=last].iter().cloned().flatten().collect();
            let out = out.get_or_insert_with(|| bytes.to_vec());
            digits[..digits.len() - 4].iter().for_each(|place| out[*place] = b'*');
            first = last + 1;
        }
    }
    out
}

/// The groups of digits from `start` on that have one separator between them.
fn groups(bytes: &[u8], start: usize) -> Vec<Range<usize>> {
    let mut groups = Vec::new();
    let mut from = start;
    loop {
        let length = bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
        groups.push(from..from + length);
        let separated = matches!(bytes.get(from + length), Some(b' ' | b'-' | b'+'));
        if !separated || !bytes.get(from + length + 1).is_some_and(u8::is_ascii_digit) {
            return groups;
        }
        from += length + 1;
    }
}

fn is_card(bytes: &[u8], groups: &[Range<usize>]) -> bool {
    let length: usize = groups.iter().map(ExactSizeIterator::len).sum();
    let grouped = groups.len() == 1 || groups.iter().all(|group| (3..=6).contains(&group.len()));
    if !(13..=19).contains(&length) || !grouped {
        return false;
    }
    // ISO/IEC 7812-1, annex B: from the right, every second digit counts double.
    let digits = groups.iter().rev().flat_map(|group| group.clone().rev());
    let sum: u32 = digits
        .enumerate()
        .map(|(place, index)| u32::from(bytes[index] - b'0') << (place % 2))
        .map(|value| if value > 9 { value - 9 } else { value })
        .sum();
    sum.is_multiple_of(10)
}
