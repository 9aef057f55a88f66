//! `openclaw monitor` and what stands behind it.

use std::cell::RefCell;
use std::fmt::Write;

use serde_json::json;

use crate::cli::monitor_args::{MonitorArgs, MonitorCommand, MonitorRunArgs, SimulateArgs};
use crate::cli::{Session, installation};
use crate::core::alerting::Level;
use crate::core::endpoint;
use crate::core::report::Refreshable;
use crate::exit::{CommandError, ExitStatus};
use crate::format::config;
use crate::format::ops::parse_span;
use crate::format::ops_monitor::{ChannelKind, ChannelOps};
use crate::format::scenario::{self, Scenario};
use crate::monitor::rehearse::Tested;
use crate::monitor::settings::Flags;
use crate::monitor::simulate::Simulated;
use crate::monitor::{Monitor, instant, look, simulate};
use crate::render;
use crate::sys::files::{self, ReadFailure};
use crate::workspace::Request;

/// Runs what was asked for.
pub(super) fn run(session: &Session<'_>, args: &MonitorArgs) -> Result<ExitStatus, CommandError> {
    let tell = |message: &str| session.printer.message(message);
    let request = Request {
        installation: installation(session.cli),
        agent: session.cli.agent.clone(),
        is_tolerant: true,
    };
    let mut monitor = Monitor {
        process: session.printer.process(),
        clock: session.clock,
        request,
        flags: flags(&args.run)?,
        tell: &tell,
        unsaved: RefCell::default(),
    };
    match &args.command {
        None if args.run.once => monitor.once().map(ExitStatus::from),
        None => monitor.run(None).map(ExitStatus::from),
        Some(MonitorCommand::Drill { scene, profile_id }) => {
            Ok(session.printer.answer(&monitor.drill((*scene).into(), profile_id)?))
        }
        Some(MonitorCommand::Failed { unit, system }) => {
            Ok(session.printer.answer(&monitor.failed(unit, *system)?))
        }
        Some(MonitorCommand::Simulate(args)) => {
            monitor.flags.every_ms = args.every;
            monitor.flags.policy = args.policy.map(Refreshable::from);
            simulate(session, &monitor, args)
        }
        Some(MonitorCommand::Snooze { id, span }) => snooze(session, &monitor, id, span),
        Some(MonitorCommand::Status { json }) => status(session, &monitor, *json),
        Some(MonitorCommand::Test { channel }) => Ok(test(session, &monitor.test(channel.as_deref())?)),
    }
}

fn flags(args: &MonitorRunArgs) -> Result<Flags, CommandError> {
    let mut channels = Vec::new();
    let mut add = |name: &str, kind| {
        channels.push(ChannelOps { name: name.to_owned(), floor: Level::Notice, kind });
    };
    if let Some(topic) = &args.ntfy {
        let (server, topic) =
            topic.trim_end_matches('/').rsplit_once('/').unwrap_or(("https://ntfy.sh", topic));
        let url = endpoint::parse(server).map_err(|why| CommandError::usage(format!("--ntfy: {why}")))?;
        add("ntfy-flag", ChannelKind::Ntfy { url, topic: topic.to_owned(), token_file: None, open: None });
    }
    if let Some(program) = &args.exec {
        add("exec-flag", ChannelKind::Command { argv: vec![program.clone()] });
    }
    Ok(Flags {
        every_ms: args.every,
        cron: args.cron.clone(),
        timezone: args.timezone.clone(),
        jitter_ms: args.jitter,
        policy: args.policy.map(Refreshable::from),
        warn_after_ms: args.warn_after,
        refresh: args.refresh,
        channels,
    })
}

fn test(session: &Session<'_>, tested: &[Tested]) -> ExitStatus {
    let lines = tested.iter().map(|Tested { channel, kind, result }| match result {
        Ok(()) => format!("{}: sent ({kind})\n", render::name(channel)),
        Err(why) => format!("{}: failed: {}\n", render::name(channel), render::printable(why)),
    });
    let status = session.printer.answer(&lines.collect::<String>());
    let is_good = tested.iter().all(|tested| tested.result.is_ok());
    if status == ExitStatus::Success && !is_good { ExitStatus::Failing } else { status }
}

