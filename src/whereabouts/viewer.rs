//! The host with the eyes of one process: every place that has a credential, in the order of precedence.

use std::collections::BTreeSet;

use crate::core::credential::EpochMs;
use crate::core::login::VendorLogin;
use crate::core::order::Ineligible;
use crate::core::provenance::{self, Origin, Precedence, Provenance};
use crate::core::provider::{self, PROVIDERS};
use crate::core::secret::Secret;
use crate::core::snapshot::{ProfileRecord, Snapshot};
use crate::core::span;
use crate::exit::CommandError;
use crate::process::Process;
use crate::sys::files;
use crate::sys::procfs::Running;
use crate::whereabouts::Name;
use crate::workspace::Workspace;
use crate::workspace::environment::{Candidate, LayerKind};
use crate::workspace::store::STORE_FILE;
use crate::workspace::unit::{Unit, UnitVariable};

/// Loads the host as a process sees it.
pub type Load<'l> = &'l dyn Fn(&Process) -> Result<(Workspace, Snapshot), CommandError>;

/// One who looks at the host, with everything that it sees.
pub struct Viewer {
    /// Its stable word: `shell`, `service` or `process`.
    pub who: &'static str,
    /// For people.
    pub label: String,
    /// What it would load.
    pub workspace: Workspace,
    pub(super) snapshot: Snapshot,
    /// The unit whose variables its process environment consists of.
    unit: Option<Unit>,
    /// Since when it runs: what was written later it may not have.
    pub started: Option<EpochMs>,
}

/// The kernel tells the start of the machine in whole seconds, in ms.
const SLACK: EpochMs = 2_000;

/// The word of the one that asks.
pub const SHELL: &str = "shell";
/// The word of the installed service.
pub const SERVICE: &str = "service";
/// The word of a running process.
pub const PROCESS: &str = "process";

impl Viewer {
    /// Who asks.
    pub fn shell(workspace: Workspace, snapshot: Snapshot) -> Self {
        let label = "this shell".to_owned();
        Self { who: SHELL, label, workspace, snapshot, unit: None, started: None }
    }

    /// The service as it would start now.
    pub fn service(unit: Unit, load: Load<'_>) -> Result<Self, CommandError> {
        let (workspace, snapshot) = load(&unit.process())?;
        Ok(Self {
            who: SERVICE,
            label: unit.name.clone(),
            workspace,
            snapshot,
            unit: Some(unit),
            started: None,
        })
    }

    /// A process that runs.
    pub fn process(running: Running, load: Load<'_>) -> Result<Self, CommandError> {
        let label = format!("process {}", running.pid);
        let (workspace, snapshot) = load(&Process::imagined(running.variables, running.cwd, None))?;
        let started = Some(running.started_ms);
        Ok(Self { who: PROCESS, label, workspace, snapshot, unit: None, started })
    }

    /// Every name that it has a credential for.
    pub(super) fn names(&self) -> BTreeSet<String> {
        let profiles = self.snapshot.profiles.iter();
        let profiles = profiles.map(|record| provider::normalize(&record.credential.provider));
        let keys = self.snapshot.provider_keys.iter().map(|key| provider::normalize(&key.provider));
        let env = PROVIDERS
            .iter()
            .filter(|known| known.env.iter().any(|name| self.workspace.environment.get(name).is_some()));
        profiles.chain(keys).chain(env.map(|known| known.id.to_owned())).collect()
    }

    /// Where one name comes from.
    pub fn look(&self, name: &Name, salt: &str, now: EpochMs) -> Provenance {
        let rows = match name {
            Name::Variable(variable) => self.variable(variable),
            Name::Provider(id) => self.provider(id, now),
            Name::Profile(id) => self.profile(id),
        };
        let winner = provenance::winner(rows.iter().map(Row::rank));
        let origins = rows.into_iter().enumerate().map(|(place, row)| {
            let why = match (row.note, winner) {
                (_, Some(winner)) if winner == place => "counts".to_owned(),
                (Some(note), _) => note,
                (None, _) if !row.is_usable => "is empty".to_owned(),
                (None, Some(winner)) if winner < place => format!("is hidden by {}", winner + 1),
                (None, _) => "is hidden by an empty value above it".to_owned(),
            };
            Origin {
                layer: row.layer,
                place: row.place,
                fingerprint: row
                    .secret
                    .filter(|secret| !secret.is_blank())
                    .map(|secret| secret.fingerprint(salt)),
                modified: row.modified,
                why,
            }
        });
        Provenance { name: name.text().to_owned(), origins: origins.collect(), winner }
    }

