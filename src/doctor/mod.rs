//! `openclaw doctor`: looks at everything that decides whether the credentials of a host work, and knows what mends it.

mod apis;
mod config;
mod copies;
mod credentials;
mod fix;
mod lineage;
mod locks;
mod machine;
mod network;
mod permissions;
mod service;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use crate::clock::{Clock, Deadline};
use crate::core::credential::EpochMs;
use crate::core::finding::{Code, Finding};
use crate::core::report::Report;
use crate::core::snapshot::Snapshot;
use crate::process::Process;
use crate::sys::procfs;
use crate::sys::reader::Reader;
use crate::workspace::Workspace;
use crate::workspace::agents;
use crate::workspace::unit::Unit;

pub use config::awaits_move;
pub use fix::{Consent, Fix, Mender, Undone, undo};

/// A host as doctor looks at it: loaded once, shared by all checks.
pub struct Host {
    /// The process that asks.
    pub process: Process,
    /// The time.
    pub clock: Clock,
    /// Everything that was loaded.
    pub workspace: Workspace,
    /// The values that the judgement rests on, vendor logins taken over.
    pub snapshot: Snapshot,
    /// The judgement.
    pub report: Report,
    /// The gateway's service.
    pub unit: Option<Unit>,
    /// The salt of the fingerprints.
    pub salt: String,
    /// Whether providers may be contacted, and large files searched.
    pub deep: bool,
    /// How long each check may take.
    pub limit: Duration,
}

impl Host {
    /// The instant of the judgement.
    fn now(&self) -> EpochMs {
        self.report.generated_at
    }

    /// Who runs the gateway without being its service: a process of ours on its port.
    fn bare_gateway(&self) -> Option<i32> {
        procfs::gateway_on(self.workspace.gateway_port(&self.process))
    }

    /// The folders in which something has to be saved: the state, the config and every store.
    fn folders(&self) -> Vec<PathBuf> {
        let paths = &self.workspace.paths;
        let mut folders = vec![paths.state_dir.clone()];
        folders.extend(paths.config.parent().map(Path::to_owned));
        folders.push(self.workspace.agent.dir.clone());
        folders.extend(agents::folders(&self.workspace.config, paths, &self.reader()));
        folders.sort();
        folders.dedup();
        folders
    }

    fn reader(&self) -> Reader {
        Reader::new(Deadline::after(self.limit))
    }

    /// How people write a path.
    fn shown(&self, path: &std::path::Path) -> crate::core::snapshot::FilePath {
        self.workspace.paths.shown(path)
    }
}

/// Something that was found, and what `--fix` would do about it.
pub struct Found {
    /// What was found.
    pub finding: Finding,
    /// What mends it, where that is safe.
    pub fix: Option<Fix>,
}

impl From<Finding> for Found {
    fn from(finding: Finding) -> Self {
        Self { finding, fix: None }
    }
}

impl Found {
    fn fixed_by(finding: Finding, fix: Fix) -> Self {
        Self { finding, fix: Some(fix) }
    }
}

/// One family of checks.
pub struct Check {
    /// What is looked at, for people.
    pub name: &'static str,
    /// What it may find.
    pub codes: &'static [Code],
    /// Which of these `--fix` can mend.
    pub mends: &'static [Code],
    /// Whether it sends something, so that it runs with `--deep` only.
    pub is_deep: bool,
    run: fn(&Host) -> Vec<Found>,
}

/// Every check.
pub const CHECKS: &[Check] = &[
    credentials::CHECK,
    config::CHECK,
    apis::CHECK,
    permissions::CHECK,
    copies::CHECK,
    lineage::CHECK,
    locks::CHECK,
    machine::CHECK,
    service::CHECK,
    watch::CHECK,
    network::CHECK,
];

/// What is to be looked at.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// Whether providers may be contacted.
    pub deep: bool,
    /// Only these; all when empty.
    pub only: Vec<Code>,
    /// Not these.
    pub skip: Vec<Code>,
}

impl Scope {
    /// Whether a finding is wanted.
    pub fn wants(&self, code: Code) -> bool {
        (self.only.is_empty() || self.only.contains(&code)) && !self.skip.contains(&code)
    }

    /// Whether anything that runs could find this.
    pub fn reaches(&self, code: Code) -> bool {
        code == Code::CheckTimeout
            || (self.wants(code)
                && CHECKS.iter().any(|check| self.includes(check) && check.codes.contains(&code)))
    }

    fn includes(&self, check: &Check) -> bool {
        (self.deep || !check.is_deep) && check.codes.iter().any(|code| self.wants(*code))
    }
}

/// Runs the checks side by side. One that does not end in time is left behind and told.
pub fn examine(host: &Arc<Host>, scope: &Scope) -> Vec<Found> {
    let deadline = Deadline::after(host.limit);
    let (outbox, inbox) = channel();
    let mut running: Vec<&'static Check> = Vec::new();
    for check in CHECKS.iter().filter(|check| scope.includes(check)) {
        let (host, outbox) = (Arc::clone(host), outbox.clone());
        running.push(check);
        thread::spawn(move || drop(outbox.send((check.name, (check.run)(&host)))));
    }
    drop(outbox);
    let mut found = Vec::new();
    let why = loop {
        match inbox.recv_timeout(deadline.remaining()) {
            Ok((name, results)) => {
                running.retain(|check| check.name != name);
                found.extend(results);
            }
            Err(RecvTimeoutError::Timeout) => {
                break format!("did not end within {}", humantime::format_duration(host.limit));
            }
            Err(RecvTimeoutError::Disconnected) => {
                break "ended with an internal error; please report it".to_owned();
            }
        }
    };
    let lost = running.into_iter().map(|check| {
        let finding = Finding::new(Code::CheckTimeout, check.name, why.clone());
        finding.remedy("look for a mount or a name server that hangs: `mount`, `df`").into()
    });
    found.extend(lost);
    found
}
