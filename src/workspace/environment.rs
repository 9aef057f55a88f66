//! The environment as layers. Nothing here changes the environment of the process: a layer is a value.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use nix::unistd::geteuid;

use crate::clock::Deadline;
use crate::core::finding::{Code, Finding};
use crate::core::provenance::{self, Precedence};
use crate::core::provider::{self, PROVIDERS, SHELL_ENV_VARIABLES};
use crate::core::secret::Secret;
use crate::core::snapshot::{EnvCredential, FilePath, ShellEnv};
use crate::format::config::Origin;
use crate::format::config_sections::EnvBlock;
use crate::process::{self, Process};
use crate::sys::shell_env;

/// How long the login shell may take when nothing says otherwise (reference default).
const SHELL_TIME_LIMIT_MS: u64 = 15_000;
/// Names in a `.env` file that would steer programs, and that we never take from one.
const STEERING: &[&str] = &["HOME", "PATH", "SHELL", "CODEX_HOME", "NODE_OPTIONS", "NODE_EXTRA_CA_CERTS"];

/// Variables from one place.
pub struct Layer {
    /// A stable word for the kind of place.
    pub kind: LayerKind,
    /// The place, for people: `process`, `~/.openclaw/.env`.
    pub name: String,
    /// The file or folder behind it.
    pub path: Option<FilePath>,
    values: BTreeMap<String, Value>,
}

struct Value {
    secret: Secret,
    /// Where in the layer it stands, when that is more than its name.
    place: Option<String>,
}

/// The kinds of places, highest precedence first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerKind {
    /// The environment of the process.
    Process,
    /// Files that systemd hands to a service.
    Credentials,
    /// A `.env` file.
    Dotenv,
    /// The `env` block of the config.
    Config,
    /// The login shell.
    Shell,
}

impl LayerKind {
    /// The stable word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Credentials => "credentials-directory",
            Self::Dotenv => "dotenv",
            Self::Config => "config-env",
            Self::Shell => "login-shell",
        }
    }

    /// What it does to the layers below it.
    pub fn precedence(self) -> Precedence {
        match self {
            Self::Process | Self::Credentials | Self::Dotenv => Precedence::Shadowing,
            Self::Config | Self::Shell => Precedence::Filling,
        }
    }
}

impl Layer {
    fn candidate(&self, variable: &str) -> Option<Candidate<'_>> {
        let value = self.values.get(variable)?;
        Some(Candidate {
            layer: self,
            variable: None,
            secret: &value.secret,
            precedence: self.kind.precedence(),
            place: value.place.as_deref(),
        })
    }
}

/// A value that one layer has for a name.
pub struct Candidate<'e> {
    /// The layer.
    pub layer: &'e Layer,
    /// The variable that it stands under there, when that is another one.
    pub variable: Option<&'static str>,
    /// The value.
    pub secret: &'e Secret,
    /// What it does to those below it.
    pub precedence: Precedence,
    place: Option<&'e str>,
}

impl Candidate<'_> {
    /// Where it stands, for people.
    pub fn place(&self) -> &str {
        self.place.unwrap_or(&self.layer.name)
    }
}

/// All layers, highest precedence first.
#[derive(Default)]
pub struct Environment {
    layers: Vec<Layer>,
}

impl Environment {
    /// Starts with the process environment.
    pub fn of_process(process: &Process) -> Self {
        let values = process
            .variables()
            .iter()
            .filter_map(|(name, value)| Some((name.to_str()?.to_owned(), Value::new(value.to_str()?, None))))
            .collect();
        let kind = LayerKind::Process;
        Self { layers: vec![Layer { kind, name: "process".to_owned(), path: None, values }] }
    }

    /// Adds files of a credentials directory: file name and content.
    pub fn add_credential_files(&mut self, folder: &FilePath, files: Vec<(String, Secret)>) {
        let place = |name: &str| Some(format!("{}/{name}", folder.short));
        let values = files.into_iter().map(|(name, secret)| {
            let place = place(&name);
            (name, Value { secret, place })
        });
        self.add(LayerKind::Credentials, folder.clone(), values.collect());
    }

    fn add(&mut self, kind: LayerKind, path: FilePath, values: BTreeMap<String, Value>) {
        let name = match kind {
            LayerKind::Config => format!("env in {}", path.short),
            _ => path.short.clone(),
        };
        self.layers.push(Layer { kind, name, path: Some(path), values });
    }

