//! A day of the calendar, as policies and approvals name it.

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use serde::{Serialize, Serializer};

/// A day, in universal time (UTC). Written and serialised as `2027-01-31` (RFC 3339, `full-date`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

/// The text names no day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a day of the calendar such as `2027-01-31`")]
pub struct ParseDateError;

impl Date {
    /// The day that it is at this moment. Before 1970 and after 9999 it is the nearest day between.
    pub fn of(now: SystemTime) -> Date {
        const SECONDS_TO_9999: u64 = 253_402_300_799;
        let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let bounded = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(since.min(SECONDS_TO_9999));
        let text = humantime::format_rfc3339_seconds(bounded).to_string();
        let first = Date { year: 1970, month: 1, day: 1 };
        text.get(..10).and_then(|day| day.parse().ok()).unwrap_or(first)
    }

    /// Whether `today` is behind this day, which itself still counts.
    pub fn is_past(self, today: Date) -> bool {
        today > self
    }
}

impl FromStr for Date {
    type Err = ParseDateError;

    fn from_str(text: &str) -> Result<Date, ParseDateError> {
        let bytes = text.as_bytes();
        let is_form = bytes.len() == 10
            && bytes.iter().enumerate().all(|(at, byte)| match at {
                4 | 7 => *byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        let number = |from: usize, to: usize| text[from..to].parse::<u16>().map_err(|_| ParseDateError);
        if !is_form {
            return Err(ParseDateError);
        }
        let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = match month {
            4 | 6 | 9 | 11 => 30,
            2 if is_leap => 29,
            2 => 28,
            1..=12 => 31,
            _ => return Err(ParseDateError),
        };
        let is_day = year > 0 && (1..=days).contains(&day);
        is_day.then_some(Date { year, month: month as u8, day: day as u8 }).ok_or(ParseDateError)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::{Date, ParseDateError};

    #[test]
    fn a_date_is_a_day_of_the_calendar() {
        for good in ["2027-01-31", "2028-02-29", "2000-02-29", "1970-01-01", "9999-12-31"] {
            assert_eq!(good.parse::<Date>().map(|date| date.to_string()), Ok(good.to_owned()));
        }
        for bad in [
            "2027-02-29",
            "1900-02-29",
            "2027-13-01",
            "2027-00-01",
            "2027-01-00",
            "2027-04-31",
            "2027-1-31",
            "27-01-31",
            "2027-01-31T00:00:00Z",
            "",
            "tomorrow",
            "0000-01-01",
            "2027/01/31",
            "+027-01-31",
            "２０２７",
        ] {
            assert_eq!(bad.parse::<Date>(), Err(ParseDateError), "{bad}");
        }
    }

    #[test]
    fn a_day_counts_until_it_is_over() {
        let at = |seconds| Date::of(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        let last: Date = "1970-01-02".parse().unwrap_or(at(0));
        assert_eq!(at(0).to_string(), "1970-01-01");
        assert!(!last.is_past(at(86_400)) && !last.is_past(at(2 * 86_400 - 1)));
        assert!(last.is_past(at(2 * 86_400)));
        assert_eq!(at(u64::MAX / 4).to_string(), "9999-12-31");
    }
}
