//! `doctor`: finds what is wrong, says what mends it, and mends what it may.

use std::cell::Cell;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use crate::cli::doctor_args::DoctorArgs;
use crate::cli::{LOCK_PATIENCE, Session, TIME_LIMIT, installation, policy};
use crate::clock::Deadline;
use crate::core::assess::assess;
use crate::core::diagnosis::{Diagnosed, Diagnosis, FixState, Mending};
use crate::core::finding::Code;
use crate::doctor::{self, CHECKS, Check, Consent, Fix, Found, Host, Mender, Scope};
use crate::exit::{CommandError, ExitStatus};
use crate::render;
use crate::sync;
use crate::sys::reader::Reader;
use crate::whereabouts;
use crate::workspace::unit::Unit;
use crate::workspace::{Request, Workspace};

/// How long a check may take when nothing says otherwise.
const CHECK_LIMIT: Duration = Duration::from_secs(5);

/// Looks, mends what it may, and tells; the exit status is the verdict over what is left.
pub(super) fn run(session: &Session<'_>, args: &DoctorArgs) -> Result<ExitStatus, CommandError> {
    if args.list {
        let checks = CHECKS.iter().flat_map(listed);
        return Ok(session.printer.answer(&render::doctor::list(checks.collect(), args.json)));
    }
    if args.undo {
        return undo(session);
    }
    let scope = Scope { deep: args.deep, only: args.only.clone(), skip: args.skip.clone() };
    if let Some(code) = scope.only.iter().find(|code| !scope.reaches(**code)) {
        let why = if scope.skip.contains(code) {
            "is left out by --skip"
        } else {
            "is looked for with --deep only"
        };
        return Err(CommandError::usage(format!("{} {why}; nothing would be looked at", code.name())));
    }
    let host = load(session, args)?;
    let first = doctor::examine(&host, &scope);
    let mut findings = mend(session, args, &scope, &host, first)?;
    let mut host = host;
    if findings.iter().any(Diagnosed::is_done) {
        // What is left is what is found now, not what is believed to be left.
        host = load(session, args)?;
        findings = looked_again(findings, doctor::examine(&host, &scope), &scope);
    }
    let program = host.snapshot.program.clone();
    let agent = host.report.agent_id.clone();
    let mut diagnosis = Diagnosis::new(host.report.generated_at, agent, program, findings);
    diagnosis.is_partial = !(args.only.is_empty() && args.skip.is_empty());
    let text = if args.json {
        render::doctor::json(&diagnosis)
    } else {
        render::doctor::text(&diagnosis, session.printer.look(session.cli.no_color))
    };
    match session.printer.answer(&text) {
        ExitStatus::Success => Ok(diagnosis.verdict().into()),
        status => Ok(status),
    }
}

fn listed(check: &'static Check) -> impl Iterator<Item = render::doctor::Listed> {
    check.codes.iter().map(|code| render::doctor::Listed {
        code: *code,
        check: check.name,
        is_mended: check.mends.contains(code),
        is_deep: check.is_deep,
    })
}

/// Loads the host, logins of vendor programs taken over as the status does.
fn load(session: &Session<'_>, args: &DoctorArgs) -> Result<Arc<Host>, CommandError> {
    let process = session.printer.process();
    let deadline = Deadline::after(TIME_LIMIT);
    let request = Request {
        installation: installation(session.cli),
        agent: session.cli.agent.clone(),
        is_tolerant: true,
    };
    let workspace = Workspace::load(process, session.clock, &request, deadline)?;
    // With a config that cannot be read nobody knows whose store it is, and a store that is made where another is to be
    // moved would be in its way.
    let is_saved = !workspace.has_finding(Code::ConfigInvalid) && !doctor::awaits_move(&workspace);
    let patience = LOCK_PATIENCE.min(deadline.remaining());
    let synced = sync::run(&workspace, session.clock, is_saved, patience);
    let mut snapshot = workspace.snapshot(&synced.own, synced.main.as_deref());
    snapshot.findings.extend(synced.findings);
    let policy = policy(args.policy, &workspace.ops);
    let report = assess(&snapshot, session.clock.now(), &policy);
    let unit = Unit::find(process, &workspace.paths, &Reader::new(deadline), &request.installation);
    let salt = whereabouts::salt(&workspace, session.clock);
    Ok(Arc::new(Host {
        process: process.clone(),
        clock: session.clock.clone(),
        workspace,
        snapshot,
        report,
        unit,
        salt,
        deep: args.deep,
        limit: args.timeout.map_or(CHECK_LIMIT, Duration::from_millis),
    }))
}