    /// Adds a `.env` file. Only credentials and names that the config uses count; what else would steer programs is
    /// a finding.
    pub fn add_dotenv(&mut self, path: FilePath, text: &str, used: &[String]) -> Vec<Finding> {
        let name = &path.short;
        let dotenv = crate::format::dotenv::parse(text);
        let mut findings = Vec::new();
        let mut values = BTreeMap::new();
        for entry in dotenv.assignments {
            if provider::is_credential_variable(&entry.name) || used.contains(&entry.name) {
                let place = format!("{name}:{}", entry.line);
                values.insert(entry.name, Value::new(entry.value, Some(place)));
            } else if is_steering(&entry.name) {
                findings.push(
                    Finding::new(
                        Code::DotenvIgnored,
                        format!("{name}:{}", entry.line),
                        format!("{} is taken from the real environment only", entry.name),
                    )
                    .remedy(format!("export {} where the program is started", entry.name)),
                );
            }
        }
        for line in dotenv.malformed {
            findings.push(Finding::new(
                Code::DotenvMalformed,
                format!("{name}:{line}"),
                "is no NAME=value and was passed over",
            ));
        }
        self.add(LayerKind::Dotenv, path, values);
        findings
    }

    /// Adds the config's `env` block.
    pub fn add_config(&mut self, path: FilePath, block: &EnvBlock, place: impl Fn(Origin) -> String) {
        let values = block.variables.iter().map(|entry| {
            let place = Some(place(entry.origin)).filter(|place| !place.is_empty());
            (entry.name.clone(), Value { secret: entry.value.clone(), place })
        });
        self.add(LayerKind::Config, path, values.collect());
    }

    /// What `${NAME}` in the config means: the process and the `.env` files, blank values included.
    pub fn for_config(&self, name: &str) -> Option<String> {
        let candidates = self.candidates(name);
        let is_early =
            |candidate: &&Candidate<'_>| candidate.layer.kind.precedence() == Precedence::Shadowing;
        let early: Vec<_> = candidates.iter().filter(is_early).collect();
        let winner = provenance::winner(early.iter().map(|candidate| candidate.rank())).unwrap_or(0);
        early.get(winner).map(|candidate| candidate.secret.expose().to_owned())
    }

    /// The value of a variable that is not blank, and the layer it comes from.
    pub fn get(&self, name: &str) -> Option<(&Layer, &Secret)> {
        let mut candidates = self.candidates(name);
        let winner = provenance::winner(candidates.iter().map(Candidate::rank))?;
        let candidate = candidates.swap_remove(winner);
        Some((candidate.layer, candidate.secret))
    }

