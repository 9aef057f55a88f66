//! `service`: installs, shows and takes away what runs unattended.

use std::fmt::Write;
use std::path::Path;

use nix::unistd::geteuid;
use serde_json::{Value, json};

use crate::cli::service_args::{InstallArgs, KindArg, ScopeArgs, ServiceCommand};
use crate::cli::{Session, TIME_LIMIT, gateway_service, installation};
use crate::clock::Deadline;
use crate::core::provider;
use crate::core::remedy::{shell_path, shell_word};
use crate::exit::{CommandError, ExitStatus};
use crate::format::ops::Ops;
use crate::process::{self, Process};
use crate::render::printable;
use crate::service::{
    self, Account, CARRIED, Definition, Done, Flavour, Kind, Manager, Place, State, Wishes,
};
use crate::sys::reader::Reader;
use crate::sys::systemd;
use crate::workspace::{Request, Workspace};

/// Runs what was asked for.
pub(super) fn run(session: &Session<'_>, command: &ServiceCommand) -> Result<ExitStatus, CommandError> {
    match command {
        ServiceCommand::Install { service, args } => {
            told(session, "install", args.json, || install(session, (*service).into(), args, &[]))
        }
        ServiceCommand::Uninstall { service, args } => {
            told(session, "uninstall", args.json, || uninstall(session, (*service).into(), args))
        }
        ServiceCommand::Status { service, scope, json } => status(session, *service, scope, *json),
    }
}

/// What came of a change.
pub(super) struct Answer {
    result: &'static str,
    place: Place,
    pub(super) label: String,
    is_loaded: bool,
    done: Done,
    warnings: Vec<String>,
    pub(super) is_good: bool,
    manager: &'static str,
}

/// Does it and tells, as text or JSON; errors too.
pub(super) fn told(
    session: &Session<'_>,
    action: &str,
    is_json: bool,
    act: impl FnOnce() -> Result<Answer, CommandError>,
) -> Result<ExitStatus, CommandError> {
    let answer = match act() {
        Ok(answer) => answer,
        Err(error) if is_json => {
            let error = error.for_program(&installation(session.cli).program());
            let document =
                json!({"action": action, "ok": false, "error": error.message(), "hints": error.hints()});
            session.printer.answer(&pretty(&document));
            return Ok(error.status());
        }
        Err(error) => return Err(error),
    };
    let text = if is_json { pretty(&document(action, &answer)) } else { text(&answer) };
    if !is_json {
        answer.warnings.iter().for_each(|warning| session.printer.message(&format!("note: {warning}")));
    }
    Ok(match session.printer.answer(&text) {
        ExitStatus::Success if !answer.is_good => ExitStatus::Failing,
        status => status,
    })
}

fn document(action: &str, answer: &Answer) -> Value {
    let mut document = json!({
        "action": action,
        "ok": answer.is_good,
        "result": answer.result,
        "service": {
            "label": answer.label,
            "kind": answer.place.kind.word(),
            "manager": answer.manager,
            "runAs": answer.place.account.name,
            "loaded": answer.is_loaded,
            "loadedText": "enabled",
            "notLoadedText": "disabled",
        },
        "changes": answer.done.changes,
        "warnings": answer.warnings,
    });
    if !answer.done.files.is_empty() {
        let files = answer.done.files.iter().map(|file| json!({"path": file.path, "text": file.text}));
        document["files"] = files.collect();
    }
    document
}

fn text(answer: &Answer) -> String {
    let label = &answer.label;
    let whose = match answer.place.flavour {
        Flavour::System => format!("of the machine, as {}", answer.place.account.name),
        Flavour::User => format!("of {}", answer.place.account.name),
    };
    let mut text = match answer.result {
        "already-installed" => format!("{label} is installed, {whose}; nothing was changed\n"),
        "not-loaded" => format!("{label} is not installed; nothing was changed\n"),
        result => format!("{result}: {label}, {whose} ({})\n", answer.manager),
    };
    for change in &answer.done.changes {
        let _ = writeln!(text, "  {}", printable(change));
    }
    for file in &answer.done.files {
        let _ = write!(text, "\n--- {}\n{}", printable(&file.path.display().to_string()), file.text);
    }
    text
}

fn pretty(document: &Value) -> String {
    serde_json::to_string_pretty(document).unwrap_or_default() + "\n"
}

