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

/// Year, month and day, so many days after 1970-01-01.
fn date(days: u64) -> (u64, u64, u64) {
    let leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    // 400 years always have 146,097 days; what is left is walked through, a year and then a month at a time.
    let mut year = 1970 + days / 146_097 * 400;
    let mut left = days % 146_097;
    loop {
        let length = if leap(year) { 366 } else { 365 };
        if left < length {
            break;
        }
        left -= length;
        year += 1;
    }
    let february = if leap(year) { 29 } else { 28 };
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if left < length {
            break;
        }
        left -= length;
        month += 1;
    }
    (year, month, left + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_iso_8601() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
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
    fn every_day_of_800_years_follows_the_day_before() {
        let mut before = date(0);
        for days in 1..=292_194 {
            let next = date(days);
            let (year, month, day) = before;
            let expected = [
                (year, month, day + 1),
                (year, month + 1, 1),
                (year + 1, 1, 1),
            ];
            assert!(expected.contains(&next), "{before:?} {next:?}");
            before = next;
        }
        assert_eq!(before, (2770, 1, 1));
    }
}
