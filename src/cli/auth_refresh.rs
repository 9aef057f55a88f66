//! `openclaw models auth refresh`, and the renewing before a status.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::Session;
use crate::cli::auth_args::RefreshArgs;
use crate::core::credential::EpochMs;
use crate::core::login::Vendor;
use crate::core::{provider, span};
use crate::exit::{CommandError, ExitStatus};
use crate::refresh::{Left, Outcome, Refresher, TIME_LIMIT};
use crate::render::{name, printable};
use crate::workspace::Workspace;

/// Renews what was asked for and tells what came of it.
pub(super) fn run(session: &Session<'_>, args: &RefreshArgs) -> Result<ExitStatus, CommandError> {
    let workspace = session.profiles(true)?;
    let limit = args.timeout.map_or(TIME_LIMIT, Duration::from_millis);
    let progress = session.printer.progress();
    let tell = |message: &str| progress.message(session.printer, message);
    let refresher = Refresher {
        process: session.printer.process(),
        workspace: &workspace,
        clock: session.clock,
        limit,
        tell: &tell,
    };
    let ids = selected(&workspace, &refresher, args)?;
    let left = refresher.settle();
    let outcomes: Vec<_> = ids
        .into_iter()
        .map(|id| {
            progress.show(&format!("renewing {}", name(&id)));
            let outcome = refresher.refresh(&id, args.force);
            (id, outcome)
        })
        .collect();
    drop(progress);
    let now = session.clock.now().timestamp_millis();
    tell_what_is_left(session, &left);
    // What to type is in the report as it is now.
    let report = if outcomes.iter().all(|(_, outcome)| outcome.is_good()) {
        None
    } else {
        Some(session.report(&session.profiles(false)?))
    };
    let remedies = |id: &str| -> Vec<String> {
        let profiles = report.iter().flat_map(|report| &report.profiles);
        let mut found = profiles.filter(|profile| profile.id == id);
        found.next().map(|profile| profile.remedies.clone()).unwrap_or_default()
    };
    let answer = if args.json {
        let entries = outcomes.iter().map(|(id, outcome)| json_of(id, outcome, &remedies(id)));
        let parked = left.iter().map(|left| json!({"provider": left.parked.provider, "reason": left.reason}));
        let document = json!({"logins": entries.collect::<Vec<_>>(), "parked": parked.collect::<Vec<_>>()});
        serde_json::to_string_pretty(&document).unwrap_or_default() + "\n"
    } else {
        outcomes.iter().fold(String::new(), |mut text, (id, outcome)| {
            let _ = writeln!(text, "{}: {}", name(id), words(outcome, now));
            if let Some(remedy) = remedies(id).first().filter(|_| needs_human(outcome)) {
                let _ = writeln!(text, "  -> {}", printable(remedy));
            }
            text
        })
    };
    let status =
        session.printer.answer(if answer.is_empty() { "No login has a refresh token.\n" } else { &answer });
    Ok(if status == ExitStatus::Success { exit_status(&outcomes, &left) } else { status })
}

fn needs_human(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Failed { failure, .. } | Outcome::Resting(failure) => failure.class.needs_human(),
        Outcome::Lost(_) => true,
        _ => false,
    }
}

/// Renews what is stale before a report; what fails is in the report.
pub(super) fn before_report(session: &Session<'_>) -> Result<(), CommandError> {
    let workspace = session.profiles(true)?;
    let progress = session.printer.progress();
    let tell = |message: &str| progress.message(session.printer, message);
    let refresher = Refresher {
        process: session.printer.process(),
        workspace: &workspace,
        clock: session.clock,
        limit: TIME_LIMIT,
        tell: &tell,
    };
    let left = refresher.settle();
    let now = session.clock.now().timestamp_millis();
    for (id, _) in refresher.logins() {
        progress.show(&format!("renewing {}", name(&id)));
        let outcome = refresher.refresh(&id, false);
        if outcome == Outcome::Interrupted {
            return Err(CommandError::interrupted());
        }
        if !outcome.is_good() {
            tell(&format!("note: {}: {}", name(&id), words(&outcome, now)));
        }
    }
    drop(progress);
    tell_what_is_left(session, &left);
    Ok(())
}

fn selected(
    workspace: &Workspace,
    refresher: &Refresher<'_>,
    args: &RefreshArgs,
) -> Result<Vec<String>, CommandError> {
    let logins = refresher.logins();
    let known = || {
        let ids: Vec<_> = logins.iter().map(|(id, _)| printable(id)).collect();
        if ids.is_empty() {
            "no login has a refresh token".to_owned()
        } else {
            format!("logins: {}", ids.join(", "))
        }
    };
    if let Some(id) = &args.profile_id {
        if logins.iter().any(|(login, _)| login == id) {
            return Ok(vec![id.clone()]);
        }
        let own = workspace.own_store();
        let is_there = own.has_entry(id) || workspace.main_store().is_some_and(|main| main.has_entry(id));
        let why = if is_there { "has no refresh token" } else { "is no profile here" };
        return Err(CommandError::refused(format!("{} {why}", name(id))).hint(known()));
    }
    let Some(wanted) = &args.provider else { return Ok(logins.into_iter().map(|(id, _)| id).collect()) };
    let wanted = super::auth_paste::known_provider(workspace, wanted)?;
    let hint = known();
    let of_provider =
        logins.into_iter().filter(|(_, credential)| provider::normalize(&credential.provider) == wanted);
    let ids: Vec<_> = of_provider.map(|(id, _)| id).collect();
    if ids.is_empty() {
        return Err(CommandError::refused(format!("no login of {} has a refresh token", printable(&wanted)))
            .hint(hint));
    }
    Ok(ids)
}

