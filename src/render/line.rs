//! The report in one line, for a phone or a status bar.

use crate::core::report::{Cause, ProfileReport, Refreshable, Report, Status, Verdict};
use crate::core::span;
use crate::render::name;

/// The verdict, and the first thing that it rests on; for a host in order what ends first.
pub fn render(report: &Report) -> String {
    let word = match report.verdict {
        Verdict::Ok => "OK",
        Verdict::Expiring => "EXPIRING",
        Verdict::Failing => "FAILING",
    };
    let said = match report.causes.first() {
        Some(first) => {
            let more = match report.causes.len() - 1 {
                0 => String::new(),
                more => format!("; {more} more"),
            };
            format!("{}{more}", cause(first, report))
        }
        None => fine(report),
    };
    format!("{word}: {said}\n")
}

fn cause(cause: &Cause, report: &Report) -> String {
    let subject = name(&cause.subject);
    let profile = report.profiles.iter().find(|profile| profile.id == cause.subject);
    match profile.filter(|_| !cause.is_of_the_host) {
        Some(profile) => format!("{subject} {}", state(profile, report)),
        None if cause.reason == "provider-missing" => format!("{subject} has no credential"),
        None if cause.reason == "source-unreadable" => format!("{subject} cannot be read"),
        None => format!("{subject}: {}", cause.reason),
    }
}

/// What is wrong with a profile.
fn state(profile: &ProfileReport, report: &Report) -> String {
    let expires = profile.expires.at();
    let end = match report.policy.refreshable {
        Refreshable::Strict => expires,
        Refreshable::Lenient => profile.human_needed_by,
    };
    match end {
        None => "holds nothing usable".to_owned(),
        Some(_) if profile.status == Status::Missing => "holds nothing usable".to_owned(),
        Some(end) if Some(end) != expires => format!("needs a new login {}", when(end, report)),
        Some(end) if end <= report.generated_at => format!("ended {}", when(end, report)),
        Some(end) => format!("ends {}", when(end, report)),
    }
}

fn fine(report: &Report) -> String {
    let count = match report.profiles.len() {
        0 => return "no credential has ended or is missing".to_owned(),
        1 => "1 profile".to_owned(),
        count => format!("{count} profiles"),
    };
    let now = report.generated_at;
    let next = report
        .profiles
        .iter()
        .filter_map(|profile| Some((profile.human_needed_by?, profile)))
        .min_by_key(|(end, _)| *end);
    let renewed = report
        .profiles
        .iter()
        .filter(|profile| profile.refreshable)
        .filter_map(|profile| Some((profile.expires.at()?, profile)))
        .min_by_key(|(end, _)| *end);
    let renewed = renewed.map_or_else(String::new, |(end, profile)| {
        let id = name(&profile.id);
        if end <= now {
            format!("; {id} renews itself when it is used")
        } else {
            format!("; {id} renews itself {}", when(end, report))
        }
    });
    let next = next.map_or_else(String::new, |(end, profile)| {
        format!("; {} needs a person {}", name(&profile.id), when(end, report))
    });
    format!("{count}{renewed}{next}")
}

fn when(instant: i64, report: &Report) -> String {
    let span = span::two_units(instant.saturating_sub(report.generated_at));
    if instant <= report.generated_at { format!("{span} ago") } else { format!("in {span}") }
}
