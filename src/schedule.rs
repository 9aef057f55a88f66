//! When something that comes back is due next: crontab lines and plain intervals.
//!
//! The `cron` crate knows Quartz's rules: six fields, Sunday is 1, day of month *and* day of week. A crontab has five
//! fields, Sunday is 0 and 7, and a day is meant when either of two restricted day fields says so. The line is therefore
//! translated, and walked by the clock on the wall, so that both changes of the clock follow crontab(5) as Debian's cron
//! does: what stands at a fixed hour runs once a day, and what stands at every hour follows real time.

use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, LocalResult, NaiveDateTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;

/// How often a step that the calendar swallows is tried: a change of the clock hides at most a few.
const STEPS: usize = 400;

/// When it is due.
#[derive(Clone, Debug)]
pub enum Schedule {
    /// A crontab line.
    Cron(Box<Crontab>),
    /// That long after the last time.
    Every(Duration),
}

/// A crontab line in a time zone.
#[derive(Clone, Debug)]
pub struct Crontab {
    /// As it was written.
    line: String,
    /// One pattern, or two of which either is meant.
    patterns: Vec<cron::Schedule>,
    /// Whether it stands at every hour, and so follows real time and not the clock on the wall.
    is_hourly: bool,
    zone: Tz,
}

impl Schedule {
    /// An interval such as `30m`; at least a second.
    pub fn every(span: Duration) -> Result<Self, String> {
        if span < Duration::from_secs(1) {
            return Err("must be at least 1s".to_owned());
        }
        Ok(Self::Every(span))
    }

    /// A crontab line such as `*/30 * * * *` or `@daily`, by the clock of a time zone.
    pub fn cron(line: &str, zone: Tz) -> Result<Self, String> {
        Ok(Self::Cron(Box::new(Crontab::parse(line, zone)?)))
    }

    /// The first instant after `last` at which it is due; `None` when it never is again.
    pub fn next(&self, last: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::Cron(crontab) => crontab.next(last),
            Self::Every(span) => last.checked_add_signed(chrono::TimeDelta::from_std(*span).ok()?),
        }
    }

    /// As a person would write it.
    pub fn words(&self) -> String {
        match self {
            Self::Cron(crontab) => format!("cron \"{}\" in {}", crontab.line, crontab.zone),
            Self::Every(span) => format!("every {}", humantime::format_duration(*span)),
        }
    }
}

impl Crontab {
    fn parse(line: &str, zone: Tz) -> Result<Self, String> {
        let expanded = match line.trim().to_lowercase().as_str() {
            "@hourly" => "0 * * * *".to_owned(),
            "@daily" | "@midnight" => "0 0 * * *".to_owned(),
            "@weekly" => "0 0 * * 0".to_owned(),
            "@monthly" => "0 0 1 * *".to_owned(),
            "@yearly" | "@annually" => "0 0 1 1 *".to_owned(),
            other if other.starts_with('@') => {
                return Err(format!("{other} is no time that comes back; write five fields"));
            }
            other => other.to_owned(),
        };
        let fields: Vec<_> = expanded.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields[..] else {
            return Err(format!(
                "expected five fields (minute, hour, day of month, month, day of week), found {}",
                fields.len()
            ));
        };
        let minutes = list("minute", minute, 0, 59, &[])?;
        let hours = list("hour", hour, 0, 23, &[])?;
        let days = list("day of month", day, 1, 31, &[])?;
        let months = list("month", month, 1, 12, MONTHS)?;
        // Sunday is 0 and 7 here and 1 there.
        let mut weekdays: Vec<_> =
            list("day of week", weekday, 0, 7, WEEKDAYS)?.into_iter().map(|day| day % 7 + 1).collect();
        weekdays.sort_unstable();
        weekdays.dedup();
        let (any_day, any_weekday) = (day.starts_with('*'), weekday.starts_with('*'));
        let pattern = |days: &str, weekdays: &str| {
            let (minutes, hours, months) = (joined(&minutes), joined(&hours), joined(&months));
            cron::Schedule::from_str(&format!("0 {minutes} {hours} {days} {months} {weekdays}"))
                .map_err(|error| format!("is no crontab line: {error}"))
        };
        let (days, weekdays) = (joined(&days), joined(&weekdays));
        let patterns = if any_day || any_weekday {
            vec![pattern(&days, &weekdays)?]
        } else {
            vec![pattern(&days, "*")?, pattern("*", &weekdays)?]
        };
        let crontab = Self { line: line.trim().to_owned(), patterns, is_hourly: hour.starts_with('*'), zone };
        // Leap years are at most eight years apart.
        let some_day = DateTime::from_timestamp(1_900_000_000, 0).unwrap_or_default();
        if crontab.next(some_day).is_none() {
            return Err("names a day that never comes".to_owned());
        }
        Ok(crontab)
    }

    fn next(&self, last: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if self.is_hourly { self.next_by_real_time(last) } else { self.next_by_the_wall(last) }
    }

