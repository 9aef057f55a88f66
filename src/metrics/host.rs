//! What the host is right now. Files are read again only when one of them is no longer what it was; the judgement is made
//! anew each time.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::{Clock, Deadline};
use crate::core::assess::assess;
use crate::core::delivery::Deliveries;
use crate::core::read_error::ReadError;
use crate::core::report::{Policy, Refreshable};
use crate::core::snapshot::{Snapshot, SourceState};
use crate::exit::CommandError;
use crate::format::ops::{ExporterOps, ExternalRefresh};
use crate::metrics::collector::{AgentView, History};
use crate::process::Process;
use crate::sync;
use crate::sys::reader::Reader;
use crate::usage;
use crate::workspace::paths::Installation;
use crate::workspace::{Request, Workspace, agents, monitor_state};

/// How long one agent may take to read. Scrapers give up after ten seconds.
const TIME_LIMIT: Duration = Duration::from_secs(4);
/// How long looking whether files are still the same may take.
const LOOK_LIMIT: Duration = Duration::from_secs(2);

/// The name under which the default agent is asked for.
const DEFAULT: &str = "";

/// Which agents are looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Agents {
    /// Every one of the installation.
    All,
    /// The default one.
    Default,
    /// These.
    Named(Vec<String>),
}

impl From<&ExporterOps> for Agents {
    fn from(ops: &ExporterOps) -> Self {
        match ops {
            ExporterOps { is_for_all_agents: true, .. } => Self::All,
            ExporterOps { agents, .. } if agents.is_empty() => Self::Default,
            ExporterOps { agents, .. } => Self::Named(agents.clone()),
        }
    }
}

/// The host as the exporter sees it.
pub struct Host<'h> {
    process: &'h Process,
    clock: &'h Clock,
    installation: Installation,
    agents: Agents,
    /// By the name that was asked for; the default agent under no name.
    watched: BTreeMap<String, Watched>,
    reads: u64,
}

/// One agent and what is known of it.
#[derive(Default)]
struct Watched {
    workspace: Option<Workspace>,
    history: History,
    id: String,
}

impl<'h> Host<'h> {
    /// A host of which nothing has been read yet.
    pub fn new(process: &'h Process, clock: &'h Clock, installation: Installation, agents: Agents) -> Self {
        Self { process, clock, installation, agents, watched: BTreeMap::new(), reads: 0 }
    }

    /// Reads everything again the next time.
    pub fn forget(&mut self) {
        for watched in self.watched.values_mut() {
            watched.workspace = None;
        }
    }

    /// How often anything was read.
    pub fn reads(&self) -> u64 {
        self.reads
    }

    /// Every agent as it is now.
    pub fn look(&mut self) -> Vec<AgentView> {
        let views: Vec<_> = self.names().iter().map(|name| self.view(name)).collect();
        let mut known = std::collections::BTreeSet::new();
        // Two spellings of one agent would be two samples of one series.
        views.into_iter().filter(|view| known.insert(view.id.clone())).collect()
    }

    /// The same for one run: what stands in the way of a report is an error.
    pub fn look_once(&mut self) -> Result<Vec<AgentView>, CommandError> {
        for name in self.names() {
            self.read(&name)?;
        }
        Ok(self.look())
    }

    /// What became of the notifications of this host.
    pub fn deliveries(&self) -> Vec<Deliveries> {
        let mut loaded = self.watched.values().filter_map(|watched| watched.workspace.as_ref());
        loaded.next().map(|workspace| monitor_state::deliveries(&workspace.paths, None)).unwrap_or_default()
    }

    fn names(&mut self) -> Vec<String> {
        match &self.agents {
            Agents::Default => vec![DEFAULT.to_owned()],
            Agents::Named(names) => names.clone(),
            Agents::All => {
                self.refreshed(DEFAULT);
                let known = self.watched.get(DEFAULT).and_then(|watched| watched.workspace.as_ref()).map(
                    |workspace| {
                        let reader = Reader::new(Deadline::after(LOOK_LIMIT));
                        agents::known(&workspace.config, &workspace.paths, &reader)
                    },
                );
                let names = known.unwrap_or_default();
                self.watched.retain(|name, _| name == DEFAULT || names.contains(name));
                if names.is_empty() { vec![DEFAULT.to_owned()] } else { names }
            }
        }
    }

    /// Reads an agent unless what is known of it is current.
    fn refreshed(&mut self, name: &str) {
        let workspace = self.watched.get(name).and_then(|watched| watched.workspace.as_ref());
        if workspace.is_some_and(|workspace| workspace.seen.is_current(Deadline::after(LOOK_LIMIT))) {
            return;
        }
        // What failed is counted there, and shows as an agent without a report.
        drop(self.read(name));
    }

    fn read(&mut self, name: &str) -> Result<(), CommandError> {
        self.reads += 1;
        let request = Request {
            installation: self.installation.clone(),
            agent: Some(name.to_owned()).filter(|name| name != DEFAULT),
            is_tolerant: true,
        };
        let loaded = Workspace::load(self.process, self.clock, &request, Deadline::after(TIME_LIMIT));
        let now = self.clock.now().timestamp_millis();
        let watched = self.watched.entry(name.to_owned()).or_default();
        match loaded {
            Ok(workspace) => {
                for source in workspace.sources() {
                    match &source.state {
                        SourceState::Absent => {}
                        SourceState::Read => drop(watched.history.last_read.insert(source.role, now)),
                        SourceState::Unreadable(problem) => {
                            let key = (source.role, ReadError::of(problem).word());
                            *watched.history.read_errors.entry(key).or_default() += 1;
                        }
                    }
                }
                watched.id.clone_from(&workspace.agent.id);
                watched.workspace = Some(workspace);
                Ok(())
            }
            Err(error) => {
                watched.history.errors += 1;
                watched.workspace = None;
                if watched.id.is_empty() {
                    let id = if name == DEFAULT { agents::MAIN } else { name };
                    id.clone_into(&mut watched.id);
                }
                Err(error)
            }
        }
    }

    fn view(&mut self, name: &str) -> AgentView {
        let limit = Duration::from_hours(1);
        let started = Deadline::after(limit);
        self.refreshed(name);
        let clock = self.clock;
        let Some(watched) = self.watched.get_mut(name) else {
            return AgentView { id: name.to_owned(), report: None, history: History::default() };
        };
        let report = watched.workspace.as_ref().map(|workspace| {
            let snapshot: Snapshot = sync::preview(workspace, clock);
            let mut report = assess(&snapshot, clock.now(), &policy(workspace));
            report.usage = Some(usage::remembered(workspace, &snapshot));
            report
        });
        if let Some(report) = &report {
            watched.history.last_success = Some(report.generated_at);
            watched.history.duration = limit.saturating_sub(started.remaining()).as_secs_f64();
        }
        AgentView { id: watched.id.clone(), report, history: watched.history.clone() }
    }
}

/// Both policies are exported; this is what the window and the owner of vendor logins are taken from.
fn policy(workspace: &Workspace) -> Policy {
    let default = Policy::default();
    Policy {
        warn_after_ms: workspace.ops.warn_after_ms.unwrap_or(default.warn_after_ms),
        refreshable: Refreshable::Lenient,
        renews_vendor_logins: workspace.ops.external_refresh != ExternalRefresh::Never,
    }
}
