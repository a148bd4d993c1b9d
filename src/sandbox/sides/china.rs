//! China's calendar and currency, in which Alipay, WeChat Pay and Epay count.

use chrono::{DateTime, NaiveDate, NaiveDateTime};

use crate::sandbox::played;

const EIGHT_HOURS: i64 = 8 * 3_600;

fn local(at: i64) -> NaiveDateTime {
    DateTime::from_timestamp(at + EIGHT_HOURS, 0).unwrap_or_default().naive_utc()
}

/// `2026-11-21 15:04:05`, UTC+8.
pub(in crate::sandbox) fn time(at: i64) -> String {
    local(at).format("%Y-%m-%d %H:%M:%S").to_string()
}

/// `2026-11-21T15:04:05+08:00`.
pub(in crate::sandbox) fn stamp(at: i64) -> String {
    local(at).format("%Y-%m-%dT%H:%M:%S+08:00").to_string()
}

/// `20261121150405`.
pub(in crate::sandbox) fn digits(at: i64) -> String {
    local(at).format("%Y%m%d%H%M%S").to_string()
}

pub(in crate::sandbox) fn day(at: i64) -> NaiveDate {
    local(at).date()
}

/// The moment of a time of day in UTC+8.
pub(in crate::sandbox) fn moment(text: &str) -> Option<i64> {
    let time = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").ok()?;
    Some(time.and_utc().timestamp() - EIGHT_HOURS)
}

/// `9.90`.
pub(in crate::sandbox) fn yuan(fen: i64) -> String {
    played::decimal(fen, 2)
}

pub(in crate::sandbox) fn fen(yuan: &str) -> Option<i64> {
    played::amount(yuan, 2)
}

/// 0.6 per cent, rounded half up: what these gateways keep.
pub(in crate::sandbox) fn fee(fen: i64) -> i64 {
    (fen * 6 + 500) / 1_000
}
