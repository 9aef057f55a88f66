//! Crontab lines and intervals, at the edges of the calendar and of the clock on the wall.

use std::time::Duration;

use chrono::{DateTime, Utc};
use openclaw::schedule::{Schedule, host_zone, zone};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// The next instants as a person in the zone would write them.
fn runs(line: &str, zone_name: &str, from: &str, count: usize) -> Vec<String> {
    let zone = zone(zone_name).unwrap();
    let schedule = Schedule::cron(line, zone).unwrap();
    let mut last = at(from);
    (0..count)
        .map(|_| {
            last = schedule.next(last).unwrap();
            last.with_timezone(&zone).format("%a %m-%d %H:%M %z").to_string()
        })
        .collect()
}

#[test]
fn the_gap_of_spring_runs_what_it_hides_once_and_right_after() {
    // Berlin: 02:00 becomes 03:00 on 29 March 2026.
    let before = "2026-03-28T12:00:00Z";
    assert_eq!(
        runs("30 2 * * *", "Europe/Berlin", before, 2),
        ["Sun 03-29 03:00 +0200", "Mon 03-30 02:30 +0200"]
    );
    assert_eq!(
        runs("0 3 * * *", "Europe/Berlin", before, 2),
        ["Sun 03-29 03:00 +0200", "Mon 03-30 03:00 +0200"]
    );
    assert_eq!(
        runs("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:15:00Z", 4),
        ["Sun 03-29 01:30 +0100", "Sun 03-29 03:00 +0200", "Sun 03-29 03:30 +0200", "Sun 03-29 04:00 +0200"]
    );
    // New York: 02:00 becomes 03:00 on 8 March 2026.
    assert_eq!(
        runs("15 2 * * *", "America/New_York", "2026-03-07T12:00:00Z", 2),
        ["Sun 03-08 03:00 -0400", "Mon 03-09 02:15 -0400"]
    );
    assert_eq!(
        runs("45 * * * *", "America/New_York", "2026-03-08T06:00:00Z", 2),
        ["Sun 03-08 01:45 -0500", "Sun 03-08 03:45 -0400"]
    );
}

#[test]
fn the_hour_that_comes_twice_runs_fixed_times_once_and_intervals_twice() {
    // Berlin: 03:00 becomes 02:00 on 25 October 2026.
    assert_eq!(
        runs("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2),
        ["Sun 10-25 02:30 +0200", "Mon 10-26 02:30 +0100"]
    );
    assert_eq!(
        runs("*/30 * * * *", "Europe/Berlin", "2026-10-25T00:00:00Z", 4),
        ["Sun 10-25 02:30 +0200", "Sun 10-25 02:00 +0100", "Sun 10-25 02:30 +0100", "Sun 10-25 03:00 +0100"]
    );
    // Started in the second half: the fixed time of the first half is over.
    assert_eq!(runs("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z", 1), ["Mon 10-26 02:30 +0100"]);
    // New York: 02:00 becomes 01:00 on 1 November 2026.
    assert_eq!(
        runs("30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", 2),
        ["Sun 11-01 01:30 -0400", "Mon 11-02 01:30 -0500"]
    );
    assert_eq!(
        runs("0 */1 * * *", "America/New_York", "2026-11-01T04:30:00Z", 3),
        ["Sun 11-01 01:00 -0400", "Sun 11-01 01:00 -0500", "Sun 11-01 02:00 -0500"]
    );
}

#[test]
fn a_year_of_every_half_hour_has_no_hole_and_no_double() {
    for zone_name in ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"] {
        let schedule = Schedule::cron("*/30 * * * *", zone(zone_name).unwrap()).unwrap();
        let mut last = at("2026-01-01T00:00:00Z");
        for _ in 0..365 * 48 {
            let next = schedule.next(last).unwrap();
            assert_eq!((next - last).num_minutes(), 30, "{zone_name} {last}");
            last = next;
        }
        let daily = Schedule::cron("10 2 * * *", zone(zone_name).unwrap()).unwrap();
        let mut last = at("2026-01-01T18:00:00Z");
        let days = (0..365).map(|_| {
            last = daily.next(last).unwrap();
            last.with_timezone(&zone(zone_name).unwrap()).date_naive()
        });
        let mut days: Vec<_> = days.collect();
        days.dedup();
        assert_eq!(days.len(), 365, "{zone_name}: one run each day");
    }
}

