//! Whether a service that promised a heartbeat has kept to it, so that where nothing is on record, nothing was.
//!
//! Records are ordered by their numbers. How long it was between two of them the clock tells that nobody can set, which
//! runs from the start of the machine; the wall clock only where the machine was started anew in between.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;

/// The type of such a record.
pub(crate) const HEARTBEAT: &str = "heartbeat";

/// When something was, by both clocks of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    time: String,
    /// Microseconds since 1970, by the wall clock.
    wall_us: i64,
    boot: String,
    since_boot: Duration,
}

/// A time without a heartbeat that was longer than promised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The last heartbeat before it: number of the record, and its time as that says.
    pub from: (u64, String),
    /// The next one after it. At the end of the log: no number, and the time until which there was none.
    pub to: (Option<u64>, String),
    /// How long it was, or at least was.
    pub lasted: Duration,
    /// Whether that is all of it. The clock was set back while the machine was started anew: then it may have been longer.
    pub is_known: bool,
    /// How often there was to be one.
    pub every: Duration,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ((from, since), (to, until)) = (&self.from, &self.to);
        match to {
            Some(to) => write!(f, "no heartbeat from record {from} ({since}) to record {to} ({until}): ")?,
            None => write!(f, "no heartbeat since record {from} ({since}), and it is {until}: ")?,
        }
        if !self.is_known {
            f.write_str("at least ")?;
        }
        write!(f, "{} s, and every {} s was promised", self.lasted.as_secs(), self.every.as_secs_f64())
    }
}

/// What was promised last: that there is a heartbeat again after so long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promise {
    every: Duration,
    index: u64,
    last: Moment,
}

/// The fields of such a record.
#[derive(Deserialize)]
struct Beat {
    time: String,
    actor: Actor,
    since_boot_us: u64,
    state: String,
    every_us: Option<u64>,
}

#[derive(Deserialize)]
struct Actor {
    boot: String,
}

/// The heartbeats of a log, one after another.
#[derive(Default)]
pub(crate) struct Heartbeats {
    promise: Option<Promise>,
}

impl Heartbeats {
    /// Takes in the next heartbeat; gives the gap before it.
    pub(crate) fn take(&mut self, index: u64, record: &[u8]) -> Result<Option<Gap>, String> {
        let beat: Beat = serde_json::from_slice(record).map_err(|error| error.to_string())?;
        let now = Moment::new(&beat.time, &beat.actor.boot, Duration::from_micros(beat.since_boot_us));
        let now = now.ok_or_else(|| format!("`{}` is no time", beat.time))?;
        let gap = self.promise.as_ref().and_then(|promise| promise.gap(Some(index), &now));
        let every = match (&*beat.state, beat.every_us) {
            ("begin" | "beat", Some(every)) => Some(Duration::from_micros(every)),
            ("end", _) => None,
            // By somebody who promises nothing, and takes nothing back.
            ("once", _) => self.promise.as_ref().map(|promise| promise.every),
            (state, _) => return Err(format!("a heartbeat is not `{state}` without an interval")),
        };
        self.promise = every.map(|every| Promise { every, index, last: now });
        Ok(gap)
    }

    /// What is promised at the end.
    pub(crate) fn promise(self) -> Option<Promise> {
        self.promise
    }
}

impl Promise {
    /// When the last heartbeat was.
    #[must_use]
    pub fn last(&self) -> &Moment {
        &self.last
    }

    /// How often there is to be one.
    #[must_use]
    pub fn every(&self) -> Duration {
        self.every
    }

    /// The gap, if by now there should have been another heartbeat. Half an interval and two seconds are nothing: it waits for
    /// disks and witnesses.
    #[must_use]
    pub fn gap_until(&self, now: &Moment) -> Option<Gap> {
        self.gap(None, now)
    }

    fn gap(&self, to: Option<u64>, now: &Moment) -> Option<Gap> {
        let (lasted, is_known) = self.last.until(now);
        let longest = self.every.saturating_add(self.every / 2).saturating_add(Duration::from_secs(2));
        let from = (self.index, self.last.time.clone());
        let gap = Gap { from, to: (to, now.time.clone()), lasted, is_known, every: self.every };
        (!is_known || lasted > longest).then_some(gap)
    }
}

impl Moment {
    /// A moment: the wall clock's time as RFC 3339 in UTC, which start of the machine it was (the kernel's boot id), and how
    /// long after it. Nothing if the first is no such time.
    #[must_use]
    pub fn new(time: &str, boot: &str, since_boot: Duration) -> Option<Moment> {
        let wall_us = microseconds(time)?;
        Some(Moment { time: time.to_owned(), wall_us, boot: boot.to_owned(), since_boot })
    }

