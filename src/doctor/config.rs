//! The config beyond what loading it says: keys that have moved, the gateway's door, folders of earlier releases.

use std::path::{Path, PathBuf};

use crate::core::finding::{Code, Finding};
use crate::core::provenance::{self, Precedence};
use crate::core::remedy;
use crate::doctor::fix::{Consent, Fix, Step};
use crate::doctor::{Check, Found, Host};
use crate::format::config::{Node, Tree};
use crate::format::systemd_unit;
use crate::sys::procfs::{self, Listener};
use crate::sys::{random, systemd};
use crate::workspace::Workspace;
use crate::workspace::agents;
use crate::workspace::config_store::ConfigStore;
use crate::workspace::store::{LEGACY_FILE, STORE_FILE};

pub(super) const CHECK: Check = Check {
    name: "config and gateway",
    codes: &[
        Code::AgentDirLegacy,
        Code::ConfigLegacyKey,
        Code::EnvLayersDisagree,
        Code::GatewayBindOpen,
        Code::GatewayModeUnset,
        Code::GatewayTokenMissing,
        Code::GatewayTokenWeak,
        Code::LegacyStateDir,
        Code::PortTaken,
        Code::StateDirsSeveral,
    ],
    mends: &[
        Code::AgentDirLegacy,
        Code::ConfigLegacyKey,
        Code::GatewayBindOpen,
        Code::GatewayTokenMissing,
        Code::LegacyStateDir,
    ],
    is_deep: false,
    run,
};

/// Keys that have moved, and where to. Source: the legacy rules of the reference, release 2026.1.24.
const MOVED: &[(&[&str], &[&str])] = &[
    (&["agent", "imageModel"], &["agents", "defaults", "imageModel", "primary"]),
    (&["agent", "model"], &["agents", "defaults", "model", "primary"]),
    (&["gateway", "token"], &["gateway", "auth", "token"]),
];
/// Random bytes of a gateway token (reference: 24).
const TOKEN_BYTES: usize = 24;
/// A token with fewer characters can be guessed: 16 hex digits are 64 bits.
const SHORTEST_TOKEN: usize = 16;
/// State folders that programs of this name have had, below the home folder.
const STATE_DIRS: &[&str] = &[".openclaw", ".clawdbot", ".moltbot"];

fn run(host: &Host) -> Vec<Found> {
    let raw = ConfigStore::new(&host.workspace.paths, &host.workspace.environment).raw(&host.reader()).ok();
    let mut found = Vec::new();
    if let Some(raw) = &raw {
        found.extend(moved_keys(host, raw));
    }
    found.extend(gateway_door(host));
    found.extend(gateway_mode(host));
    found.extend(port_taken(host));
    found.extend(layers_disagree(host));
    found.extend(legacy_agent_dir(host));
    found.extend(state_dirs(host, raw.as_ref()));
    found
}

fn moved_keys(host: &Host, raw: &Node) -> Vec<Found> {
    let config = &host.report.config_path.short;
    let owned = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
    let mut found = Vec::new();
    for (from, to) in MOVED {
        let (from, to) = (owned(from), owned(to));
        let Some(node) = raw.at(&from) else { continue };
        let (old, new) = (from.join("."), to.join("."));
        let finding = Finding::new(Code::ConfigLegacyKey, old.clone(), format!("is {new} now"));
        found.push(match &node.value {
            Tree::Text(_) if raw.at(&to).is_none() => {
                let steps = vec![Step::ConfigRename { from, to }];
                let finding = finding.remedy(format!("`openclaw doctor --fix`, or move it in {config}"));
                Found::fixed_by(finding, Fix::new(format!("moves it to {new}"), Consent::Safe, steps))
            }
            _ => finding.remedy(format!("write what is meant to {new} in {config} and remove {old}")).into(),
        });
    }
    let known: Vec<&str> =
        MOVED.iter().filter(|(from, _)| from[0] == "agent").map(|(from, _)| from[1]).collect();
    if let Some(Tree::Table(members)) = raw.at(&["agent".to_owned()]).map(|node| &node.value) {
        for (key, _) in members.iter().filter(|(key, _)| !known.contains(&key.as_str())) {
            let finding = Finding::new(
                Code::ConfigLegacyKey,
                format!("agent.{key}"),
                "belongs to agents.defaults now, if it still has a meaning",
            );
            found.push(
                finding.remedy(format!("look it up in the documentation and move it in {config}")).into(),
            );
        }
    }
    found
}

fn gateway_mode(host: &Host) -> Option<Found> {
    let gateway = &host.workspace.config.gateway;
    gateway.mode.is_none().then(|| {
        Finding::new(Code::GatewayModeUnset, "gateway.mode", "is not set")
            .remedy("`openclaw onboard` sets the gateway up")
            .into()
    })
}

