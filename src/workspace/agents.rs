//! Which agent is meant, and where its folder is.

use std::path::{Path, PathBuf};

use crate::exit::CommandError;
use crate::format::config::Problem;
use crate::format::config_sections::{Agent, Config};
use crate::sys::reader::Reader;
use crate::workspace::paths::Paths;

/// The agent that exists without any config.
pub const MAIN: &str = "main";
/// The longest id (reference limit).
const MAX_ID: usize = 64;

/// The agent that a command works on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentContext {
    /// Its normalised id.
    pub id: String,
    /// Its folder.
    pub dir: PathBuf,
    /// The folder of the main agent when this one inherits from it.
    pub inherits_from: Option<PathBuf>,
}

/// `--agent`, else the folder of the environment, else the configured default agent.
pub fn select(
    requested: Option<&str>,
    config: &Config,
    paths: &Paths,
    reader: &Reader,
) -> Result<AgentContext, CommandError> {
    let id = match requested {
        Some(requested) => {
            let id = normalize(requested);
            let known = known(config, paths, reader);
            if !known.contains(&id) {
                return Err(CommandError::usage(format!("unknown agent \"{id}\""))
                    .hint(format!("known agents: {}", known.join(", "))));
            }
            id
        }
        None => default_id(config),
    };
    if let (None, Some(dir)) = (requested, &paths.agent_dir_override) {
        return Ok(AgentContext { id, dir: dir.clone(), inherits_from: None });
    }
    let main = dir_of(MAIN, config, paths);
    let dir = dir_of(&id, config, paths);
    let inherits_from = (dir != main).then_some(main);
    Ok(AgentContext { id, dir, inherits_from })
}

/// The configured agent of this id.
pub fn configured<'c>(id: &str, config: &'c Config) -> Option<&'c Agent> {
    config.agents.iter().find(|agent| normalize(&agent.id) == id)
}

/// Two agents in one folder would overwrite each other's state.
pub fn shared_folder(config: &Config, paths: &Paths) -> Option<Problem> {
    let mut seen: Vec<(PathBuf, String)> = Vec::new();
    for agent in &config.agents {
        let id = normalize(&agent.id);
        let dir = dir_of(&id, config, paths);
        if let Some((_, other)) = seen.iter().find(|(known, other)| *known == dir && *other != id) {
            return Some(Problem {
                path: "agents.list".to_owned(),
                message: format!(
                    "Duplicate agentDir detected: \"{other}\" and \"{id}\" share {}",
                    dir.display()
                ),
                origin: crate::format::config::Origin::default(),
            });
        }
        seen.push((dir, id));
    }
    None
}

/// The id in the form of folder names: `../../ETC` is `etc`.
pub fn normalize(id: &str) -> String {
    let mut normal = String::new();
    for c in id.trim().to_lowercase().chars() {
        if c.is_ascii_alphanumeric() || c == '_' || c == '-' {
            normal.push(c);
        } else if !normal.ends_with('-') {
            normal.push('-');
        }
    }
    let plain = normal.len() <= MAX_ID && normal.starts_with(|c: char| c.is_ascii_alphanumeric());
    if !(plain && id.trim().chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')) {
        normal = normal.trim_matches('-').chars().take(MAX_ID).collect();
    }
    if normal.is_empty() { MAIN.to_owned() } else { normal }
}

fn default_id(config: &Config) -> String {
    let marked = config.agents.iter().find(|agent| agent.default);
    marked.or(config.agents.first()).map_or_else(|| MAIN.to_owned(), |agent| normalize(&agent.id))
}

/// The folder of the default agent, whatever the environment says.
pub fn default_dir(config: &Config, paths: &Paths) -> PathBuf {
    dir_of(&default_id(config), config, paths)
}

/// The folder of every known agent.
pub fn folders(config: &Config, paths: &Paths, reader: &Reader) -> Vec<PathBuf> {
    known(config, paths, reader).iter().map(|id| dir_of(id, config, paths)).collect()
}

fn dir_of(id: &str, config: &Config, paths: &Paths) -> PathBuf {
    configured(id, config)
        .and_then(|agent| agent.agent_dir.as_deref())
        .map_or_else(|| paths.default_agent_dir(id), |dir| paths.expand(dir))
}

/// Agents of the config, `main`, and every folder that has a store.
pub fn known(config: &Config, paths: &Paths, reader: &Reader) -> Vec<String> {
    let mut ids = vec![MAIN.to_owned()];
    ids.extend(config.agents.iter().map(|agent| normalize(&agent.id)));
    let folder = paths.state_dir.join("agents");
    ids.extend(reader.call(move || with_store(&folder)).unwrap_or_default());
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn with_store(folder: &Path) -> Vec<String> {
    let entries = fs_err::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter(|entry| {
            let dir = entry.path().join("agent");
            dir.join(super::store::STORE_FILE).exists() || dir.join(super::store::LEGACY_FILE).exists()
        })
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| normalize(name) == *name)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::normalize;

    #[test]
    fn ids_become_safe_folder_names() {
        for (id, expected) in [
            (" Work ", "work"),
            ("../../ETC", "etc"),
            ("a b//c", "a-b-c"),
            ("-x-", "x"),
            ("a-", "a-"),
            ("!!!", "main"),
            ("", "main"),
        ] {
            assert_eq!(normalize(id), expected, "{id:?}");
        }
        assert_eq!(normalize(&"x".repeat(99)).len(), 64);
    }
}