fn snooze(
    session: &Session<'_>,
    monitor: &Monitor<'_>,
    id: &str,
    span: &str,
) -> Result<ExitStatus, CommandError> {
    let (workspace, settings) = monitor.settings()?;
    let file = monitor.state_file(&workspace);
    let now = session.clock.now().timestamp_millis();
    let until = match span {
        "off" => None,
        span => {
            let ms =
                parse_span(span).map_err(|why| CommandError::usage(format!("SPAN: {why}, or \"off\"")))?;
            Some(now.saturating_add(ms))
        }
    };
    let known = file
        .update(session.clock, |state| {
            let found = state.alerts(|alerts| alerts.snooze(id, until));
            let open = state.incidents.iter().filter(|known| known.is_open);
            (found, open.map(|known| known.incident.id.clone()).collect::<Vec<_>>())
        })
        .map_err(CommandError::io)?;
    match known {
        (true, _) => {
            let id = render::name(id);
            Ok(session.printer.answer(&match until {
                Some(until) => {
                    format!(
                        "Nothing of {id} until {}, unless it gets worse.\n",
                        instant(until, settings.zone)
                    )
                }
                None => format!("{id} is told again.\n"),
            }))
        }
        (false, open) => {
            let error = CommandError::refused(format!("there is no open incident \"{}\"", render::name(id)));
            let open: Vec<_> = open.iter().map(|id| render::printable(id)).collect();
            Err(if open.is_empty() {
                error.hint("nothing is open")
            } else {
                error.hint(format!("open: {}", open.join(", ")))
            })
        }
    }
}

fn status(session: &Session<'_>, monitor: &Monitor<'_>, json: bool) -> Result<ExitStatus, CommandError> {
    let (workspace, settings) = monitor.settings()?;
    let file = monitor.state_file(&workspace);
    let state = file.read().map_err(|reason| {
        let path = workspace.paths.shown(file.path()).short;
        CommandError::io(format!("{path} {reason}"))
            .hint("the next look moves it aside and begins anew: what was told is told again")
    })?;
    let is_running = file.turn().is_ok_and(|turn| turn.is_none());
    let channels: Vec<_> =
        settings.channels.iter().map(|channel| (channel.name.clone(), channel.kind)).collect();
    let view = render::monitor::View {
        state: &state,
        channels: &channels,
        unusable: &settings.unusable,
        is_running,
        schedule: &settings.schedule.words(),
        now: session.clock.now().timestamp_millis(),
        instant: &|ms| instant(ms, settings.zone),
    };
    Ok(session.printer.answer(&if json {
        render::monitor::json(&view)
    } else {
        render::monitor::text(&view)
    }))
}

fn simulate(
    session: &Session<'_>,
    monitor: &Monitor<'_>,
    args: &SimulateArgs,
) -> Result<ExitStatus, CommandError> {
    let (workspace, settings) = monitor.settings()?;
    let scenario = match &args.scenario {
        None => Scenario::default(),
        Some(path) => {
            let shown = path.display();
            let content = files::read(path).map_err(|failure| {
                CommandError::io(match failure {
                    ReadFailure::Absent => format!("{shown} does not exist"),
                    ReadFailure::Failed(reason) => format!("{shown}: {reason}"),
                })
            })?;
            let wrong = |why: String| CommandError::config(format!("{shown}: {why}"));
            let tree = config::parse(&content.bytes, 0).map_err(|failure| wrong(failure.message))?;
            scenario::read(&tree).map_err(|problems| {
                let problems =
                    problems.iter().map(|problem| format!("{}: {}", problem.path, problem.message));
                wrong(problems.collect::<Vec<_>>().join("; "))
            })?
        }
    };
    let quiet = |_: &str| {};
    let start = session.clock.now();
    let process = session.printer.process();
    let looked = look::look(process, session.clock, workspace, &settings, false, &quiet)?;
    let simulated = simulate::run(&looked.snapshot, &looked.facts, &settings, &scenario, start, args.days);
    let entry = |simulated: &Simulated| {
        let Simulated { at, decided } = simulated;
        json!({
            "at": at.timestamp_millis(),
            "why": decided.why.word(),
            "incident": decided.incident.id,
            "kind": decided.incident.kind.word(),
            "level": decided.incident.level.word(),
            "what": decided.incident.what,
        })
    };
    if args.json {
        let entries: Vec<_> = simulated.iter().map(entry).collect();
        let document = json!({"days": args.days, "schedule": settings.schedule.words(), "sent": entries});
        return Ok(session
            .printer
            .answer(&(serde_json::to_string_pretty(&document).unwrap_or_default() + "\n")));
    }
    let mut text = String::new();
    for Simulated { at, decided } in &simulated {
        let when = instant(at.timestamp_millis(), settings.zone);
        let incident = &decided.incident;
        let what = if decided.why.is_end() { "is fine again" } else { &incident.what };
        let (subject, what) = (render::name(&incident.subject), render::printable(what));
        let _ =
            writeln!(text, "{when}  {:<9} {:<8} {subject} {what}", decided.why.word(), incident.level.word());
    }
    let count = simulated.len();
    let words = settings.schedule.words();
    let _ = writeln!(text, "{count} messages in {} days, looking {words}", args.days);
    Ok(session.printer.answer(&text))
}