pub(super) fn install(
    session: &Session<'_>,
    kind: Kind,
    args: &InstallArgs,
    options: &[String],
) -> Result<Answer, CommandError> {
    let process = session.printer.process();
    let manager = service::manager(process)?;
    let place = place(session, kind, &args.scope, manager.as_ref())?;
    let workspace = workspace_of(session, &place)?;
    let reader = Reader::new(Deadline::after(TIME_LIMIT));
    let mut definition = Definition::new(place.clone(), process, &workspace, &reader)?;
    definition.options = options.to_vec();
    if args.socket {
        definition.listen = gateway_service::sockets(kind, options, &workspace, process)?;
    }
    let wishes = Wishes { force: args.force, dry_run: args.dry_run };
    let mut done = service::install(manager.as_ref(), &definition, wishes)?;
    let mut warnings = left_behind(session, &definition, &workspace);
    warnings.extend(schedule_note(kind, &workspace.ops));
    if args.dry_run {
        return Ok(answer("would-install", manager.as_ref(), place, done, warnings));
    }
    if let Some(lingering) = linger(session, args, &place, manager.as_ref())? {
        match lingering {
            Ok(change) => done.changes.push(change),
            Err(warning) => warnings.push(warning),
        }
    }
    let result = if done.changes.is_empty() { "already-installed" } else { "installed" };
    Ok(answer(result, manager.as_ref(), place, done, warnings))
}

pub(super) fn uninstall(
    session: &Session<'_>,
    kind: Kind,
    args: &InstallArgs,
) -> Result<Answer, CommandError> {
    let manager = service::manager(session.printer.process())?;
    let place = place(session, kind, &args.scope, manager.as_ref())?;
    let wishes = Wishes { force: args.force, dry_run: args.dry_run };
    let done = service::uninstall(manager.as_ref(), &place, wishes)?;
    let result = match (done.changes.is_empty(), args.dry_run) {
        (true, _) => "not-loaded",
        (false, true) => "would-uninstall",
        (false, false) => "uninstalled",
    };
    Ok(answer(result, manager.as_ref(), place, done, Vec::new()))
}

pub(super) fn answer(
    result: &'static str,
    manager: &dyn Manager,
    place: Place,
    done: Done,
    warnings: Vec<String>,
) -> Answer {
    let is_loaded = !result.starts_with("would") && manager.state(&place).is_enabled;
    let (label, manager) = (manager.label(&place), manager.name());
    Answer { result, place, label, is_loaded, done, warnings, is_good: true, manager }
}

/// Which service is meant, and whose.
pub(super) fn place(
    session: &Session<'_>,
    kind: Kind,
    scope: &ScopeArgs,
    manager: &dyn Manager,
) -> Result<Place, CommandError> {
    let process = session.printer.process();
    let installation = installation(session.cli);
    let is_root = geteuid().is_root() && manager.name() == "systemd";
    let flavour = scope.flavour(is_root);
    let caller_of_sudo = process.var(&process::SUDO_USER).filter(|_| is_root);
    let account = match (flavour, scope.run_as.clone().or(caller_of_sudo)) {
        (Flavour::System, Some(name)) => Account::named(&name)?,
        _ => Account::own(process)?,
    };
    // The gateway serves every agent; what watches one has a service of its own for it.
    let agent = session.cli.agent.as_ref().filter(|_| kind != Kind::Gateway);
    let suffix = service::suffix(&installation, agent.map(String::as_str));
    if !suffix.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
        return Err(CommandError::usage(format!(
            "no service can be named after \"{}\"",
            suffix.trim_start_matches('-').escape_debug()
        ))
        .hint("use letters, digits, `-`, `_` and `.`"));
    }
    let agent = session.cli.agent.as_ref();
    let agent = agent.map_or_else(String::new, |agent| format!(" --agent {}", shell_word(agent)));
    let caller = caller(process, &(installation.program() + &agent));
    Ok(Place { kind, flavour, account, suffix, caller })
}

/// How somebody else calls this program for the same installation: sudo has another PATH, and keeps no variables.
fn caller(process: &Process, program: &str) -> String {
    let set = CARRIED.iter().filter_map(|variable| {
        let value = process.var(variable)?;
        Some(format!("{}={} ", variable.name, shell_word(&value)))
    });
    let own = process.program().map(|path| path.display().to_string());
    let own = own.map_or_else(|| "openclaw".to_owned(), |path| shell_word(&path));
    let flags = program.strip_prefix("openclaw").unwrap_or_default();
    set.collect::<String>() + &own + flags
}

/// The installation as the user of the service has it.
pub(super) fn workspace_of(session: &Session<'_>, place: &Place) -> Result<Workspace, CommandError> {
    let process = place.account.process(session.printer.process());
    let request = Request {
        installation: installation(session.cli),
        agent: session.cli.agent.clone(),
        is_tolerant: true,
    };
    Workspace::load(&process, session.clock, &request, Deadline::after(TIME_LIMIT))
}

