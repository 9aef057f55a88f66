//! Where credentials come from: as this shell sees it, as the gateway's service would, and as a running process does.

mod viewer;

use std::collections::BTreeSet;

use crate::clock::{Clock, Deadline};
use crate::core::credential::EpochMs;
use crate::core::provenance::{Difference, Eyes, Provenance, Whereabouts};
use crate::core::provider;
use crate::exit::CommandError;
use crate::process::Process;
use crate::sys::{procfs, random, systemd};
use crate::workspace::Workspace;
use crate::workspace::memory::Memory;
use crate::workspace::unit::Unit;

pub use viewer::{Load, PROCESS, SERVICE, SHELL, Viewer};

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// A variable of the environment.
    Variable(String),
    /// A provider, in normal form.
    Provider(String),
    /// A profile.
    Profile(String),
}

impl Name {
    fn text(&self) -> &str {
        match self {
            Self::Variable(text) | Self::Provider(text) | Self::Profile(text) => text,
        }
    }
}

/// The salt of the fingerprints: the remembered one, else a new one that is remembered from now on.
pub fn salt(workspace: &Workspace, clock: &Clock) -> String {
    if let Some(salt) = &workspace.memory.salt {
        return salt.clone();
    }
    let mut found = None;
    let kept = Memory::of(&workspace.paths).update(clock, |_, salt| found = Some(salt.to_owned()));
    // Where nothing can be remembered, fingerprints compare within this run only.
    match (kept, found) {
        (Ok(()), Some(salt)) => salt,
        _ => random::hex(16).map(|salt| salt.expose().to_owned()).unwrap_or_default(),
    }
}

/// What a text means: `OPENAI_API_KEY`, `anthropic:default`, `openai`.
pub fn parse(text: &str, shell: &Viewer) -> Result<Name, CommandError> {
    let text = text.trim();
    let is_variable = text.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
        && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    let has_profile = shell.snapshot.profiles.iter().any(|record| record.id == text)
        || shell.workspace.login(text).is_some();
    let id = provider::normalize(text);
    if has_profile {
        Ok(Name::Profile(text.to_owned()))
    } else if is_variable {
        Ok(Name::Variable(text.to_owned()))
    } else if provider::find(&id).is_some() || shell.names().contains(&id) {
        Ok(Name::Provider(id))
    } else {
        let known: Vec<_> = shell.names().into_iter().collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Err(CommandError::usage(format!(
            "\"{}\" is no provider, variable or profile here",
            text.escape_debug()
        ))
        .hint(format!("providers with a credential: {known}; profiles: `openclaw models auth list`")))
    }
}

/// The viewers beside the shell: the installed service and its running process; and what could not be seen.
pub fn others(
    process: &Process,
    unit: Unit,
    deadline: Deadline,
    load: Load<'_>,
) -> (Vec<Viewer>, Vec<String>) {
    let (mut viewers, mut notes) = (Vec::new(), Vec::new());
    let name = unit.name.clone();
    let state = systemd::show(process.variables(), unit.is_of_user, &name, deadline);
    match Viewer::service(unit, load) {
        Ok(viewer) => viewers.push(viewer),
        Err(error) => notes.push(format!("{name}: {}", error.message())),
    }
    let running = state.map_err(|silent| silent.to_string());
    match running.and_then(|state| state.main_pid.map(procfs::running).transpose()) {
        Ok(Some(running)) => match Viewer::process(running, load) {
            Ok(viewer) => viewers.push(viewer),
            Err(error) => notes.push(format!("the process of {name}: {}", error.message())),
        },
        Ok(None) => notes.push(format!("{name} does not run")),
        Err(reason) => notes.push(reason),
    }
    (viewers, notes)
}

/// The viewer of a gateway that runs without a service, when there is one that can be seen.
pub fn bare(pid: Option<i32>, load: Load<'_>) -> Vec<Viewer> {
    let running = pid.and_then(|pid| procfs::running(pid).ok());
    running.and_then(|running| Viewer::process(running, load).ok()).into_iter().collect()
}

/// The whole answer. Without a name every provider is asked about that anybody has a credential for.
pub fn answer(
    name: Option<&Name>,
    viewers: &[Viewer],
    mut notes: Vec<String>,
    salt: &str,
    now: EpochMs,
) -> Whereabouts {
    let names: Vec<Name> = if let Some(name) = name {
        vec![name.clone()]
    } else {
        let all: BTreeSet<String> = viewers.iter().flat_map(Viewer::names).collect();
        all.into_iter().map(Name::Provider).collect()
    };
    let eyes: Vec<Eyes> = viewers
        .iter()
        .map(|viewer| Eyes {
            who: viewer.who,
            label: viewer.label.clone(),
            seen: names.iter().map(|name| viewer.look(name, salt, now)).collect(),
        })
        .collect();
    let mut differences = Vec::new();
    for (place, name) in names.iter().enumerate() {
        let Some(shell) = eyes.first().map(|eyes| &eyes.seen[place]) else { continue };
        for (viewer, other) in viewers.iter().zip(&eyes).skip(1) {
            let seen = &other.seen[place];
            if seen.value() != shell.value() {
                differences.push(difference(name, viewer, shell, seen));
            } else if let Some(note) = viewer.may_be_older(seen) {
                notes.push(note);
            }
        }
    }
    Whereabouts { generated_at: now, eyes, differences, notes }
}

fn difference(name: &Name, viewer: &Viewer, shell: &Provenance, seen: &Provenance) -> Difference {
    let at = |provenance: &Provenance| {
        provenance.winning().map_or_else(|| "nothing".to_owned(), |origin| origin.place.clone())
    };
    let dotenv = viewer.workspace.paths.shown(&viewer.workspace.paths.state_dotenv()).short;
    let remedy = match (seen.winning(), viewer.who) {
        (_, PROCESS) => "restart it: it read its environment when it was started".to_owned(),
        (Some(origin), _) if is_of_unit(origin.layer) => {
            format!("mend or remove it in {}, then {}", origin.place, viewer.restart())
        }
        (None, _) => format!("put {} into {dotenv}: the service does not see this shell", name.text()),
        (Some(_), _) => {
            format!(
                "a service does not see this shell: put what is meant into {dotenv}, then {}",
                viewer.restart()
            )
        }
    };
    Difference {
        name: name.text().to_owned(),
        who: viewer.who,
        message: format!("{} uses {}, this shell {}", viewer.label, at(seen), at(shell)),
        remedy,
    }
}

/// Whether a place is one that the unit names.
pub fn is_of_unit(layer: &str) -> bool {
    ["unit", "unit-drop-in", "environment-file", "manager"].contains(&layer)
}