    fn variable(&self, name: &str) -> Vec<Row> {
        let mut rows = Vec::new();
        for candidate in self.workspace.environment.candidates(name) {
            let set_by_unit = self.unit.as_ref().filter(|_| candidate.layer.kind == LayerKind::Process);
            match set_by_unit {
                Some(unit) => {
                    let variable = candidate.variable.unwrap_or(name);
                    rows.extend(
                        unit.variables.iter().filter(|set| set.name == variable).map(|set| self.of_unit(set)),
                    );
                }
                None => rows.push(self.of_layer(&candidate)),
            }
        }
        rows
    }

    fn of_unit(&self, set: &UnitVariable) -> Row {
        let place = format!("{}:{}", self.workspace.paths.shown(&set.file).short, set.line);
        Row {
            layer: set.layer,
            place,
            is_usable: !set.value.is_blank(),
            secret: Some(set.value.clone()),
            precedence: Precedence::Shadowing,
            modified: modified(&set.file),
            note: None,
        }
    }

    fn of_layer(&self, candidate: &Candidate<'_>) -> Row {
        let stands_under = candidate.variable.map_or_else(String::new, |name| format!(" ({name})"));
        let place = match candidate.layer.kind {
            LayerKind::Process => format!("environment of {}", self.label),
            _ => candidate.place().to_owned(),
        };
        let path = candidate.layer.path.as_ref();
        Row {
            layer: candidate.layer.kind.word(),
            place: place + &stands_under,
            is_usable: !candidate.secret.is_blank(),
            secret: Some(candidate.secret.clone()),
            precedence: candidate.precedence,
            modified: path.and_then(|path| modified(path.full.as_ref())),
            note: None,
        }
    }

    /// Profiles in the order in which they are tried, then variables, then keys of files.
    fn provider(&self, id: &str, now: EpochMs) -> Vec<Row> {
        let is_meant = |record: &&ProfileRecord| provider::normalize(&record.credential.provider) == id;
        let records = self.snapshot.profiles.iter().filter(is_meant);
        let arranged = self.workspace.rules(id).arrange(records, &self.snapshot.usage, now);
        let mut rows: Vec<_> = arranged.into_iter().map(|(record, why)| profile_row(record, why)).collect();
        for variable in provider::find(id).map(|known| known.env).unwrap_or_default() {
            // Each variable has its own winner; among the variables the first that has one counts.
            let found = self.variable(variable);
            let winner = provenance::winner(found.iter().map(Row::rank));
            rows.extend(found.into_iter().enumerate().map(|(at, row)| Row {
                place: format!("{variable} in {}", row.place),
                is_usable: winner == Some(at),
                precedence: Precedence::Filling,
                note: match winner {
                    _ if !row.is_usable => Some("is empty".to_owned()),
                    Some(winner) if winner != at => Some("is hidden by a place above it".to_owned()),
                    None => Some("is hidden by an empty value above it".to_owned()),
                    Some(_) => None,
                },
                ..row
            }));
        }
        let keys = self.snapshot.provider_keys.iter().filter(|key| provider::normalize(&key.provider) == id);
        rows.extend(keys.map(|key| {
            let (layer, place) = key.source.split_once(": ").unwrap_or(("config", &key.source));
            let is_config = layer == "config";
            let place = if is_config {
                format!("models.providers.{} in {place}", key.provider)
            } else {
                place.to_owned()
            };
            Row {
                layer: if is_config { "config" } else { "models-json" },
                place,
                is_usable: !key.secret.is_blank(),
                secret: Some(key.secret.clone()),
                precedence: Precedence::Filling,
                modified: None,
                note: None,
            }
        }));
        rows
    }

