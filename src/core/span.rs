//! Spans of time in words.

/// One second in ms.
pub const SECOND: i64 = 1000;
/// One minute in ms.
pub const MINUTE: i64 = 60 * 1000;
/// One hour in ms.
pub const HOUR: i64 = 60 * MINUTE;
/// One day in ms.
pub const DAY: i64 = 24 * HOUR;

/// Hours with a fraction in ms.
pub fn of_hours(hours: f64) -> i64 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float cast saturates, which is the clamping we want"
    )]
    #[expect(clippy::cast_precision_loss, reason = "an hour in ms is a small number")]
    let ms = (hours * HOUR as f64) as i64;
    ms
}

/// The reference's short form: `1m` below a minute, minutes to 59, hours to 47, then days, each rounded; `0m` at
/// zero and below.
pub fn short(ms: i64) -> String {
    if ms <= 0 {
        return "0m".to_owned();
    }
    let minutes = rounded(ms, MINUTE).max(1);
    if minutes < 60 {
        return format!("{minutes}m");
    }
    let hours = rounded(minutes, 60);
    if hours < 48 { format!("{hours}h") } else { format!("{}d", rounded(hours, 24)) }
}

/// The two largest units, cut off, never rounded up: `3d 4h`, `2h 5m`, `12m`, `40s`. The sign is ignored.
pub fn two_units(ms: i64) -> String {
    let ms = ms.saturating_abs();
    let pair = |large: i64, large_name: &str, small: i64, small_name: &str| match (ms % large) / small {
        0 => format!("{}{large_name}", ms / large),
        rest => format!("{}{large_name} {rest}{small_name}", ms / large),
    };
    if ms >= DAY {
        pair(DAY, "d", HOUR, "h")
    } else if ms >= HOUR {
        pair(HOUR, "h", MINUTE, "m")
    } else if ms >= MINUTE {
        format!("{}m", ms / MINUTE)
    } else {
        format!("{}s", ms / 1000)
    }
}

fn rounded(value: i64, unit: i64) -> i64 {
    value / unit + i64::from(value % unit >= unit - unit / 2)
}

#[cfg(test)]
mod tests {
    use super::{DAY, HOUR, MINUTE, short, two_units};

    #[test]
    fn the_short_form_rounds_like_the_reference() {
        for (ms, expected) in [
            (i64::MIN, "0m"),
            (0, "0m"),
            (1, "1m"),
            (89_999, "1m"),
            (90_000, "2m"),
            (59 * MINUTE, "59m"),
            (60 * MINUTE, "1h"),
            (7_230_000, "2h"),
            (47 * HOUR, "47h"),
            (48 * HOUR, "2d"),
            (i64::MAX, "106751991167d"),
        ] {
            assert_eq!(short(ms), expected, "{ms}");
        }
    }

    #[test]
    fn two_units_never_promise_more_than_there_is() {
        for (ms, expected) in [
            (3 * DAY + 4 * HOUR + 59 * MINUTE, "3d 4h"),
            (DAY, "1d"),
            (2 * HOUR + 5 * MINUTE, "2h 5m"),
            (-12 * MINUTE - 59_999, "12m"),
            (40_000, "40s"),
            (i64::MIN, "106751991167d 7h"),
        ] {
            assert_eq!(two_units(ms), expected, "{ms}");
        }
    }
}