/// Mends what may be mended, and says of everything what became of it.
fn mend(
    session: &Session<'_>,
    args: &DoctorArgs,
    scope: &Scope,
    host: &Host,
    found: Vec<Found>,
) -> Result<Vec<Diagnosed>, CommandError> {
    let (workspace, clock) = (&host.workspace, &host.clock);
    let run = clock.now().timestamp_millis();
    let mender = Mender { workspace, process: &host.process, clock, run, has_backup: Cell::default() };
    let is_asking = session.printer.process().stdin_is_terminal()
        && !(args.non_interactive || args.fix || args.yes || args.json);
    let is_token = |code| [Code::GatewayBindOpen, Code::GatewayTokenMissing].contains(&code);
    if args.generate_gateway_token && !found.iter().any(|found| is_token(found.finding.code)) {
        session
            .printer
            .message("the gateway needs no token: it has one, or a password, or is not set up here");
    }
    let mut found: Vec<Found> =
        found.into_iter().filter(|found| scope.wants(found.finding.code) || is_a_failure(found)).collect();
    // What gives the state folder another name comes last.
    found.sort_by_key(|found| found.fix.as_ref().is_some_and(|fix| fix.renames(&workspace.paths.state_dir)));
    let mut diagnosed = Vec::new();
    for Found { finding, fix } in found {
        let fix = match fix {
            None => None,
            Some(fix) => {
                let wanted = (args.generate_gateway_token && is_token(finding.code))
                    || is_agreed(args, fix.consent)
                    || (is_asking && may_be_asked(args, fix.consent) && {
                        let subject = render::name(&finding.subject);
                        let question =
                            format!("{}: {}. Doctor {}. Do it?", subject, finding.code.title(), fix.does);
                        session.is_confirmed(&render::printable(&question), true)?
                    });
                Some(mended(&mender, fix, wanted))
            }
        };
        diagnosed.push(Diagnosed { finding, fix, shadowed_by: None });
    }
    Ok(diagnosed)
}

/// A check that gave no answer is told whatever was asked for.
fn is_a_failure(found: &Found) -> bool {
    found.finding.code == Code::CheckTimeout
}

fn is_agreed(args: &DoctorArgs, consent: Consent) -> bool {
    match consent {
        Consent::Safe => args.fix || args.yes,
        Consent::Asked => args.yes,
        Consent::Forced => args.force && (args.fix || args.yes),
    }
}

fn may_be_asked(args: &DoctorArgs, consent: Consent) -> bool {
    consent != Consent::Forced || args.force
}

fn mended(mender: &Mender<'_>, fix: Fix, is_wanted: bool) -> Mending {
    let state = match is_wanted.then(|| mender.apply(&fix)) {
        None => FixState::Possible,
        Some(Ok(())) => FixState::Done,
        Some(Err(reason)) => FixState::Failed(reason),
    };
    Mending { flags: fix.consent.flags(), does: fix.does, state }
}

/// What was mended, and what a second look still finds.
fn looked_again(before: Vec<Diagnosed>, now: Vec<Found>, scope: &Scope) -> Vec<Diagnosed> {
    let (done, left): (Vec<_>, Vec<_>) = before.into_iter().partition(Diagnosed::is_done);
    let is_same = |a: &Diagnosed, b: &Found| {
        (a.finding.code, &a.finding.subject) == (b.finding.code, &b.finding.subject)
    };
    let mut all = Vec::new();
    for found in now.into_iter().filter(|found| scope.wants(found.finding.code) || is_a_failure(found)) {
        let known = left.iter().find(|known| is_same(known, &found)).and_then(|known| known.fix.clone());
        let came_back = done.iter().any(|known| is_same(known, &found));
        let fix = found.fix.map(|fix| {
            let state = match known.map(|known| known.state) {
                Some(state) => state,
                None if came_back => FixState::Failed("it is there again".to_owned()),
                None => FixState::Possible,
            };
            Mending { flags: fix.consent.flags(), does: fix.does, state }
        });
        all.push(Diagnosed { finding: found.finding, fix, shadowed_by: None });
    }
    let came_back = |known: &Diagnosed| {
        all.iter().any(|left| {
            (left.finding.code, &left.finding.subject) == (known.finding.code, &known.finding.subject)
        })
    };
    let done: Vec<_> = done.into_iter().filter(|known| !came_back(known)).collect();
    all.extend(done);
    // A sync of the first look is worth a word, though there was nothing left for the second.
    let synced = left.into_iter().filter(|known| known.finding.code == Code::SyncPerformed);
    all.extend(synced);
    all
}

fn undo(session: &Session<'_>) -> Result<ExitStatus, CommandError> {
    let request = Request {
        installation: installation(session.cli),
        agent: session.cli.agent.clone(),
        is_tolerant: true,
    };
    let process = session.printer.process();
    let workspace = Workspace::load(process, session.clock, &request, Deadline::after(TIME_LIMIT))?;
    let mender =
        Mender { workspace: &workspace, process, clock: session.clock, run: 0, has_backup: Cell::default() };
    let undone = doctor::undo(&mender)?;
    let mut text = String::new();
    for line in &undone.back {
        let _ = writeln!(text, "undone: {}", render::printable(line));
    }
    for line in &undone.left {
        let _ = writeln!(text, "left alone: {}", render::printable(line));
    }
    for line in &undone.failed {
        let _ = writeln!(text, "failed: {}; `openclaw doctor --undo` tries again", render::printable(line));
    }
    if text.is_empty() {
        text.push_str("doctor has changed nothing that could be undone\n");
    }
    match session.printer.answer(&text) {
        ExitStatus::Success if !undone.failed.is_empty() => Ok(ExitStatus::Io),
        status => Ok(status),
    }
}