fn tell_what_is_left(session: &Session<'_>, left: &[Left]) {
    for Left { parked, reason, .. } in left {
        let provider = &parked.provider;
        session.printer.message(&format!("warning: new tokens of {provider} are still parked: {reason}"));
    }
}

/// The worst of everything: what no disk took, then what a disk did not take yet, then what nobody renewed.
fn exit_status(outcomes: &[(String, Outcome)], left: &[Left]) -> ExitStatus {
    let has = |is_meant: fn(&Outcome) -> bool| outcomes.iter().any(|(_, outcome)| is_meant(outcome));
    if has(|outcome| matches!(outcome, Outcome::Lost(_) | Outcome::Parked { .. }))
        || left.iter().any(|left| left.is_failure)
    {
        ExitStatus::Io
    } else if has(|outcome| *outcome == Outcome::Interrupted) {
        ExitStatus::Interrupted
    } else if has(|outcome| !outcome.is_good()) {
        ExitStatus::Failing
    } else {
        ExitStatus::Success
    }
}

fn words(outcome: &Outcome, now: EpochMs) -> String {
    let good = |expires: EpochMs| format!("good for {}", span::two_units(expires.saturating_sub(now)));
    let until = |expires: &Option<EpochMs>| expires.map_or_else(|| "good".to_owned(), good);
    match outcome {
        Outcome::Adopted { by, expires } => format!("was renewed by {by}, {}", until(expires)),
        Outcome::Failed { failure, message, .. } if failure.class.needs_human() => {
            format!("{message}. Trying again is of no use: a person is needed")
        }
        Outcome::Failed { failure, message, .. } => match failure.next_try {
            Some(next) => {
                format!("{message}. The next try may come in {}", span::two_units(next.saturating_sub(now)))
            }
            None => message.clone(),
        },
        Outcome::Fresh { expires } => format!("is not due, {}", until(expires)),
        Outcome::Interrupted => "interrupted; nothing was sent".to_owned(),
        Outcome::LeftToVendor(vendor, why) => format!(
            "left to {}: {why}. Use `{}` once: it renews its own login",
            vendor.program(),
            vendor.renew_command()[0]
        ),
        Outcome::Lost(why) => format!("the provider gave new tokens and they are lost: {why}. Log in again"),
        Outcome::Parked { file, message } => {
            format!("{message}. The new tokens are safe in {file}; the next run stores them")
        }
        Outcome::Renewed { why, expires, written_back } => {
            let also =
                written_back.map_or_else(String::new, |vendor| format!(", {} has it too", vendor.program()));
            format!("renewed ({}), {}{also}", why.word(), good(*expires))
        }
        Outcome::Resting(failure) => match failure.next_try {
            Some(next) => format!(
                "not tried: {}; the next try may come in {}, or now with --force",
                failure.class.entry().2,
                span::two_units(next.saturating_sub(now))
            ),
            None => format!("not tried: {}; a person is needed", failure.class.entry().2),
        },
        Outcome::Unready(why) | Outcome::Unsupported(why) => format!("not tried: {why}"),
    }
}

fn json_of(id: &str, outcome: &Outcome, remedies: &[String]) -> Value {
    let mut entry = json!({"profileId": id, "outcome": word(outcome)});
    if !outcome.is_good() {
        entry["remedies"] = json!(remedies);
    }
    let mut set = |key: &str, value: Value| entry[key] = value;
    match outcome {
        Outcome::Adopted { by, expires } => {
            set("by", json!(by));
            set("expiresAt", json!(expires));
        }
        Outcome::Failed { why, failure, message } => {
            set("why", json!(why.word()));
            set("class", json!(failure.class.word()));
            set("humanNeeded", json!(failure.class.needs_human()));
            set("nextTry", json!(failure.next_try));
            set("message", json!(message));
        }
        Outcome::Fresh { expires } => set("expiresAt", json!(expires)),
        Outcome::Interrupted => {}
        Outcome::LeftToVendor(vendor, message) => {
            set("by", json!(vendor.program()));
            set("message", json!(message));
        }
        Outcome::Lost(message) | Outcome::Unready(message) | Outcome::Unsupported(message) => {
            set("message", json!(message));
        }
        Outcome::Parked { file, message } => {
            set("file", json!(file));
            set("message", json!(message));
        }
        Outcome::Renewed { why, expires, written_back } => {
            set("why", json!(why.word()));
            set("expiresAt", json!(expires));
            set("writtenBack", json!(written_back.map(Vendor::program)));
        }
        Outcome::Resting(failure) => {
            set("class", json!(failure.class.word()));
            set("humanNeeded", json!(failure.class.needs_human()));
            set("nextTry", json!(failure.next_try));
        }
    }
    entry
}

/// The stable word of an outcome.
fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Adopted { .. } => "adopted",
        Outcome::Failed { .. } => "failed",
        Outcome::Fresh { .. } => "fresh",
        Outcome::Interrupted => "interrupted",
        Outcome::LeftToVendor(..) => "left-to-vendor",
        Outcome::Lost(_) => "lost",
        Outcome::Parked { .. } => "parked",
        Outcome::Renewed { .. } => "renewed",
        Outcome::Resting(_) => "resting",
        Outcome::Unready(_) => "unready",
        Outcome::Unsupported(_) => "unsupported",
    }
}
