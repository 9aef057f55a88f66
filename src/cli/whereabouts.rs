//! `where`: which key is in force, and whether the service has the same.

use crate::cli::whereabouts_args::WhereArgs;
use crate::cli::{Session, TIME_LIMIT, installation};
use crate::clock::Deadline;
use crate::core::snapshot::Snapshot;
use crate::exit::{CommandError, ExitStatus};
use crate::process::Process;
use crate::render;
use crate::sync;
use crate::sys::procfs;
use crate::sys::reader::Reader;
use crate::whereabouts::{self, Viewer};
use crate::workspace::unit::Unit;
use crate::workspace::{Request, Workspace};

/// Answers, and tells by the exit status whether others see something else.
pub(super) fn run(session: &Session<'_>, args: &WhereArgs) -> Result<ExitStatus, CommandError> {
    let process = session.printer.process();
    let deadline = Deadline::after(TIME_LIMIT);
    let installation = installation(session.cli);
    let request = Request {
        installation: installation.clone(),
        agent: session.cli.agent.clone(),
        ..Request::default()
    };
    // Others may see another config, without this agent; that is worth a word, not the answer.
    let theirs = Request { is_tolerant: true, ..request.clone() };
    let own = load(session, process, &request, deadline)?;
    let shell = Viewer::shell(own.0, own.1);
    let name = args.name.as_deref().map(|text| whereabouts::parse(text, &shell)).transpose()?;
    let load = |process: &Process| load(session, process, &theirs, deadline);
    let (others, notes) = match args.pid {
        Some(pid) => {
            let running = procfs::running(pid).map_err(CommandError::refused)?;
            (vec![Viewer::process(running, &load)?], Vec::new())
        }
        None => match Unit::find(process, &shell.workspace.paths, &Reader::new(deadline), &installation) {
            Some(unit) => whereabouts::others(process, unit, deadline, &load),
            None if args.service => {
                return Err(CommandError::refused("no gateway service is installed for this user")
                    .hint("`openclaw where` without --service shows what this shell uses"));
            }
            None => {
                let port = shell.workspace.gateway_port(process);
                (whereabouts::bare(procfs::gateway_on(port), &load), Vec::new())
            }
        },
    };
    let salt = whereabouts::salt(&shell.workspace, session.clock);
    let viewers: Vec<_> = std::iter::once(shell).chain(others).collect();
    let now = session.clock.now().timestamp_millis();
    let answer = whereabouts::answer(name.as_ref(), &viewers, notes, &salt, now);
    let text = if args.json {
        render::whereabouts::json(&answer)
    } else {
        render::whereabouts::text(&answer, session.printer.look(session.cli.no_color))
    };
    match session.printer.answer(&text) {
        ExitStatus::Success if !answer.differences.is_empty() => Ok(ExitStatus::Failing),
        status => Ok(status),
    }
}

/// The host as a process sees it, with the logins that the next status would take over. Nothing is written.
fn load(
    session: &Session<'_>,
    process: &Process,
    request: &Request,
    deadline: Deadline,
) -> Result<(Workspace, Snapshot), CommandError> {
    let workspace = Workspace::load(process, session.clock, request, deadline)?;
    let snapshot = sync::preview(&workspace, session.clock);
    Ok((workspace, snapshot))
}