/// Who may use the gateway.
fn gateway_door(host: &Host) -> Option<Found> {
    let gateway = &host.workspace.config.gateway;
    if host.workspace.has_finding(Code::ConfigInvalid) {
        return None;
    }
    if let Some(secret) = host.workspace.gateway_secret() {
        let length = secret.expose().trim().chars().count();
        return (length < SHORTEST_TOKEN).then(|| {
            Finding::new(Code::GatewayTokenWeak, "gateway.auth", format!("has {length} characters"))
                .remedy(format!(
                    "put a longer one there, for example that of `openssl rand -hex {TOKEN_BYTES}`"
                ))
                .into()
        });
    }
    // A gateway of another machine has its token there.
    if gateway.mode.as_deref().is_some_and(|mode| mode != "local") {
        return None;
    }
    let bind = gateway.bind.as_deref().unwrap_or("loopback");
    let is_open = !["loopback", "auto"].contains(&bind);
    let finding = if is_open {
        Finding::new(Code::GatewayBindOpen, "gateway.bind", format!("is \"{bind}\", and there is no token"))
    } else if gateway.mode.is_some() {
        Finding::new(Code::GatewayTokenMissing, "gateway.auth.token", "is not set")
    } else {
        // Nothing is set up yet, which is told already.
        return None;
    };
    let finding = finding.remedy("`openclaw doctor --generate-gateway-token`");
    Some(match new_token() {
        Some(fix) => Found::fixed_by(finding, fix),
        None => finding.into(),
    })
}

fn new_token() -> Option<Fix> {
    let token = random::hex(TOKEN_BYTES).ok()?;
    let key = |name: &str| ["gateway", "auth", name].map(str::to_owned).to_vec();
    let steps = vec![
        Step::ConfigSet { key: key("mode"), value: "token".into() },
        Step::ConfigSet { key: key("token"), value: token.expose().into() },
    ];
    Some(Fix::new("makes a token and writes it into the config", Consent::Asked, steps))
}

fn port_taken(host: &Host) -> Option<Found> {
    // A gateway of another machine is reached through whatever listens here.
    if host.workspace.config.gateway.mode.as_deref() == Some("remote") {
        return None;
    }
    let port = host.workspace.gateway_port(&host.process);
    let who = match procfs::listener(port)? {
        // It may well be the gateway itself, as a service of the system or in a container.
        Listener::Hidden if host.unit.as_ref().is_none_or(|unit| !unit.is_of_user) => return None,
        Listener::Hidden => "a process of another user".to_owned(),
        Listener::Process(pid, _) if procfs::is_gateway(pid) || is_of_service(host, pid) => return None,
        Listener::Process(pid, name) => format!("process {pid} ({name})"),
    };
    let message = format!("{who} listens on it");
    Some(
        Finding::new(Code::PortTaken, format!("port {port}"), message)
            .remedy("stop it, or choose another port with gateway.port in the config")
            .into(),
    )
}

fn is_of_service(host: &Host, pid: i32) -> bool {
    host.unit.as_ref().is_some_and(|unit| {
        let deadline = host.reader().deadline();
        systemd::show(host.process.variables(), unit.is_of_user, &unit.name, deadline)
            .is_ok_and(|state| state.main_pid == Some(pid))
    })
}

/// A credential that two places have with different values: only one of them counts.
fn layers_disagree(host: &Host) -> Vec<Found> {
    let environment = &host.workspace.environment;
    let mut found = Vec::new();
    for name in environment.names() {
        if !crate::core::provider::is_credential_variable(name) {
            continue;
        }
        let candidates: Vec<_> = environment
            .candidates(name)
            .into_iter()
            .filter(|candidate| candidate.variable.is_none())
            .collect();
        let ranks = candidates.iter().map(|candidate| (candidate.precedence, candidate.secret.is_blank()));
        let winner = provenance::winner(ranks);
        let Some(counts) = winner.and_then(|winner| candidates.get(winner)) else { continue };
        let differs = |candidate: &&crate::workspace::environment::Candidate<'_>| {
            candidate.secret != counts.secret
                && !(candidate.secret.is_blank() && candidate.precedence == Precedence::Filling)
        };
        let others: Vec<_> =
            candidates.iter().filter(differs).map(|other| other.place().to_owned()).collect();
        if !others.is_empty() {
            let message = format!("{} counts; another value stands in {}", counts.place(), others.join(", "));
            let finding = Finding::new(Code::EnvLayersDisagree, name, message);
            found.push(
                finding.remedy(format!("keep one of them; `openclaw where {name}` tells them apart")).into(),
            );
        }
    }
    found
}

