//! Beijing time, UTC+8 without summer time: what Chinese gateways write in requests, notices and statements.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, Offset, TimeDelta, Utc};

const AHEAD: TimeDelta = TimeDelta::hours(8);
const STAMP: &str = "%Y-%m-%d %H:%M:%S";

/// The calendar by which days are cut.
pub(super) fn calendar() -> FixedOffset {
    FixedOffset::east_opt(8 * 3_600).unwrap_or_else(|| Utc.fix())
}

/// `2027-01-15 15:58:40`.
pub(super) fn stamp(at: DateTime<Utc>) -> String {
    (at + AHEAD).format(STAMP).to_string()
}

/// `2027-01-15T15:58:40+08:00`.
pub(super) fn rfc3339(at: DateTime<Utc>) -> String {
    (at + AHEAD).format("%Y-%m-%dT%H:%M:%S+08:00").to_string()
}

/// Reads `2027-01-15 15:58:40`; a fraction of a second behind it is left out.
pub(super) fn read(text: &str) -> Option<DateTime<Utc>> {
    let whole = text.split('.').next().unwrap_or(text);
    NaiveDateTime::parse_from_str(whole, STAMP).ok()?.checked_sub_signed(AHEAD).map(|at| at.and_utc())
}

/// Whether the statement of a day must be out by now: both gateways write it in the morning after and ask for patience
/// until ten, so noon is late enough.
pub(super) fn statement_is_out(day: NaiveDate, now_unix: i64) -> bool {
    let noon = day.succ_opt().and_then(|next| next.and_hms_opt(12, 0, 0)).map(|at| (at - AHEAD).and_utc());
    noon.is_some_and(|noon| now_unix >= noon.timestamp())
}