/// Credentials that this shell has and the service does not: they are not copied.
fn left_behind(session: &Session<'_>, definition: &Definition, workspace: &Workspace) -> Vec<String> {
    let home = &definition.place.account.home;
    let mut variables: std::collections::BTreeMap<_, _> =
        definition.environment.iter().map(|(name, value)| (name.into(), value.into())).collect();
    variables.insert(process::HOME.name.into(), home.clone().into());
    let process = Process::imagined(variables, home.clone(), Some(home.clone()));
    let process = definition.place.account.process(&process);
    let Ok(theirs) =
        Workspace::load(&process, session.clock, &workspace.request, Deadline::after(TIME_LIMIT))
    else {
        return Vec::new();
    };
    let names = session.printer.process().variables().iter().filter_map(|(name, value)| {
        let name = name.to_str()?;
        let is_left = provider::is_credential_variable(name)
            && !value.is_empty()
            && theirs.environment.get(name).is_none();
        is_left.then(|| name.to_owned())
    });
    let dotenv = shell_path(&workspace.paths.shown(&workspace.paths.state_dotenv()));
    names.map(|name| format!("{name} of this shell is not copied; put it into {dotenv}")).collect()
}

fn schedule_note(kind: Kind, ops: &Ops) -> Option<String> {
    (kind == Kind::Monitor && ops.monitor.cron.is_some()).then(|| {
        "monitor.cron of ops.json is for `openclaw monitor` that keeps running; the timer looks every 30 minutes, \
         or as monitor.every says"
            .to_owned()
    })
}

/// Services of a user end with its last login, unless they linger: done when that is agreed to, else told.
fn linger(
    session: &Session<'_>,
    args: &InstallArgs,
    place: &Place,
    manager: &dyn Manager,
) -> Result<Option<Result<String, String>>, CommandError> {
    let process = session.printer.process();
    let variables = process.variables();
    let user = &place.account.name;
    let asked = Deadline::after(TIME_LIMIT);
    if place.flavour == Flavour::System
        || manager.name() != "systemd"
        || systemd::lingers(variables, user, asked) != Some(false)
    {
        return Ok(None);
    }
    let command = format!("`loginctl enable-linger {}`", shell_word(user));
    let may_ask = process.stdin_is_terminal() && !args.json;
    let question = format!("Services of {user} end with the last logout. Let them run on?");
    let is_wanted = args.linger || (may_ask && session.is_confirmed(&printable(&question), true)?);
    if !is_wanted {
        let ends = format!("it ends with the last logout of {user}, and does not start with the machine");
        return Ok(Some(Err(format!("{ends}: {command}"))));
    }
    let done = systemd::set_linger(variables, user, true, Deadline::after(TIME_LIMIT));
    let told = |()| format!("let services of {user} run on after the last logout");
    Ok(Some(done.map(told).map_err(|why| format!("{why}; type it as root"))))
}

fn status(
    session: &Session<'_>,
    asked: Option<KindArg>,
    scope: &ScopeArgs,
    is_json: bool,
) -> Result<ExitStatus, CommandError> {
    let manager = service::manager(session.printer.process())?;
    let kinds = asked.map_or_else(|| Kind::ALL.to_vec(), |kind| vec![kind.into()]);
    let flavours: &[Flavour] = if scope.system || scope.run_as.is_some() {
        &[Flavour::System]
    } else if scope.user || manager.name() != "systemd" {
        &[Flavour::User]
    } else {
        &[Flavour::User, Flavour::System]
    };
    let mut states: Vec<(Place, State)> = Vec::new();
    for kind in kinds {
        for flavour in flavours {
            let user = ScopeArgs { user: true, ..ScopeArgs::default() };
            let place = Place { flavour: *flavour, ..place(session, kind, &user, manager.as_ref())? };
            let state = manager.state(&place);
            if state.file.is_some() {
                states.push((place, state));
            }
        }
    }
    let is_good = states.iter().all(|(_, state)| state.is_enabled && state.is_active)
        && (asked.is_none() || !states.is_empty());
    let text = if is_json {
        let services = states.iter().map(|(place, state)| {
            json!({
                "kind": place.kind.word(),
                "label": state.label,
                "manager": manager.name(),
                "system": place.flavour == Flavour::System,
                "file": state.file,
                "ours": state.is_ours,
                "enabled": state.is_enabled,
                "active": state.is_active,
                "says": state.says,
            })
        });
        pretty(&json!({"ok": is_good, "services": services.collect::<Vec<_>>()}))
    } else if states.is_empty() {
        let what = asked.map_or("SERVICE", |kind| Kind::from(kind).word());
        let install = format!("`{} service install {what}`", installation(session.cli).program());
        format!("nothing is installed; {install} does it\n")
    } else {
        states.iter().map(|(place, state)| line(place, state)).collect()
    };
    Ok(match session.printer.answer(&text) {
        ExitStatus::Success if !is_good => ExitStatus::Failing,
        other => other,
    })
}

fn line(place: &Place, state: &State) -> String {
    let whose = if place.flavour == Flavour::System { "machine" } else { "user" };
    let foreign = if state.is_ours { "" } else { ", not written by this program" };
    let file = state.file.as_deref().unwrap_or(Path::new("")).display().to_string();
    let says = printable(&state.says);
    format!(
        "{:<9} {} ({whose}): {says}{foreign}\n          {}\n",
        place.kind.word(),
        state.label,
        printable(&file)
    )
}