/// `<state>/agent`, where releases before agents had ids kept everything, and where that belongs now.
fn misplaced_agent(workspace: &Workspace) -> Option<(PathBuf, PathBuf)> {
    let old = workspace.paths.state_dir.join("agent");
    let new = agents::default_dir(&workspace.config, &workspace.paths);
    let has_store = |dir: &Path| [STORE_FILE, LEGACY_FILE].iter().any(|name| dir.join(name).is_file());
    (old != new && has_store(&old)).then_some((old, new))
}

/// Whether a store is about to be moved to where nothing may be made before.
pub fn awaits_move(workspace: &Workspace) -> bool {
    misplaced_agent(workspace).is_some_and(|(_, new)| !new.exists())
}

fn legacy_agent_dir(host: &Host) -> Option<Found> {
    let (old, new) = misplaced_agent(&host.workspace)?;
    let (from, to) = (host.shown(&old), host.shown(&new));
    let finding =
        Finding::new(Code::AgentDirLegacy, from.short.clone(), format!("belongs into {}", to.short));
    let taken: Vec<String> = entries(&old).into_iter().filter(|name| new.join(name).exists()).collect();
    if !taken.is_empty() {
        let both = taken.join(", ");
        return Some(
            finding
                .remedy(format!("decide which one counts: {both} is in both; then remove {}", from.short))
                .into(),
        );
    }
    let steps = if new.exists() {
        entries(&old)
            .into_iter()
            .map(|name| Step::Move { from: old.join(&name), to: new.join(&name) })
            .collect()
    } else {
        vec![Step::Move { from: old, to: new }]
    };
    let finding = finding.remedy("`openclaw doctor --fix`");
    Some(Found::fixed_by(finding, Fix::new(format!("moves it to {}", to.short), Consent::Safe, steps)))
}

fn entries(folder: &Path) -> Vec<String> {
    let entries = fs_err::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

/// The state folder under a name of an earlier release, or several of them.
fn state_dirs(host: &Host, raw: Option<&Node>) -> Vec<Found> {
    let paths = &host.workspace.paths;
    let here = host.shown(&paths.state_dir);
    let all: Vec<PathBuf> = STATE_DIRS
        .iter()
        .filter_map(|name| paths.in_home(name))
        .filter(|folder| folder.is_dir() && !is_link_to(folder, &paths.state_dir))
        .collect();
    let mut found = Vec::new();
    if paths.state_dir_is_legacy
        && let Some(new) = paths.in_home(STATE_DIRS[0])
    {
        let to = host.shown(&new);
        let message = format!("is used as the state folder; its name is {} now", to.short);
        let finding = Finding::new(Code::LegacyStateDir, here.short.clone(), message);
        // Paths that are written down somewhere would lead nowhere.
        let is_named = raw.is_none_or(|raw| names_folder(raw, host, &paths.state_dir))
            || host.unit.as_ref().is_some_and(|unit| {
                paths.state_dir.file_name().is_some_and(|name| unit.names(&name.to_string_lossy()))
            });
        let port = host.workspace.gateway_port(&host.process);
        found.push(if procfs::listener(port).is_some() {
            finding
                .remedy("stop the gateway of the earlier release first, then `openclaw doctor --fix`")
                .into()
        } else if is_named {
            finding
                .remedy(format!(
                    "the config or the unit names paths in it: change them, then `mv {} {}`",
                    remedy::shell_path(&here),
                    remedy::shell_path(&to)
                ))
                .into()
        } else {
            let steps = vec![Step::Move { from: paths.state_dir.clone(), to: new }];
            let finding =
                finding.remedy("stop the gateway of the earlier release, then `openclaw doctor --fix`");
            Found::fixed_by(finding, Fix::new(format!("renames it to {}", to.short), Consent::Safe, steps))
        });
    } else if all.contains(&paths.state_dir) && all.len() > 1 {
        let others: Vec<_> = all
            .iter()
            .filter(|folder| **folder != paths.state_dir)
            .map(|folder| host.shown(folder).short)
            .collect();
        let message = format!("is used; {} is there too", others.join(", "));
        found.push(
            Finding::new(Code::StateDirsSeveral, here.short, message)
                .remedy(format!("remove {} once nothing of it is needed", others.join(", ")))
                .into(),
        );
    }
    found
}

fn is_link_to(folder: &Path, target: &Path) -> bool {
    folder != target && folder.canonicalize().ok() == target.canonicalize().ok()
}

/// Whether a config names a folder, written out, with `~` or with variables.
fn names_folder(node: &Node, host: &Host, folder: &Path) -> bool {
    match &node.value {
        Tree::Text(text) => {
            let environment = &host.workspace.environment;
            let text = systemd_unit::with_variables(text, &|name| environment.for_config(name));
            let shown = host.shown(folder);
            text.contains(&shown.full) || text.contains(&shown.short)
        }
        Tree::List(items) => items.iter().any(|item| names_folder(item, host, folder)),
        Tree::Table(members) => members.iter().any(|(_, member)| names_folder(member, host, folder)),
        _ => false,
    }
}
