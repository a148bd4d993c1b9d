//! Times as RFC 3339 (5.6) writes them, every form of it, brought to UTC with whole seconds.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

/// Digits from `at` on, exactly `count` of them.
fn digits(bytes: &[u8], at: usize, count: usize) -> Option<u32> {
    bytes
        .get(at..at + count)?
        .iter()
        .try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + u32::from(byte - b'0')))
}

/// Reads a time: `T` or `t` or a space between date and time, a fraction of any length (cut off), `Z`, `z` or an
/// offset. Second 60 is read at the end of a month in UTC, where leap seconds are, as the second after it, like POSIX
/// and PostgreSQL do. What leaves the years 0000 to 9999 by its offset cannot be written again and is refused.
pub fn read(text: &str) -> Option<DateTime<Utc>> {
    let bytes = text.as_bytes();
    let date = NaiveDate::from_ymd_opt(
        i32::try_from(digits(bytes, 0, 4)?).ok()?,
        digits(bytes, 5, 2)?,
        digits(bytes, 8, 2)?,
    )?;
    let (hour, minute, second) = (digits(bytes, 11, 2)?, digits(bytes, 14, 2)?, digits(bytes, 17, 2)?);
    let marks = bytes[4] == b'-' && bytes[7] == b'-' && bytes[13] == b':' && bytes[16] == b':';
    if !marks || !matches!(bytes[10], b'T' | b't' | b' ') || second > 60 {
        return None;
    }
    let offset = seconds_east(without_fraction(&bytes[19..])?)?;
    let leap = second == 60;
    let local = date.and_hms_opt(hour, minute, second.min(59))?;
    let mut time = local.and_utc() - TimeDelta::seconds(offset);
    if leap {
        time += TimeDelta::seconds(1);
        if time.format("%d %H:%M:%S").to_string() != "01 00:00:00" {
            return None;
        }
    }
    (0..=9999).contains(&chrono::Datelike::year(&time)).then_some(time)
}

fn without_fraction(rest: &[u8]) -> Option<&[u8]> {
    let Some(fraction) = rest.strip_prefix(b".") else { return Some(rest) };
    let length = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
    (length > 0).then(|| &fraction[length..])
}

fn seconds_east(offset: &[u8]) -> Option<i64> {
    if matches!(offset, b"Z" | b"z") {
        return Some(0);
    }
    let (sign, hours, minutes) = match offset {
        [b'+', ..] => (1, digits(offset, 1, 2)?, digits(offset, 4, 2)?),
        [b'-', ..] => (-1, digits(offset, 1, 2)?, digits(offset, 4, 2)?),
        _ => return None,
    };
    let fits = offset.len() == 6 && offset[3] == b':' && hours <= 23 && minutes <= 59;
    fits.then(|| sign * i64::from(hours * 60 + minutes) * 60)
}