#[test]
fn sunday_is_0_and_7_and_has_a_name() {
    let wanted = ["Sun 11-29 09:00 +0000", "Sun 12-06 09:00 +0000"];
    for line in ["0 9 * * 0", "0 9 * * 7", "0 9 * * sun", "0 9 * * SUN", "0 9 * * 0,7", "0 9 * * 7-7"] {
        assert_eq!(runs(line, "UTC", "2026-11-25T00:00:00Z", 2), wanted, "{line}");
    }
    assert_eq!(
        runs("0 9 * * 5-7", "UTC", "2026-11-25T00:00:00Z", 3),
        ["Fri 11-27 09:00 +0000", "Sat 11-28 09:00 +0000", "Sun 11-29 09:00 +0000"]
    );
    assert_eq!(runs("0 9 * * mon-fri", "UTC", "2026-11-27T10:00:00Z", 1), ["Mon 11-30 09:00 +0000"]);
}

#[test]
fn two_restricted_day_fields_mean_either() {
    assert_eq!(
        runs("0 0 13 * 5", "UTC", "2026-11-10T00:00:00Z", 3),
        ["Fri 11-13 00:00 +0000", "Fri 11-20 00:00 +0000", "Fri 11-27 00:00 +0000"]
    );
    assert_eq!(
        runs("0 0 1 * 0", "UTC", "2026-11-25T00:00:00Z", 2),
        ["Sun 11-29 00:00 +0000", "Tue 12-01 00:00 +0000"]
    );
    // A step of every day restricts nothing (crontab(5)).
    assert_eq!(runs("0 0 */2 * 0", "UTC", "2026-11-25T00:00:00Z", 1), ["Sun 11-29 00:00 +0000"]);
}

#[test]
fn the_29th_of_february_comes_every_fourth_year() {
    let schedule = Schedule::cron("0 12 29 2 *", zone("UTC").unwrap()).unwrap();
    assert_eq!(schedule.next(at("2026-01-01T00:00:00Z")), Some(at("2028-02-29T12:00:00Z")));
    assert_eq!(schedule.next(at("2028-02-29T12:00:00Z")), Some(at("2032-02-29T12:00:00Z")));
    assert_eq!(schedule.next(at("2096-03-01T00:00:00Z")), None, "the calendar of the crate ends with 2100");
}

#[test]
fn what_never_comes_or_means_nothing_is_refused() {
    for (line, why) in [
        ("", "five fields"),
        ("* * * *", "five fields"),
        ("0 * * * * *", "five fields"),
        ("60 * * * *", "minute"),
        ("* 24 * * *", "hour"),
        ("* * 0 * *", "day of month"),
        ("* * * 13 *", "month"),
        ("* * * * 8", "day of week"),
        ("*/0 * * * *", "minute"),
        ("5-1 * * * *", "backwards"),
        ("a * * * *", "minute"),
        ("-1 * * * *", "minute"),
        ("+1 * * * *", "minute"),
        ("0 0 30 2 *", "never comes"),
        ("@reboot", "no time"),
        ("1,,2 * * * *", "minute"),
        ("* * * jan-xyz *", "month"),
    ] {
        let error = Schedule::cron(line, zone("UTC").unwrap()).unwrap_err();
        assert!(error.contains(why), "{line}: {error}");
    }
    assert!(zone("Mars/Olympus").unwrap_err().contains("Europe/Berlin"));
    assert!(Schedule::every(Duration::ZERO).is_err());
}

#[test]
fn intervals_and_macros_do_what_they_say() {
    let half_hour = Schedule::every(Duration::from_mins(30)).unwrap();
    assert_eq!(half_hour.next(at("2026-03-29T00:45:00Z")), Some(at("2026-03-29T01:15:00Z")));
    assert_eq!(half_hour.words(), "every 30m");
    for (line, wanted) in [
        ("@hourly", "2026-11-25T11:00:00Z"),
        ("@daily", "2026-11-26T00:00:00Z"),
        ("@weekly", "2026-11-29T00:00:00Z"),
        ("@monthly", "2026-12-01T00:00:00Z"),
        ("@yearly", "2027-01-01T00:00:00Z"),
        ("5/20 * * * *", "2026-11-25T10:25:00Z"),
        ("*/7 10 * * *", "2026-11-25T10:14:00Z"),
    ] {
        let schedule = Schedule::cron(line, zone("UTC").unwrap()).unwrap();
        assert_eq!(schedule.next(at("2026-11-25T10:10:00Z")), Some(at(wanted)), "{line}");
    }
    assert_eq!(host_zone(Some("Europe/Berlin")), zone("Europe/Berlin").unwrap());
    assert_eq!(host_zone(Some(":America/New_York")), zone("America/New_York").unwrap());
}
