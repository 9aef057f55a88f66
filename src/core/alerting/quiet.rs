//! Hours in which people sleep.

use crate::core::alerting::Level;

/// Minutes of a day.
const DAY_MINUTES: u16 = 24 * 60;

/// A part of every day, by the clock on the wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuietHours {
    /// The first quiet minute of the day, 0 to 1439.
    pub from: u16,
    /// The first minute that is not quiet any more; before `from` when the night is between them.
    pub to: u16,
    /// What is told all the same: this level and above.
    pub floor: Level,
}

impl QuietHours {
    /// Whether a minute of the day, by the clock on the wall, is quiet.
    pub fn has(&self, minute: u16) -> bool {
        if self.from <= self.to {
            (self.from..self.to).contains(&minute)
        } else {
            minute >= self.from || minute < self.to
        }
    }

    /// A time of day such as `22:30`, in minutes.
    pub fn minute(text: &str) -> Option<u16> {
        let (hour, minute) = text.trim().split_once(':')?;
        let is_digits = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_digits(minute) || !(is_digits(hour) || hour.len() == 1) {
            return None;
        }
        let (hour, minute) = (hour.parse::<u16>().ok()?, minute.parse::<u16>().ok()?);
        let all = hour * 60 + minute;
        (hour < 24 && minute < 60 && all < DAY_MINUTES).then_some(all)
    }
}

#[cfg(test)]
mod tests {
    use super::QuietHours;
    use crate::core::alerting::Level;

    #[test]
    fn a_night_goes_over_midnight() {
        let night = QuietHours { from: 22 * 60, to: 7 * 60, floor: Level::Critical };
        let noon = QuietHours { from: 12 * 60, to: 13 * 60, floor: Level::Critical };
        let never = QuietHours { from: 60, to: 60, floor: Level::Critical };
        for (minute, in_night, at_noon) in [
            (21 * 60 + 59, false, false),
            (22 * 60, true, false),
            (0, true, false),
            (6 * 60 + 59, true, false),
            (7 * 60, false, false),
            (12 * 60, false, true),
            (13 * 60, false, false),
        ] {
            assert_eq!((night.has(minute), noon.has(minute)), (in_night, at_noon), "{minute}");
            assert!(!never.has(minute));
        }
    }

    #[test]
    fn times_of_day_are_read_whole_or_not_at_all() {
        assert_eq!(QuietHours::minute("22:30"), Some(1350));
        assert_eq!(QuietHours::minute(" 7:05"), Some(425));
        for bad in ["24:00", "7", "7:5", "7:60", "+7:00", "x:00", "007:00", ""] {
            assert_eq!(QuietHours::minute(bad), None, "{bad}");
        }
    }
}
