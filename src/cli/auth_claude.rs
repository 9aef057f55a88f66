//! `openclaw models auth claude-status`: the words of the scripts that people have.

use std::time::Duration;

use crate::cli::reauth_args::{ClaudeStatusArgs, WordsArg};
use crate::cli::status_args::PolicyArgs;
use crate::cli::{LOCK_PATIENCE, Session, installation, policy};
use crate::clock::Deadline;
use crate::core::assess::assess;
use crate::core::auth_words::{AuthWords, WARN_AFTER_MS};
use crate::core::credential::{CLAUDE_CLI_PROFILE, Credential};
use crate::core::login::VendorLogin;
use crate::core::report::{Policy, ProfileReport, Report};
use crate::core::snapshot::{ProfileRecord, Snapshot};
use crate::exit::{CommandError, ExitStatus};
use crate::render::{auth_words, printable};
use crate::sync;
use crate::sys::procfs;
use crate::sys::reader::Reader;
use crate::sys::systemd::{self, UnitState};
use crate::workspace::Workspace;
use crate::workspace::unit::Unit;

/// How long the service manager gets to answer.
const SERVICE_LIMIT: Duration = Duration::from_secs(3);

/// Prints them. Only the one word comes with an exit code.
pub(super) fn run(session: &Session<'_>, args: &ClaudeStatusArgs) -> Result<ExitStatus, CommandError> {
    let workspace = session.workspace()?;
    let policy =
        policy(PolicyArgs { warn_after: Some(WARN_AFTER_MS), refreshable: args.refreshable }, &workspace.ops);
    let looked = Looked::at(session, &workspace, &policy);
    let words = looked.words();
    for entry in [&words.claude_code, &words.openclaw] {
        if let Some(problem) = entry.problem.as_ref().filter(|_| args.mode != WordsArg::Full) {
            session.printer.message(&format!("note: cannot be read: {}", printable(problem)));
        }
    }
    match args.mode {
        WordsArg::Full => Ok(session.printer.answer(&looked.full(session, &workspace))),
        WordsArg::Json => Ok(session.printer.answer(&auth_words::json(&words))),
        WordsArg::Simple => match session.printer.answer(&auth_words::simple(&words)) {
            ExitStatus::Success => Ok(words.verdict().into()),
            status => Ok(status),
        },
    }
}

/// What one look at the host saw.
pub(super) struct Looked {
    /// The judgement over everything.
    pub(super) report: Report,
    /// The judgement over Claude Code's own login, when there is one.
    claude: Option<ProfileReport>,
}

impl Looked {
    /// Looks, as a status does: logins are taken over.
    pub(super) fn at(session: &Session<'_>, workspace: &Workspace, policy: &Policy) -> Self {
        let synced = sync::run(workspace, session.clock, true, LOCK_PATIENCE);
        let mut snapshot = workspace.snapshot(&synced.own, synced.main.as_deref());
        snapshot.findings.extend(synced.findings);
        let now = session.clock.now();
        let alone = claude_alone(workspace, &snapshot);
        let claude = alone.and_then(|alone| assess(&alone, now, policy).profiles.pop());
        Self { report: assess(&snapshot, now, policy), claude }
    }

    /// In words.
    pub(super) fn words(&self) -> AuthWords {
        AuthWords::of(&self.report, self.claude.as_ref())
    }

    /// In two blocks.
    pub(super) fn full(&self, session: &Session<'_>, workspace: &Workspace) -> String {
        let path = workspace.login(CLAUDE_CLI_PROFILE).map(|login| login.source.path.short.clone());
        let look = session.printer.look(session.cli.no_color);
        let service = service_words(session, workspace);
        auth_words::full(&self.words(), &self.report, &path.unwrap_or_default(), service, look)
    }
}

/// A host that has nothing but the login of Claude Code, so that it is judged as everything else is.
fn claude_alone(workspace: &Workspace, snapshot: &Snapshot) -> Option<Snapshot> {
    let login = workspace.login(CLAUDE_CLI_PROFILE)?;
    let VendorLogin::Present { material, facts } = &login.login else { return None };
    let credential = Credential { provider: "anthropic".to_owned(), email: None, material: material.clone() };
    let record = ProfileRecord {
        id: CLAUDE_CLI_PROFILE.to_owned(),
        refresh: workspace.refresh_record(&credential),
        credential,
        email: None,
        store: login.source.path.clone().into(),
        inherited: false,
        login: facts.clone(),
    };
    Some(Snapshot {
        program: snapshot.program.clone(),
        profiles: vec![record],
        own_clients: snapshot.own_clients.clone(),
        ..Snapshot::default()
    })
}

/// The gateway's unit, and what its manager says of it.
pub(super) fn service(session: &Session<'_>, workspace: &Workspace) -> Option<(Unit, Option<UnitState>)> {
    let process = session.printer.process();
    let reader = Reader::new(Deadline::after(SERVICE_LIMIT));
    let unit = Unit::find(process, &workspace.paths, &reader, &installation(session.cli))?;
    let deadline = Deadline::after(SERVICE_LIMIT);
    let state = systemd::show(process.variables(), unit.is_of_user, &unit.name, deadline);
    Some((unit, state.ok()))
}

fn service_words(session: &Session<'_>, workspace: &Workspace) -> &'static str {
    match service(session, workspace) {
        Some((_, Some(state))) if state.is_running() => "running",
        Some((_, Some(_))) => "NOT running",
        Some((_, None)) => "NOT known: its service manager does not answer",
        None if procfs::gateway_on(workspace.gateway_port(session.printer.process())).is_some() => {
            "running, without a unit"
        }
        None => "NOT installed",
    }
}
