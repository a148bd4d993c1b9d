//! Amounts in files that people download: written as the account's language has it. Which mark is before the
//! decimals is the same in a whole file, so the file is asked as a whole: a form that not all of its amounts have is not
//! its form, and a file that two forms fit with different amounts is refused, not guessed.

use crate::base::money::parse_minor;
use crate::payments::gateways::gateway::EntryPlace;

/// How a file writes amounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NumberForm {
    /// `-1,234.56`
    Point,
    /// `-1.234,56`
    Comma,
}

/// Groups of three are also set apart by these.
const SPACES: [char; 6] = [' ', '\u{a0}', '\u{202f}', '\u{2009}', '\'', '\u{2019}'];

impl NumberForm {
    fn marks(self) -> (char, char) {
        match self {
            Self::Point => ('.', ','),
            Self::Comma => (',', '.'),
        }
    }

    /// An amount in minor units of this many decimals; none when it is not of this form. One sign before or behind it,
    /// or brackets around it, make it negative. Decimals that the currency does not have must be zeros, two at most.
    pub fn read(self, text: &str, exponent: u32) -> Option<i64> {
        let (sign, digits) = signed(text.trim())?;
        let (mark, group) = self.marks();
        let (whole, fraction) = match digits.split_once(mark) {
            Some((whole, fraction)) if !fraction.is_empty() => (ungrouped(whole, group)?, fraction),
            Some(_) => return None,
            None => (ungrouped(digits, group)?, ""),
        };
        let kept = fraction.get(..fraction.len().min(exponent as usize))?;
        let rest = &fraction[kept.len()..];
        let two = fraction.len() <= (exponent as usize).max(2);
        if !two || rest.bytes().any(|b| b != b'0') {
            return None;
        }
        let plain = if kept.is_empty() { whole } else { format!("{whole}.{kept}") };
        parse_minor(&plain, exponent).ok().map(|minor| sign * minor)
    }
}

fn signed(text: &str) -> Option<(i64, &str)> {
    let minus = |c: char| matches!(c, '-' | '\u{2212}');
    if let Some(inner) = text.strip_prefix('(') {
        return Some((-1, inner.strip_suffix(')')?.trim()));
    }
    let (before, rest) = match text.strip_prefix(minus) {
        Some(rest) => (Some(-1), rest),
        None => text.strip_prefix('+').map_or((None, text), |rest| (Some(1), rest)),
    };
    match (before, rest.strip_suffix(minus)) {
        (Some(_), Some(_)) => None,
        (None, Some(rest)) => Some((-1, rest.trim_end())),
        (sign, None) => Some((sign.unwrap_or(1), rest.trim_start())),
    }
}

/// The digits alone; none when they are set apart otherwise than in threes by one mark.
fn ungrouped(whole: &str, group: char) -> Option<String> {
    let mark = whole.chars().find(|c| !c.is_ascii_digit());
    let Some(mark) = mark else { return (!whole.is_empty()).then(|| whole.to_owned()) };
    if mark != group && !SPACES.contains(&mark) {
        return None;
    }
    let mut parts = whole.split(mark);
    let first = parts.next()?;
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let good = (1..=3).contains(&first.len()) && digits(first) && !first.starts_with('0');
    let all = parts.clone().all(|part| part.len() == 3 && digits(part));
    (good && all).then(|| whole.split(mark).collect())
}

/// One amount of a file: its place, its text, its currency's decimals there.
pub(super) struct Amount<'a> {
    pub place: EntryPlace,
    pub text: &'a str,
    pub exponent: u32,
}

/// The form that all amounts of a file have; what is no amount in any form says nothing about the others. The error
/// names the line at which no form is left: a file that mixes them says nothing for certain.
pub(super) fn form_of<'a>(amounts: impl Iterator<Item = Amount<'a>>) -> Result<NumberForm, String> {
    let (mut point, mut comma, mut same) = (true, true, true);
    for amount in amounts {
        let (a, b) = (
            NumberForm::Point.read(amount.text, amount.exponent),
            NumberForm::Comma.read(amount.text, amount.exponent),
        );
        if a.is_none() && b.is_none() {
            continue;
        }
        point &= a.is_some();
        comma &= b.is_some();
        same &= a == b;
        if !point && !comma {
            return Err(format!("{}: `{}` is no amount in the form of this file", amount.place, amount.text));
        }
    }
    match (point, comma) {
        (true, true) if !same => {
            Err("the file's amounts can be read with a decimal point and with a decimal comma".to_owned())
        }
        (true, _) => Ok(NumberForm::Point),
        (false, _) => Ok(NumberForm::Comma),
    }
}

/// An amount as programs write it: a point before the decimals, no groups, at most a minus before it.
pub(super) fn plain(text: &str, exponent: u32) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return None;
    }
    NumberForm::Point.read(text, exponent)
}