    /// A moment of which nothing but the time is known, in seconds since 1970, as the signature of a witness says it. Nothing
    /// where no calendar goes so far.
    #[must_use]
    pub fn by_wall(seconds: u64) -> Option<Moment> {
        Moment::new(&calendar(seconds)?, "", Duration::ZERO)
    }

    /// The time by the wall clock.
    #[must_use]
    pub fn time(&self) -> &str {
        &self.time
    }

    /// How long it was from this one to a later one, and whether it cannot have been longer.
    fn until(&self, later: &Moment) -> (Duration, bool) {
        if self.boot == later.boot {
            // Two who record at once may stand the other way round.
            return (later.since_boot.saturating_sub(self.since_boot), true);
        }
        // It was started since, so it was at least that long.
        let by_wall = u64::try_from(later.wall_us.saturating_sub(self.wall_us)).map(Duration::from_micros);
        match by_wall {
            // Another machine's clock, which may be a little behind.
            by_wall if later.boot.is_empty() => (by_wall.unwrap_or_default(), true),
            Ok(by_wall) if by_wall >= later.since_boot => (by_wall, true),
            _ => (later.since_boot, false),
        }
    }
}

/// Microseconds since 1970 of `2026-11-28T12:00:00.000000Z`, with any number of digits behind the point, or none.
fn microseconds(time: &str) -> Option<i64> {
    let (date, clock) = time.strip_suffix('Z')?.split_once('T')?;
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let number = |text: &str, digits: usize| -> Option<i64> {
        (text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
    };
    let parts = |text: &str, mark: char, digits: [usize; 3]| -> Option<[i64; 3]> {
        let words: Vec<&str> = text.split(mark).collect();
        let [a, b, c] = words.try_into().ok()?;
        Some([number(a, digits[0])?, number(b, digits[1])?, number(c, digits[2])?])
    };
    let [year, month, day] = parts(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = parts(clock, ':', [2, 2, 2])?;
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // Years begin in March here, so that the day that is added now and then is the last.
    let (year, month) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
    let fraction: String = fraction.chars().chain("000000".chars()).take(6).collect();
    Some(((days * 24 + hour) * 60 + minute) * 60_000_000 + second * 1_000_000 + number(&fraction, 6)?)
}

/// The time of the calendar, until the year 9999.
fn calendar(seconds: u64) -> Option<String> {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // From 1 March of year 0, in spans of 400 years.
    let days = days.checked_add(719_468)?;
    let (span, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, year) = if month < 10 { (month + 3, year) } else { (month - 9, year + 1) };
    let year = span.checked_mul(400)?.checked_add(year).filter(|year| *year < 10_000)?;
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    Some(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;

    /// A heartbeat at so many seconds after the start of a machine, when the wall clock was so far off.
    fn beat(state: &str, boot: &str, seconds: u64, off: i64) -> String {
        let wall = 1_790_000_000 + seconds as i64 + off;
        let time = calendar(wall as u64).unwrap();
        let us = seconds * 1_000_000;
        format!(
            r#"{{"actor":{{"boot":"{boot}"}},"every_us":10000000,"since_boot_us":{us},"state":"{state}","time":"{time}"}}"#
        )
    }

    /// How long the gaps before each of these are.
    fn gaps(beats: &[String]) -> Vec<(u64, u64, bool)> {
        let mut all = Heartbeats::default();
        let gaps = (0..).zip(beats).filter_map(|(index, beat)| all.take(index, beat.as_bytes()).unwrap());
        gaps.map(|gap| (gap.from.0, gap.lasted.as_secs(), gap.is_known)).collect()
    }

    #[test]
    fn a_time_is_that_of_the_calendar() {
        for (time, expected) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01T00:00:00.5Z", 500_000),
            ("2000-02-29T23:59:59.000001Z", 951_868_799_000_001),
            ("2026-09-01T00:00:00.000000Z", 20_697 * DAY * 1_000_000),
            ("2100-03-01T00:00:00Z", 4_107_542_400_000_000),
        ] {
            assert_eq!(microseconds(time), Some(expected), "{time}");
            assert_eq!(calendar(expected as u64 / 1_000_000).unwrap()[..19], time[..19]);
        }
        for day in 0..2_932_896 {
            let time = calendar(day * 86_400 + 86_399).unwrap();
            assert_eq!(microseconds(&time), Some((day as i64 * DAY + DAY - 1) * 1_000_000), "{time}");
        }
        assert_eq!((calendar(253_402_300_800), calendar(u64::MAX)), (None, None));
        for wrong in ["", "2026-09-01", "2026-13-01T00:00:00Z", "2026-09-01T24:00:00Z", "2026-09-01T00:00:00"]
        {
            assert_eq!(microseconds(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_was_promised_and_not_kept_is_a_gap() {
        let at = |state, seconds| beat(state, "a", seconds, 0);
        assert_eq!(gaps(&[at("begin", 100), at("beat", 110), at("beat", 127), at("end", 130)]), []);
        assert_eq!(gaps(&[at("begin", 100), at("beat", 118)]), [(0, 18, true)]);
        assert_eq!(gaps(&[at("begin", 100), at("beat", 110), at("end", 150)]), [(1, 40, true)]);
        assert_eq!(gaps(&[at("begin", 100), at("end", 110), at("begin", 9000), at("end", 9001)]), []);
        assert_eq!(gaps(&[at("begin", 100), at("begin", 9000)]), [(0, 8900, true)], "it was killed");
        assert_eq!(gaps(&[at("once", 100), at("once", 9000), at("begin", 10_000)]), []);
        assert_eq!(gaps(&[at("begin", 100), at("once", 115), at("beat", 130)]), []);
        assert_eq!(gaps(&[at("begin", 100), at("once", 115), at("beat", 160)]), [(1, 45, true)]);
    }

    #[test]
    fn a_clock_that_is_set_makes_no_gap_and_hides_none() {
        let at = |state, seconds, off| beat(state, "a", seconds, off);
        for off in [-DAY, DAY, -10, 10] {
            assert_eq!(gaps(&[at("begin", 100, 0), at("beat", 110, off), at("end", 120, 0)]), [], "{off}");
            let hidden = [at("begin", 100, 0), at("beat", 200, off), at("end", 210, 0)];
            assert_eq!(gaps(&hidden), [(0, 100, true)], "{off}");
            let hidden = [at("begin", 100, 0), at("beat", 200, -90)];
            assert_eq!(gaps(&hidden), [(0, 100, true)], "a wall clock that says ten seconds");
        }
        // The machine was started anew: only the wall clock goes through.
        let anew = |seconds, off| beat("beat", "b", seconds, off);
        assert_eq!(gaps(&[at("begin", 100, 0), anew(5, 105)]), []);
        assert_eq!(gaps(&[at("begin", 100, 0), anew(5, 695)]), [(0, 600, true)]);
        assert_eq!(gaps(&[at("begin", 100, 0), anew(300, -DAY)]), [(0, 300, false)]);
        assert_eq!(gaps(&[at("begin", 100, 0), anew(5, 98)]), [(0, 5, false)], "how long is not known");
    }

    #[test]
    fn at_the_end_of_a_log_the_promise_still_holds() {
        let mut all = Heartbeats::default();
        all.take(7, beat("begin", "a", 100, 0).as_bytes()).unwrap();
        let promise = all.promise().unwrap();
        let now = |seconds| Moment::new("2026-09-21T15:00:00Z", "a", Duration::from_secs(seconds)).unwrap();
        assert_eq!(promise.gap_until(&now(117)), None);
        let gap = promise.gap_until(&now(118)).unwrap().to_string();
        assert!(gap.starts_with("no heartbeat since record 7 (2026-09-21T"), "{gap}");
        assert!(gap.ends_with("18 s, and every 10 s was promised"), "{gap}");
        // The clock of somebody else.
        let wall = |time| promise.gap_until(&Moment::by_wall(time).unwrap()).map(|gap| gap.lasted.as_secs());
        assert_eq!([1_790_000_000, 1_790_000_117, 1_790_000_118].map(wall), [None, None, Some(18)]);
        let mut over = Heartbeats::default();
        over.take(7, beat("begin", "a", 100, 0).as_bytes()).unwrap();
        over.take(8, beat("end", "a", 105, 0).as_bytes()).unwrap();
        assert_eq!(over.promise(), None);
    }

    #[test]
    fn what_is_no_heartbeat_is_told() {
        let mut all = Heartbeats::default();
        let right = beat("begin", "a", 100, 0);
        for wrong in [
            right.replace("begin", "sometimes"),
            right.replace("\"every_us\":10000000,", ""),
            right.replace("2026", "next"),
            right.replace("\"boot\":\"a\"", ""),
            "[]".to_owned(),
        ] {
            assert!(all.take(0, wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