    /// The agent's own entry, the one that it inherits, and the login that the profile mirrors.
    fn profile(&self, id: &str) -> Vec<Row> {
        let mut rows: Vec<_> = self
            .snapshot
            .profiles
            .iter()
            .filter(|record| record.id == id)
            .map(|record| profile_row(record, None))
            .collect();
        let hidden = self.workspace.main_store().filter(|_| !rows.is_empty() && !self.is_inherited(id));
        if let (Some(credential), Some(dir)) =
            (hidden.and_then(|main| main.profile(id)), &self.workspace.agent.inherits_from)
        {
            let store = dir.join(STORE_FILE);
            let secret = credential.material.usable_secret().cloned();
            rows.push(Row {
                layer: "profile",
                place: format!("{id} in {}", self.workspace.paths.shown(&store).short),
                is_usable: secret.is_some(),
                secret,
                precedence: Precedence::Filling,
                modified: modified(&store),
                note: Some("belongs to the main agent; this agent has its own".to_owned()),
            });
        }
        if let Some(login) = self.workspace.login(id) {
            let secret = match &login.login {
                VendorLogin::Present { material, .. } => material.usable_secret().cloned(),
                _ => None,
            };
            let is_same = rows.first().is_some_and(|row| row.secret == secret);
            if secret.is_some() {
                rows.push(Row {
                    layer: "vendor-login",
                    place: format!("{} of {}", login.source.path.short, login.vendor.program()),
                    is_usable: true,
                    secret,
                    precedence: Precedence::Filling,
                    modified: modified(login.source.path.full.as_ref()),
                    note: Some(
                        if is_same {
                            "is what the profile was synced from"
                        } else {
                            "differs from the profile"
                        }
                        .to_owned(),
                    ),
                });
            }
        }
        rows
    }

    fn is_inherited(&self, id: &str) -> bool {
        self.snapshot.profiles.iter().any(|record| record.id == id && record.inherited)
    }
}

/// A place before it is known which one counts.
struct Row {
    layer: &'static str,
    place: String,
    secret: Option<Secret>,
    is_usable: bool,
    precedence: Precedence,
    modified: Option<EpochMs>,
    note: Option<String>,
}

impl Row {
    fn rank(&self) -> (Precedence, bool) {
        (self.precedence, !self.is_usable)
    }
}

fn profile_row(record: &ProfileRecord, why: Option<Ineligible>) -> Row {
    let note = why.map(|why| match why {
        Ineligible::ExcludedByOrder => "is not in the order of this provider".to_owned(),
        Ineligible::ExpiryUnreadable => "has an expiry that cannot be read".to_owned(),
        Ineligible::Expired => "has ended".to_owned(),
        Ineligible::ModeMismatch => "has another provider or mode in the config".to_owned(),
        Ineligible::NoSecret => "holds nothing".to_owned(),
        Ineligible::UnresolvedRef => "holds a variable that nobody resolves".to_owned(),
    });
    // A login that has to be renewed first is told from others by what renews it.
    let material = &record.credential.material;
    Row {
        layer: "profile",
        place: format!("{} in {}", record.id, record.store.short),
        secret: material.usable_secret().or(material.refresh_token()).cloned(),
        is_usable: note.is_none(),
        precedence: Precedence::Filling,
        modified: modified(record.store.full.as_ref()),
        note,
    }
}

fn modified(path: &std::path::Path) -> Option<EpochMs> {
    fs_err::metadata(path).ok().map(|metadata| files::modified_ms(&metadata))
}

impl Viewer {
    /// Whether the place that counts was written after the process had read it.
    pub fn may_be_older(&self, seen: &Provenance) -> Option<String> {
        let started = self.started?;
        let origin = seen.winning().filter(|origin| origin.layer == LayerKind::Dotenv.word())?;
        let written = origin.modified.filter(|written| *written > started + SLACK)?;
        let age = span::two_units(written.saturating_sub(started));
        Some(format!(
            "{} was written {age} after {} was started, which may still have the older value of {}",
            origin.place, self.label, seen.name
        ))
    }

    /// How to start it anew.
    pub(super) fn restart(&self) -> String {
        match &self.unit {
            Some(unit) => {
                let systemctl = unit.systemctl();
                format!("`{systemctl} daemon-reload && {systemctl} restart {}`", unit.name)
            }
            None => "restart it".to_owned(),
        }
    }
}