    /// The next time of day that matches, looked for beyond `wall`, or from it on.
    fn match_after(&self, wall: NaiveDateTime, or_at: bool) -> Option<NaiveDateTime> {
        let from = if or_at { wall.checked_sub_signed(chrono::TimeDelta::seconds(1))? } else { wall };
        let matches = self.patterns.iter().filter_map(|pattern| pattern.after(&from.and_utc()).next());
        matches.min().map(|found| found.naive_utc())
    }

    fn wall(&self, at: DateTime<Utc>) -> NaiveDateTime {
        at.with_timezone(&self.zone).naive_local()
    }

    /// Once for each time on the wall: what a change hides runs right after it, what it shows twice runs the first time.
    fn next_by_the_wall(&self, last: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut wall = self.wall(last);
        for _ in 0..STEPS {
            wall = self.match_after(wall, false)?;
            let found = match self.zone.from_local_datetime(&wall) {
                LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => at.with_timezone(&Utc),
                LocalResult::None => self.after_gap(wall)?,
            };
            if found > last {
                return Some(found);
            }
        }
        None
    }

    /// Whatever the wall shows: what a change hides does not run, what it shows twice runs twice.
    fn next_by_real_time(&self, last: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut from = last;
        let mut or_at = false;
        for _ in 0..STEPS {
            let offset = self.offset(from);
            let wall = self.match_after(self.wall(from), or_at)?;
            let found = (wall.and_utc()).checked_sub_signed(chrono::TimeDelta::seconds(offset.into()))?;
            let Some(change) = self.change_between(from, found) else { return Some(found) };
            (from, or_at) = (change, true);
        }
        None
    }

    /// Seconds east of Greenwich.
    fn offset(&self, at: DateTime<Utc>) -> i32 {
        self.zone.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc()
    }

    /// The first second of another offset, at most as late as `to`. Two changes lie weeks apart, so half days find each.
    fn change_between(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let before = self.offset(from);
        let (from, to) = (from.timestamp(), to.timestamp());
        let at = |second: i64| DateTime::from_timestamp(second, 0).unwrap_or_default();
        let mut low = from;
        let mut high = loop {
            let next = (low + 12 * 3600).min(to);
            if self.offset(at(next)) != before {
                break next;
            }
            if next == to {
                return None;
            }
            low = next;
        };
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.offset(at(middle)) == before { low = middle } else { high = middle }
        }
        Some(at(high))
    }

    /// The end of the gap that a time on the wall lies in.
    fn after_gap(&self, wall: NaiveDateTime) -> Option<DateTime<Utc>> {
        let day = chrono::TimeDelta::days(1);
        self.change_between(wall.and_utc() - day, wall.and_utc() + day)
    }
}

const MONTHS: &[&str] =
    &["", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// The numbers that a field of a crontab line means.
fn list(field: &str, text: &str, first: u32, last: u32, names: &[&str]) -> Result<Vec<u32>, String> {
    let wrong = || format!("{field}: \"{text}\" is no number from {first} to {last}, range, list or step");
    let number = |text: &str| -> Result<u32, String> {
        let by_name = names.iter().position(|name| !name.is_empty() && *name == text);
        let by_name = by_name.and_then(|place| u32::try_from(place).ok());
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = by_name.or_else(|| text.parse().ok().filter(|_| is_number)).ok_or_else(wrong)?;
        (first..=last).contains(&number).then_some(number).ok_or_else(wrong)
    };
    let mut numbers = Vec::new();
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => {
                (range, Some(step.parse::<usize>().ok().filter(|step| *step > 0).ok_or_else(wrong)?))
            }
            None => (part, None),
        };
        let (low, high) = match range.split_once('-') {
            _ if range == "*" => (first, last),
            Some((low, high)) => (number(low)?, number(high)?),
            // `5/10` is no crontab, but everybody who writes it means from 5 on.
            None if step.is_some() => (number(range)?, last),
            None => (number(range)?, number(range)?),
        };
        if low > high {
            return Err(format!("{field}: the range \"{range}\" runs backwards"));
        }
        numbers.extend((low..=high).step_by(step.unwrap_or(1)));
    }
    numbers.sort_unstable();
    numbers.dedup();
    Ok(numbers)
}

fn joined(numbers: &[u32]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// The time zone of a name such as `Europe/Berlin`.
pub fn zone(name: &str) -> Result<Tz, String> {
    name.trim().parse().map_err(|_| format!("\"{name}\" is no time zone such as \"Europe/Berlin\""))
}

/// The time zone of this host: `TZ` when it names one, else the one that is set up; UTC when nobody knows.
pub fn host_zone(tz: Option<&str>) -> Tz {
    let named = tz.and_then(|name| zone(name.trim_start_matches(':')).ok());
    named.or_else(|| zone(&iana_time_zone::get_timezone().ok()?).ok()).unwrap_or(Tz::UTC)
}
