//! The environment as layers. Nothing here changes the environment of the process: a layer is a value.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::time::Duration;

use crate::clock::Deadline;
use crate::core::finding::{Code, Finding};
use crate::core::provider::{self, PROVIDERS, SHELL_ENV_VARIABLES};
use crate::core::secret::Secret;
use crate::core::snapshot::{EnvCredential, ShellEnv};
use crate::format::config_sections::EnvBlock;
use crate::process::{self, Process};
use crate::sys::shell_env;

/// How long the login shell may take when nothing says otherwise (reference default).
const SHELL_TIME_LIMIT_MS: u64 = 15_000;
/// Names in a `.env` file that would steer programs, and that we never take from one.
const STEERING: &[&str] = &["HOME", "PATH", "SHELL", "CODEX_HOME", "NODE_OPTIONS", "NODE_EXTRA_CA_CERTS"];

/// Variables from one place.
pub struct Layer {
    /// The place, for people: `process`, `~/.openclaw/.env`.
    pub name: String,
    kind: Kind,
    values: BTreeMap<String, Secret>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The first that has the name counts, even with an empty value.
    Shadowing,
    /// Fills what is unset or blank.
    Filling,
    /// Like `Filling`, from the login shell.
    Shell,
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
            .filter_map(|(name, value)| Some((name.to_str()?.to_owned(), Secret::new(value.to_str()?))))
            .collect();
        Self { layers: vec![Layer { name: "process".to_owned(), kind: Kind::Shadowing, values }] }
    }

    /// Adds files of a credentials directory: file name and content.
    pub fn add_credential_files(&mut self, name: String, files: Vec<(String, Secret)>) {
        self.layers.push(Layer { name, kind: Kind::Shadowing, values: files.into_iter().collect() });
    }

    /// Adds a `.env` file. Only credentials and names that the config uses count; what else would steer programs is
    /// a finding.
    pub fn add_dotenv(&mut self, name: String, text: &str, used: &[String]) -> Vec<Finding> {
        let dotenv = crate::format::dotenv::parse(text);
        let mut findings = Vec::new();
        let mut values = BTreeMap::new();
        for entry in dotenv.assignments {
            if provider::is_credential_variable(&entry.name) || used.contains(&entry.name) {
                values.insert(entry.name, Secret::new(entry.value));
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
        self.layers.push(Layer { name, kind: Kind::Shadowing, values });
        findings
    }

    /// Adds the config's `env` block.
    pub fn add_config(&mut self, name: String, block: &EnvBlock) {
        let values = block.variables.iter().cloned().collect();
        self.layers.push(Layer { name, kind: Kind::Filling, values });
    }

    /// What `${NAME}` in the config means: the process and the `.env` files, blank values included.
    pub fn for_config(&self, name: &str) -> Option<String> {
        self.shadowing(name).map(|(_, value)| value.expose().to_owned())
    }

    /// The value of a variable that is not blank, and the layer it comes from.
    pub fn get(&self, name: &str) -> Option<(&Layer, &Secret)> {
        let shadowing = self.shadowing(name).filter(|(_, value)| !value.is_blank());
        shadowing.or_else(|| {
            let mut rest = self.layers.iter().filter(|layer| layer.kind != Kind::Shadowing);
            rest.find_map(|layer| {
                layer.values.get(name).filter(|value| !value.is_blank()).map(|value| (layer, value))
            })
        })
    }

    /// Keys beside the one of each provider: several in one variable, or in numbered ones. Gives the provider, what to
    /// call the key, and the key.
    pub fn more_keys(&self) -> Vec<(&'static str, String, Secret)> {
        let names: BTreeSet<&String> = self.layers.iter().flat_map(|layer| layer.values.keys()).collect();
        let mut keys = Vec::new();
        for name in names {
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

    fn shadowing(&self, name: &str) -> Option<(&Layer, &Secret)> {
        let find = |name: &str| {
            self.layers
                .iter()
                .filter(|layer| layer.kind == Kind::Shadowing)
                .find_map(|layer| layer.values.get(name).map(|value| (layer, value)))
        };
        let found = find(name);
        // The reference copies Z_AI_API_KEY over a blank ZAI_API_KEY once the .env files are read.
        if name == "ZAI_API_KEY" && found.is_none_or(|(_, value)| value.is_blank()) {
            return find("Z_AI_API_KEY").filter(|(_, value)| !value.is_blank()).or(found);
        }
        found
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
        let from_env = || process.var(&process::SHELL_ENV_TIMEOUT).and_then(|text| text.parse().ok());
        let limit = block.shell_timeout_ms.or_else(from_env).unwrap_or(SHELL_TIME_LIMIT_MS);
        let deadline = Deadline::after(Duration::from_millis(limit).min(deadline.remaining()));
        let shell = process.var(&process::SHELL).unwrap_or_else(|| "/bin/sh".to_owned());
        match shell_env::import(OsStr::new(&shell), &self.flattened(process), deadline) {
            Ok(printed) => {
                let values: BTreeMap<_, _> = printed
                    .into_iter()
                    .filter(|(name, value)| {
                        SHELL_ENV_VARIABLES.contains(&name.as_str()) && !value.trim().is_empty()
                    })
                    .map(|(name, value)| (name, Secret::new(value)))
                    .collect();
                let applied = SHELL_ENV_VARIABLES.iter().filter(|name| values.contains_key(**name));
                state.applied = applied.map(|name| (*name).to_owned()).collect();
                self.layers.push(Layer { name: format!("login shell {shell}"), kind: Kind::Shell, values });
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
        for name in self.layers.iter().flat_map(|layer| layer.values.keys()) {
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
        let prefix = if layer.kind == Kind::Shell { "shell env" } else { "env" };
        Some(EnvCredential {
            provider: provider.id,
            secret: (!held_by_sdk).then(|| value.clone()),
            source: format!("{prefix}: {name}"),
            layer: layer.name.clone(),
        })
    }
}

fn is_steering(name: &str) -> bool {
    let upper = name.to_uppercase();
    STEERING.contains(&name)
        || ["OPENCLAW_", "CLAWDBOT_", "SSL_"].iter().any(|prefix| name.starts_with(prefix))
        || upper.ends_with("_PROXY")
}
