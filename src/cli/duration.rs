//! Times as people write them: `500ms`, `20s`, `2m`, `1h`.

use std::time::Duration;

/// The longest that anybody means.
const LONGEST: Duration = Duration::from_hours(24 * 365);

const EXPECTED: &str = "write a whole number and ms, s, m or h, such as 500ms, 20s or 2m";

/// A time of a millisecond or more, a year at most.
pub fn parse(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| EXPECTED.to_owned())?;
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(EXPECTED.to_owned()),
    };
    match number.checked_mul(unit_ms).map(Duration::from_millis) {
        Some(Duration::ZERO) => Err("it is no time at all".to_owned()),
        Some(time) if time <= LONGEST => Ok(time),
        Some(_) | None => Err("it is more than a year".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_people_write_them() {
        let cases = [
            ("1ms", 1),
            ("500ms", 500),
            ("20s", 20_000),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("007s", 7_000),
        ];
        for (text, ms) in cases {
            assert_eq!(parse(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        assert_eq!(parse("8760h"), Ok(LONGEST));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "20",
            "s",
            "20 s",
            " 20s",
            "-1s",
            "+1s",
            "1.5s",
            "20S",
            "1d",
            "1m30s",
            "٣s",
            "99999999999999999999s",
        ] {
            assert_eq!(parse(text), Err(EXPECTED.to_owned()), "{text}");
        }
        assert_eq!(parse("0s"), Err("it is no time at all".to_owned()));
        for text in ["8761h", "18446744073709551615ms", "18446744073709551615h"] {
            assert_eq!(
                parse(text),
                Err("it is more than a year".to_owned()),
                "{text}"
            );
        }
    }
}
