//! `openclaw models auth reauth`: from a notice to a login that works, also on a small screen.

use std::process::Command;

use crate::cli::auth_args::SetupTokenArgs;
use crate::cli::auth_claude::{self, Looked};
use crate::cli::reauth_args::ReauthArgs;
use crate::cli::status_args::{PolicyArgs, RefreshableArg};
use crate::cli::{Session, auth_setup_token, policy};
use crate::core::auth_words::SIGN_IN_URL;
use crate::core::provider;
use crate::core::report::{Cause, Report};
use crate::exit::{CommandError, ExitStatus};
use crate::render::name;
use crate::sys::child;
use crate::workspace::Workspace;

const PROVIDER: &str = "anthropic";

/// Shows where things stand, and leads through a new login when a person is needed.
pub(super) fn run(session: &Session<'_>, args: &ReauthArgs) -> Result<ExitStatus, CommandError> {
    if args.url {
        return Ok(session.printer.answer(&format!("{SIGN_IN_URL}\n")));
    }
    let (before, _) = look(session)?;
    let (ours, others) = by_provider(&before);
    if ours.is_empty() && !args.force {
        if others.is_empty() {
            return Ok(session.printer.answer("\nNobody is needed.\n"));
        }
        tell_others(session, &others);
        return Err(CommandError::refused("a new login at Anthropic would not mend this"));
    }
    if !session.printer.process().stdin_is_terminal() {
        return Err(CommandError::usage("a new login needs a terminal")
            .hint("over ssh: `ssh -t HOST openclaw models auth reauth`"));
    }
    let steps = format!(
        "\nA new token for Anthropic\n  1. sign in on any device: {SIGN_IN_URL}\n  \
         2. `claude setup-token` shows an address: open it there and allow the access\n  \
         3. paste the code that you get, and the token when you are asked for it\n"
    );
    session.printer.answer(&steps);
    let setup = SetupTokenArgs { provider: PROVIDER.to_owned(), yes: false };
    let status = auth_setup_token::run(session, &setup)?;
    if status != ExitStatus::Success {
        return Ok(status);
    }
    session.printer.answer("\n");
    let (after, workspace) = look(session)?;
    restart(session, &workspace);
    let (ours, others) = by_provider(&after);
    tell_others(session, &others);
    match ours.first() {
        None => Ok(ExitStatus::Success),
        Some(first) => {
            let error = CommandError::refused(format!("{} still needs a person", name(&first.subject)));
            Err(first.remedies.iter().fold(error, |error, remedy| error.hint(remedy.clone())))
        }
    }
}

/// Looks at the host, shows it, and gives what it means for people.
fn look(session: &Session<'_>) -> Result<(Report, Workspace), CommandError> {
    let workspace = session.workspace()?;
    let policy = policy(
        PolicyArgs { refreshable: Some(RefreshableArg::Lenient), ..PolicyArgs::default() },
        &workspace.ops,
    );
    let looked = Looked::at(session, &workspace, &policy);
    session.printer.answer(&looked.full(session, &workspace));
    Ok((looked.report, workspace))
}

/// What a new token of Anthropic mends, and what it does not.
fn by_provider(report: &Report) -> (Vec<&Cause>, Vec<&Cause>) {
    report.causes.iter().partition(|cause| {
        let profile = report.profiles.iter().find(|profile| profile.id == cause.subject);
        match profile.filter(|_| !cause.is_of_the_host) {
            Some(profile) => provider::normalize(&profile.provider) == PROVIDER,
            None => cause.subject == PROVIDER,
        }
    })
}

fn tell_others(session: &Session<'_>, others: &[&Cause]) {
    for cause in others {
        session.printer.message(&format!("note: {} needs a person too", name(&cause.subject)));
        for remedy in &cause.remedies {
            session.printer.message(&format!("  -> {remedy}"));
        }
    }
}

/// A gateway that holds its credentials in memory takes new ones with a restart; ours does so anyway.
fn restart(session: &Session<'_>, workspace: &Workspace) {
    let Some((unit, Some(state))) = auth_claude::service(session, workspace) else { return };
    if !state.is_running() || !unit.is_of_user {
        return;
    }
    let mut command = Command::new("systemctl");
    command.env_clear().envs(session.printer.process().variables());
    let restarted = child::attached(command.args(["--user", "restart", &unit.name]));
    match restarted {
        Ok(status) if status.success() => session.printer.message(&format!("restarted {}", unit.name)),
        _ => session.printer.message(&format!(
            "warning: {} could not be restarted; type `systemctl --user restart {}`",
            unit.name, unit.name
        )),
    }
}
