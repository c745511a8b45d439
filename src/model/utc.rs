//! Moments as AWS writes them: ISO 8601, in UTC, with and without milliseconds.

const SECONDS_A_DAY: u64 = 86_400;

/// A moment by its parts, in the Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Utc {
    /// Four digits up to 9999; no moment that is met lies beyond.
    pub year: u64,
    /// From 1.
    pub month: u64,
    /// From 1.
    pub day: u64,
    /// From 0.
    pub hour: u64,
    /// From 0.
    pub minute: u64,
    /// From 0; there are no leap seconds here.
    pub second: u64,
    /// From 0.
    pub millisecond: u64,
}

impl Utc {
    /// The moment so many milliseconds after 1970 began.
    pub fn at(ms: u64) -> Self {
        let seconds = ms / 1000;
        let (year, month, day) = date(seconds / SECONDS_A_DAY);
        let of_day = seconds % SECONDS_A_DAY;
        Self {
            year,
            month,
            day,
            hour: of_day / 3600,
            minute: of_day / 60 % 60,
            second: of_day % 60,
            millisecond: ms % 1000,
        }
    }

    /// `2026-10-03`.
    pub fn date(&self) -> String {
        format!("{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }

    /// `2026-10-03T09:15:44Z`.
    pub fn seconds(&self) -> String {
        let (hour, minute, second) = (self.hour, self.minute, self.second);
        format!("{}T{hour:02}:{minute:02}:{second:02}Z", self.date())
    }

    /// `2026-10-03T09:15:44.310Z`.
    pub fn milliseconds(&self) -> String {
        let (hour, minute, second) = (self.hour, self.minute, self.second);
        let millisecond = self.millisecond;
        format!(
            "{}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z",
            self.date()
        )
    }
}

/// The Gregorian date so many days after 1970-01-01. Years are counted from March, so that the leap day is the last.
fn date(days: u64) -> (u64, u64, u64) {
    // 719,468 days lie between 0000-03-01 and 1970-01-01; 400 years always have 146,097.
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // From March on, months have 31, 30, 31, 30, 31 days, over and over.
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let year = 400 * era + year_of_era;
    if month < 10 {
        (year, month + 3, day)
    } else {
        (year + 1, month - 9, day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_iso_8601() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (68_169_599_000, "1972-02-28T23:59:59.000Z"),
            (68_169_600_000, "1972-02-29T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (1_735_689_599_001, "2024-12-31T23:59:59.001Z"),
            (1_735_689_600_000, "2025-01-01T00:00:00.000Z"),
            (1_791_018_944_310, "2026-10-03T09:15:44.310Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(Utc::at(ms).milliseconds(), text);
        }
        assert_eq!(Utc::at(1_791_018_944_310).seconds(), "2026-10-03T09:15:44Z");
    }

    #[test]
    fn days_follow_each_other_without_gap_for_four_centuries() {
        let leap = |year: u64| {
            year.is_multiple_of(400) || year.is_multiple_of(4) && !year.is_multiple_of(100)
        };
        let month_days = |year, month| match month {
            2 if leap(year) => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..146_097 {
            assert_eq!(date(days), (year, month, day));
            day += 1;
            if month_days(year, month) < day {
                (month, day) = (month + 1, 1);
            }
            if month == 13 {
                (year, month) = (year + 1, 1);
            }
        }
        assert_eq!((year, month, day), (2370, 1, 1));
    }
}
