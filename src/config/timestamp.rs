//! A point in time as AWS's tools print it: seconds since 1970, or ISO 8601 with its offset.

/// What would do, for messages.
pub(super) const FORMS: &str =
    "seconds since 1970 such as 1789650000, or 2026-09-17T12:00:00Z with its offset";

/// The end of the year 9999.
const SECONDS_MAX: f64 = 253_402_300_799.0;

/// Milliseconds since 1970 of a number of seconds, which may have a fraction; `None` before 1970 and after 9999.
pub(crate) fn from_seconds(text: &str) -> Option<u64> {
    let seconds: f64 = text.trim().parse().ok()?;
    // A double holds every millisecond of these years apart; NaN is in no range.
    (0.0..=SECONDS_MAX)
        .contains(&seconds)
        .then(|| (seconds * 1000.0).round() as u64)
}

/// Milliseconds since 1970 of `2026-09-17T12:00:00.250+02:00`; what is finer is cut off. A text without its offset could
/// be anybody's local time and is `None`, as is what is no date, or one before 1970.
pub(crate) fn from_iso(text: &str) -> Option<u64> {
    let (date, time) = text.trim().split_once(['T', 't', ' '])?;
    let (time, offset_s) = split_offset(time)?;
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
    let all_digits = fraction.bytes().all(|byte| byte.is_ascii_digit());
    let in_range = (1..=12).contains(&month)
        && (1..=days_of(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !in_range || !all_digits || fraction.is_empty() {
        return None;
    }
    let seconds =
        days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset_s;
    let ms: String = fraction.chars().chain("000".chars()).take(3).collect();
    Some(u64::try_from(seconds).ok()? * 1000 + ms.parse::<u64>().ok()?)
}

/// A time of the day, and the seconds by which its clock is ahead of UTC.
fn split_offset(time: &str) -> Option<(&str, i64)> {
    if let Some(time) = time.strip_suffix(['Z', 'z']) {
        return Some((time, 0));
    }
    let at = time.rfind(['+', '-'])?;
    let (time, offset) = time.split_at(at);
    let (sign, offset) = match offset.strip_prefix('-') {
        Some(offset) => (-1, offset),
        None => (1, &offset[1..]),
    };
    let [hours, minutes] = match offset.contains(':') {
        true => numbers(offset, ':', [2, 2])?,
        false if offset.is_char_boundary(2) => {
            let (hours, minutes) = offset.split_at(2);
            numbers(&format!("{hours}:{minutes}"), ':', [2, 2])?
        }
        false => return None,
    };
    (hours < 24 && minutes < 60).then_some((time, sign * (hours * 3_600 + minutes * 60)))
}

/// As many numbers as there are widths, each of exactly so many digits.
fn numbers<const N: usize>(text: &str, between: char, widths: [usize; N]) -> Option<[i64; N]> {
    let mut parts = text.split(between);
    let mut read = [0; N];
    for (number, width) in read.iter_mut().zip(widths) {
        let part = parts.next()?;
        let digits = part.bytes().all(|byte| byte.is_ascii_digit());
        if part.len() != width || !digits {
            return None;
        }
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(read)
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    // Leap days up to the end of a year.
    let leaps = |year: i64| year / 4 - year / 100 + year / 400;
    let years = (year - 1970) * 365 + leaps(year - 1) - leaps(1969);
    let months: i64 = (1..month).map(|month| days_of(year, month)).sum();
    years + months + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_one_moment_is_the_same() {
        let moment = Some(1_789_650_000_000);
        for text in ["1789650000", "1789650000.0", "1.78965E9", " 1789650000 "] {
            assert_eq!(from_seconds(text), moment, "{text}");
        }
        for text in [
            "2026-09-17T13:00:00Z",
            "2026-09-17t13:00:00z",
            "2026-09-17T13:00:00+00:00",
            "2026-09-17T13:00:00.000000+00:00",
            "2026-09-17T15:00:00+02:00",
            "2026-09-17T15:00:00+0200",
            "2026-09-17 07:30:00-05:30",
            "2026-09-18T00:00:00+11:00",
        ] {
            assert_eq!(from_iso(text), moment, "{text}");
        }
    }

    #[test]
    fn calendars_and_fractions_are_kept() {
        let cases = [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01T00:00:00.5Z", 500),
            ("2000-02-29T23:59:59.999999Z", 951_868_799_999),
            ("2024-03-01T00:00:00Z", 1_709_251_200_000),
            ("2100-03-01T00:00:00Z", 4_107_542_400_000),
            ("9999-12-31T23:59:59Z", 253_402_300_799_000),
        ];
        for (text, ms) in cases {
            assert_eq!(from_iso(text), Some(ms), "{text}");
        }
        assert_eq!(from_seconds("1789650000.123"), Some(1_789_650_000_123));
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            "now",
            "2026-09-17",
            "2026-09-17T12:00:00",
            "2026-9-17T12:00:00Z",
            "2026-02-29T12:00:00Z",
            "2100-02-29T12:00:00Z",
            "2026-13-01T12:00:00Z",
            "2026-09-00T12:00:00Z",
            "2026-09-17T24:00:00Z",
            "2026-09-17T12:60:00Z",
            "2026-09-17T12:00Z",
            "2026-09-17T12:00:00.Z",
            "2026-09-17T12:00:00.1x+00:00",
            "2026-09-17T12:00:00+2",
            "2026-09-17T12:00:00+é0",
            "2026-09-17T12:00:00+25:00",
            "1969-12-31T23:59:59Z",
            "1970-01-01T00:00:00+01:00",
            "1789650000",
        ] {
            assert_eq!(from_iso(text), None, "{text:?}");
        }
        for text in [
            "-1",
            "253402300800",
            "inf",
            "NaN",
            ".nan",
            "",
            "2026-09-17T12:00:00Z",
        ] {
            assert_eq!(from_seconds(text), None, "{text:?}");
        }
    }
}
