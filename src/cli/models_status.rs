//! `openclaw models status`.

use std::time::Duration;

use crate::cli::args::Cli;
use crate::cli::printer::Printer;
use crate::cli::status_args::{ProbeArg, StatusArgs};
use crate::cli::{LOCK_PATIENCE, Session, TIME_LIMIT, auth_refresh, installation, policy};
use crate::clock::{Clock, Deadline};
use crate::core::assess::assess;
use crate::core::probe::{How, ProbeOptions, Probes};
use crate::core::provider;
use crate::core::report::{Report, Verdict};
use crate::exit::{CommandError, ExitStatus};
use crate::probe;
use crate::render::{json, line, name, plain, printable_lines, text};
use crate::sync;
use crate::sys::signals;
use crate::usage;
use crate::workspace::{Request, Workspace};

/// Clears the screen and puts the cursor on its first line.
const CLEAR: &str = "\u{1b}[2J\u{1b}[H";

/// Runs the command.
pub(super) fn run(
    cli: &Cli,
    args: &StatusArgs,
    printer: &Printer<'_>,
    clock: &Clock,
) -> Result<ExitStatus, CommandError> {
    if args.json && args.plain {
        return Err(CommandError::usage("--json and --plain cannot be used together"));
    }
    if let Some(every) = args.watch {
        if !printer.process().stdout_is_terminal() {
            return Err(CommandError::usage("--watch needs a terminal"));
        }
        loop {
            // A config that somebody is editing must not end the watch.
            let page = match report(cli, args, printer, clock) {
                Ok(report) => text::render(&report, printer.look(cli.no_color)),
                Err(error) => printable_lines(&format!("{error}\n")),
            };
            let status = printer.answer(&format!("{CLEAR}{page}"));
            if status != ExitStatus::Success {
                return Ok(status);
            }
            clock.sleep(Duration::from_millis(every));
        }
    }
    // Whoever interrupts a probe sees what is known by then.
    let _signals = args.probe.map(|_| signals::defer());
    let report = report(cli, args, printer, clock)?;
    let answer = if args.json {
        json::render(&report)
    } else if args.plain {
        plain::render(&report)
    } else if args.line {
        line::render(&report)
    } else {
        text::render(&report, printer.look(cli.no_color))
    };
    match printer.answer(&answer) {
        ExitStatus::Success if args.check && report.probes.as_ref().is_some_and(Probes::fail) => {
            Ok(Verdict::Failing.into())
        }
        ExitStatus::Success if args.check => Ok(report.verdict.into()),
        status => Ok(status),
    }
}

fn report(
    cli: &Cli,
    args: &StatusArgs,
    printer: &Printer<'_>,
    clock: &Clock,
) -> Result<Report, CommandError> {
    if args.refresh {
        auth_refresh::before_report(&Session { cli, printer, clock })?;
    }
    let deadline = Deadline::after(args.timeout.map_or(TIME_LIMIT, Duration::from_millis));
    let request = Request { installation: installation(cli), agent: cli.agent.clone(), ..Request::default() };
    let workspace = Workspace::load(printer.process(), clock, &request, deadline)?;
    let patience = LOCK_PATIENCE.min(deadline.remaining());
    let synced = sync::run(&workspace, clock, !args.no_sync, patience);
    let mut snapshot = workspace.snapshot(&synced.own, synced.main.as_deref());
    snapshot.findings.extend(synced.findings);
    let mut report = assess(&snapshot, clock.now(), &policy(args.policy, &workspace.ops));
    if args.usage {
        let progress = printer.progress();
        progress.show("asking how much is left");
        let tell = |message: &str| progress.message(printer, message);
        report.usage = Some(usage::run(&workspace, &snapshot, clock, &tell));
    }
    if let Some(how) = args.probe {
        let options = probe_options(args, how);
        refuse_unknown(&options, &report)?;
        let progress = printer.progress();
        let show = |done: usize, total: usize| progress.count("trying credentials", done, total);
        let signals = signals::defer();
        let is_interrupted = || signals.is_pending();
        let probes = probe::run(&workspace, &snapshot, &report, clock, options, &is_interrupted, &show);
        report.probes = Some(probes);
    }
    Ok(report)
}

fn probe_options(args: &StatusArgs, how: ProbeArg) -> ProbeOptions {
    ProbeOptions {
        how: match how {
            ProbeArg::Cheap => How::Cheap,
            ProbeArg::Model => How::Model,
        },
        provider: args.probe_provider.as_deref().map(provider::normalize),
        profile_ids: args.probe_profile.iter().map(|id| id.trim().to_owned()).collect(),
        timeout_ms: args.probe_timeout.unwrap_or(8_000),
        concurrency: args.probe_concurrency.unwrap_or(2),
        max_tokens: args.probe_max_tokens.unwrap_or(8),
    }
}

/// A misspelt name would try nothing, and nothing tried looks like nothing wrong.
fn refuse_unknown(options: &ProbeOptions, report: &Report) -> Result<(), CommandError> {
    let is_known = |id: &str| report.profiles.iter().any(|profile| profile.id == id);
    if let Some(id) = options.profile_ids.iter().find(|id| !is_known(id)) {
        let message = format!("--probe-profile: no profile \"{}\" here", name(id));
        return Err(CommandError::usage(message).hint("see `openclaw models auth list`"));
    }
    let unknown = options.provider.as_ref().filter(|id| {
        !report.providers.iter().any(|entry| entry.id == **id)
            && !report.missing_in_use.iter().any(|missing| missing.id == **id)
    });
    unknown.map_or(Ok(()), |id| {
        let message = format!("--probe-provider: no credential of \"{}\" here", name(id));
        Err(CommandError::usage(message).hint("see `openclaw models status`"))
    })
}