    /// Every value that a layer has for a variable, in the order of precedence.
    pub fn candidates(&self, name: &str) -> Vec<Candidate<'_>> {
        let mut found: Vec<_> = self.layers.iter().filter_map(|layer| layer.candidate(name)).collect();
        // The reference copies Z_AI_API_KEY over a blank ZAI_API_KEY once the .env files are read.
        if name == "ZAI_API_KEY" {
            let is_early = |candidate: &Candidate<'_>| candidate.precedence == Precedence::Shadowing;
            let behind = found.iter().take_while(|candidate| is_early(candidate)).count();
            let shadows = |layer: &&Layer| layer.kind.precedence() == Precedence::Shadowing;
            let other = "Z_AI_API_KEY";
            let stand_in = self.layers.iter().filter(shadows).find_map(|layer| layer.candidate(other));
            let stand_in = stand_in.map(|candidate| Candidate {
                variable: Some(other),
                precedence: Precedence::Filling,
                ..candidate
            });
            found.splice(behind..behind, stand_in);
        }
        found
    }

    /// Every variable that a layer has.
    pub fn names(&self) -> BTreeSet<&str> {
        self.layers.iter().flat_map(|layer| layer.values.keys().map(String::as_str)).collect()
    }

    /// Keys beside the one of each provider: several in one variable, or in numbered ones. Gives the provider, what to
    /// call the key, and the key.
    pub fn more_keys(&self) -> Vec<(&'static str, String, Secret)> {
        let mut keys = Vec::new();
        for name in self.names() {
            let Some((known, (_, value))) = provider::of_more_keys(name).zip(self.get(name)) else {
                continue;
            };
            let parts =
                value.expose().split([',', ';', ' ', '\n']).map(str::trim).filter(|key| !key.is_empty());
            for (place, key) in parts.enumerate() {
                keys.push((known.id, format!("env: {name} #{}", place + 1), Secret::new(key)));
            }
        }
        keys
    }

    /// Runs the login shell when it is switched on and no expected key is set.
    pub fn import_shell(
        &mut self,
        process: &Process,
        block: &EnvBlock,
        deadline: Deadline,
    ) -> (ShellEnv, Option<Finding>) {
        let mut state = ShellEnv {
            enabled: block.shell_enabled || process.flag(&process::LOAD_SHELL_ENV),
            applied: Vec::new(),
        };
        let is_needed = !SHELL_ENV_VARIABLES.iter().any(|name| self.get(name).is_some());
        if !state.enabled || process.flag(&process::DEFER_SHELL_ENV) || !is_needed {
            return (state, None);
        }
        let shell = process.var(&process::SHELL).unwrap_or_else(|| "/bin/sh".to_owned());
        if let Some(home) = process.home().filter(|home| geteuid().is_root() && is_of_other(home)) {
            let reason = format!("is not started by root: {} belongs to another user", home.display());
            let finding = Finding::new(Code::ShellEnvFailed, shell, reason)
                .remedy("run it as that user; env.shellEnv.enabled switches the shell off");
            return (state, Some(finding));
        }
        let from_env = || process.var(&process::SHELL_ENV_TIMEOUT).and_then(|text| text.parse().ok());
        let limit = block.shell_timeout_ms.or_else(from_env).unwrap_or(SHELL_TIME_LIMIT_MS);
        let deadline = Deadline::after(Duration::from_millis(limit).min(deadline.remaining()));
        match shell_env::import(OsStr::new(&shell), &self.flattened(process), deadline) {
            Ok(printed) => {
                let values: BTreeMap<_, _> = printed
                    .into_iter()
                    .filter(|(name, value)| {
                        SHELL_ENV_VARIABLES.contains(&name.as_str()) && !value.trim().is_empty()
                    })
                    .map(|(name, value)| (name, Value::new(value, None)))
                    .collect();
                let applied = SHELL_ENV_VARIABLES.iter().filter(|name| values.contains_key(**name));
                state.applied = applied.map(|name| (*name).to_owned()).collect();
                let (kind, name) = (LayerKind::Shell, format!("login shell {shell}"));
                self.layers.push(Layer { kind, name, path: None, values });
                (state, None)
            }
            Err(reason) => {
                let finding = Finding::new(Code::ShellEnvFailed, shell, reason).remedy(
                    "`$SHELL -l -c 'env -0'` shows what it does; env.shellEnv.enabled switches it off",
                );
                (state, Some(finding))
            }
        }
    }

    /// The environment that a child would see: every layer, the highest winning.
    fn flattened(&self, process: &Process) -> BTreeMap<OsString, OsString> {
        let mut flat = process.variables().clone();
        for name in self.names() {
            if let Some((_, value)) = self.get(name) {
                flat.insert(name.into(), value.expose().into());
            }
        }
        flat
    }

    /// The credential of every provider that the layers hold. `adc_exists` tells whether Google's default
    /// credentials file is there.
    pub fn credentials(&self, adc_exists: bool) -> Vec<EnvCredential> {
        PROVIDERS.iter().filter_map(|provider| self.credential(provider, adc_exists)).collect()
    }

    /// Whether project and location of Google Vertex are set, so that its credentials file matters.
    pub fn wants_adc(&self) -> bool {
        self.vertex_project().is_some()
    }

    fn vertex_project(&self) -> Option<&Layer> {
        let project = self.get("GOOGLE_CLOUD_PROJECT").or_else(|| self.get("GCLOUD_PROJECT"));
        project.filter(|_| self.get("GOOGLE_CLOUD_LOCATION").is_some()).map(|(layer, _)| layer)
    }

    fn credential(&self, provider: &provider::Provider, adc_exists: bool) -> Option<EnvCredential> {
        if provider.id == provider::GOOGLE_VERTEX {
            let layer = self.vertex_project().filter(|_| adc_exists)?;
            return Some(EnvCredential {
                provider: provider.id,
                secret: None,
                source: "gcloud adc".to_owned(),
                layer: layer.name.clone(),
            });
        }
        let is_whole =
            |name: &str| name != "AWS_ACCESS_KEY_ID" || self.get("AWS_SECRET_ACCESS_KEY").is_some();
        let (name, (layer, value)) = provider
            .env
            .iter()
            .filter(|name| is_whole(name))
            .find_map(|name| Some((*name, self.get(name)?)))?;
        let held_by_sdk = ["AWS_ACCESS_KEY_ID", "AWS_PROFILE"].contains(&name);
        let prefix = if layer.kind == LayerKind::Shell { "shell env" } else { "env" };
        Some(EnvCredential {
            provider: provider.id,
            secret: (!held_by_sdk).then(|| value.clone()),
            source: format!("{prefix}: {name}"),
            layer: layer.name.clone(),
        })
    }
}

impl Value {
    fn new(plain: impl Into<String>, place: Option<String>) -> Self {
        Self { secret: Secret::new(plain), place }
    }
}

impl Candidate<'_> {
    fn rank(&self) -> (Precedence, bool) {
        (self.precedence, self.secret.is_blank())
    }
}

/// Whether a home folder is that of somebody else than root.
fn is_of_other(home: &Path) -> bool {
    fs_err::metadata(home).is_ok_and(|metadata| metadata.uid() != 0)
}

fn is_steering(name: &str) -> bool {
    let upper = name.to_uppercase();
    STEERING.contains(&name)
        || ["OPENCLAW_", "CLAWDBOT_", "SSL_"].iter().any(|prefix| name.starts_with(prefix))
        || upper.ends_with("_PROXY")
}
