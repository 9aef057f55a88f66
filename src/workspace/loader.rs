//! One pass over the places where credentials can be.

use std::path::Path;

use crate::clock::Clock;
use crate::core::finding::{Code, Finding};
use crate::core::provider;
use crate::core::secret::Secret;
use crate::core::snapshot::{ProviderKey, Source, SourceProblem, SourceState};
use crate::exit::CommandError;
use crate::format::config;
use crate::format::config_sections::Config;
use crate::format::legacy::{self, LegacyEntries};
use crate::format::ops::{self, Ops};
use crate::format::ops_state::OpsState;
use crate::format::{ParseFailure, models_json, utf8};
use crate::process::{self, Process};
use crate::sys::files;
use crate::sys::reader::Reader;
use crate::workspace::config_file::ConfigFile;
use crate::workspace::environment::Environment;
use crate::workspace::memory::Memory;
use crate::workspace::paths::Paths;
use crate::workspace::store::{CredentialStore, LEGACY_FILE, MODELS_FILE, StoreState};
use crate::workspace::{Legacy, source};

/// The state of one load.
pub(super) struct Loader<'a> {
    pub(super) process: &'a Process,
    pub(super) clock: &'a Clock,
    pub(super) reader: &'a Reader,
    pub(super) paths: &'a Paths,
    /// Whether an invalid config is a finding, and defaults count, instead of an error.
    pub(super) is_tolerant: bool,
    pub(super) sources: Vec<Source>,
    pub(super) findings: Vec<Finding>,
}

impl Loader<'_> {
    pub(super) fn ops(&mut self) -> Result<Ops, CommandError> {
        let mut file = ConfigFile::new(self.reader, self.paths, &self.paths.ops);
        let read = file.load().and_then(|tree| match tree {
            None => Ok(Ops::default()),
            Some(tree) => ops::read(&tree).map_err(|problems| file.invalid(&problems)),
        });
        self.tolerated(Code::OpsInvalid, &self.paths.ops, read)
    }

    /// What is in a config, or defaults and a finding where that is wanted.
    fn tolerated<T: Default>(
        &mut self,
        code: Code,
        path: &Path,
        read: Result<T, CommandError>,
    ) -> Result<T, CommandError> {
        let error = match read {
            Err(error) if self.is_tolerant => error,
            read => return read,
        };
        let shown = self.paths.shown(path).short;
        let mut lines = error.message().lines().map(str::trim);
        // The first line names the file, and the problems follow; or it is all there is.
        let first = lines.next().unwrap_or_default();
        let problems: Vec<_> = lines.collect();
        let message = if problems.is_empty() { first.to_owned() } else { problems.join("; ") };
        let remedy = format!("mend {shown} with an editor; it is left as it is");
        self.findings.push(Finding::new(code, shown, message).remedy(remedy));
        Ok(T::default())
    }

    pub(super) fn config_and_environment(&mut self) -> Result<(Config, Environment), CommandError> {
        let mut environment = Environment::of_process(self.process);
        let mut file = ConfigFile::new(self.reader, self.paths, &self.paths.config);
        let tree = file.load();
        let tree = self.tolerated(Code::ConfigInvalid, &self.paths.config, tree)?;
        let used = tree.as_ref().map(config::variables).unwrap_or_default();
        self.add_credentials_directory(&mut environment, &used);
        self.add_dotenvs(&mut environment, &used);
        if self.paths.state_dir_is_legacy {
            let folder = self.paths.shown(&self.paths.state_dir).short;
            self.findings.push(Finding::new(
                Code::LegacyStateDir,
                folder,
                "is used as the state folder, under its earlier name",
            ));
        }
        let Some(tree) = tree else { return Ok((Config::default(), environment)) };
        let config = file.typed(tree, &environment);
        let config = self.tolerated(Code::ConfigInvalid, &self.paths.config, config)?;
        self.note_config(&config, &file);
        let shown = self.paths.shown(&self.paths.config);
        environment.add_config(shown, &config.env, |origin| file.place(origin));
        Ok((config, environment))
    }

    fn note_config(&mut self, config: &Config, file: &ConfigFile<'_>) {
        for key in &config.unknown_keys {
            let place = file.place(key.origin);
            self.findings.push(Finding::new(
                Code::ConfigUnknownKey,
                place,
                format!("{}: {}", key.path, key.message),
            ));
        }
        if config.claude_mode_migrated {
            self.findings.push(Finding::new(
                Code::ModeMigrated,
                "auth.profiles.anthropic:claude-cli.mode",
                "is \"token\" in the file and counts as \"oauth\"; it is mended when the config is next written",
            ));
        }
    }

    /// The working directory is not trusted: a `.env` there that cannot be read is worth a word, not a verdict.
    fn add_dotenvs(&mut self, environment: &mut Environment, used: &[String]) {
        let state_dotenv = self.paths.state_dotenv();
        let lossy = |bytes: &[u8]| Ok(String::from_utf8_lossy(bytes).into_owned());
        let cwd_dotenv = self.paths.cwd_dotenv().filter(|path| *path != state_dotenv);
        for path in cwd_dotenv.iter().chain([&state_dotenv]) {
            let shown = self.paths.shown(path);
            let name = shown.short.clone();
            let text = self.source("dotenv file", None, path, lossy);
            if let Some(text) = text {
                self.findings.extend(environment.add_dotenv(shown, &text, used));
            } else if *path != state_dotenv
                && let Some(Source { state: SourceState::Unreadable(problem), .. }) = self.sources.last()
            {
                let message = format!("was passed over: {}", problem.message);
                self.findings.push(Finding::new(Code::DotenvIgnored, name, message));
                self.sources.pop();
            }
        }
    }

    fn add_credentials_directory(&mut self, environment: &mut Environment, used: &[String]) {
        let Some(folder) = self.process.path_var(&process::CREDENTIALS_DIRECTORY) else { return };
        let folder = self.paths.expand(folder);
        let listed = folder.clone();
        let names = self.reader.call(move || {
            let entries = fs_err::read_dir(listed).map_err(|error| files::reason(&error))?;
            Ok(entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
        });
        let mut names: Vec<String> =
            match names.unwrap_or_else(|| Err("could not be listed in time".to_owned())) {
                Ok(names) => names,
                Err(message) => {
                    let state = SourceState::Unreadable(SourceProblem { message, position: None });
                    let path = self.paths.shown(&folder);
                    self.sources.push(Source { role: "systemd credentials", provider: None, path, state });
                    return;
                }
            };
        names.retain(|name| provider::is_credential_variable(name) || used.contains(name));
        names.sort_unstable();
        let files = names
            .into_iter()
            .filter_map(|name| {
                let path = folder.join(&name);
                let text =
                    self.source("systemd credential", None, &path, |bytes| utf8(bytes).map(str::to_owned))?;
                Some((name, Secret::new(text.trim_end_matches(['\n', '\r']))))
            })
            .collect();
        environment.add_credential_files(&self.paths.shown(&folder), files);
    }

    pub(super) fn store(&mut self, role: &'static str, store: &CredentialStore) -> StoreState {
        let state = store.read(self.reader, self.clock);
        let seen = match &state {
            StoreState::Absent => SourceState::Absent,
            StoreState::Read(_) => SourceState::Read,
            StoreState::Unreadable(problem) => SourceState::Unreadable(problem.clone()),
        };
        self.sources.push(Source { role, provider: None, path: self.paths.shown(store.path()), state: seen });
        state
    }

    /// Files of earlier releases count only where no store is, for an agent that inherits nothing.
    pub(super) fn legacy(&mut self, agent_dir: &Path, own: &StoreState, main: Option<&StoreState>) -> Legacy {
        let has_store = match own {
            StoreState::Absent => false,
            StoreState::Read(store) => store.has_profiles_member(),
            StoreState::Unreadable(_) => true,
        };
        let inherits = match main {
            None | Some(StoreState::Absent) => false,
            Some(StoreState::Read(store)) => !store.profiles.is_empty(),
            Some(StoreState::Unreadable(_)) => true,
        };
        if has_store || inherits {
            return Legacy::default();
        }
        let auth_json = agent_dir.join(LEGACY_FILE);
        let auth =
            self.source("legacy auth store", None, &auth_json, legacy::parse_auth_json).unwrap_or_default();
        let oauth_json = self.paths.oauth_json.clone();
        let oauth = self.source("legacy login file", None, &oauth_json, legacy::parse_oauth_json);
        let LegacyEntries { mut entries, complete } = auth;
        let auth_json_is_spent = complete && !entries.is_empty();
        entries.extend(oauth.map(|oauth| oauth.entries).unwrap_or_default());
        Legacy { entries, auth_json_is_spent }
    }

    /// Our own memory holds no credential: that it cannot be read is worth a word, not a verdict.
    pub(super) fn memory(&mut self) -> OpsState {
        let memory = Memory::of(self.paths);
        memory.read(self.reader, self.clock).unwrap_or_else(|problem| {
            let shown = self.paths.shown(memory.path()).short;
            let finding = Finding::new(Code::StateUnreadable, shown.clone(), problem.message);
            self.findings.push(finding.remedy(format!("remove {shown}: only past refreshes are in it")));
            OpsState::default()
        })
    }

    pub(super) fn provider_keys(
        &mut self,
        agent_dir: &Path,
        config: &Config,
        environment: &Environment,
    ) -> Vec<ProviderKey> {
        let source = format!("config: {}", self.paths.shown(&self.paths.config).short);
        // The Node program takes the name of a variable for its value, here and in the registry that it generates.
        let resolved = |key: &Secret| {
            if key.expose() == provider::QWEN_MARKER {
                None
            } else if provider::is_credential_variable(key.expose()) {
                environment.get(key.expose()).map(|(_, value)| value.clone())
            } else {
                Some(key.clone())
            }
        };
        let configured = config.providers.iter().filter_map(|(id, entry)| {
            let secret = resolved(entry.key.as_ref()?)?;
            Some(ProviderKey { provider: id.clone(), secret, source: source.clone() })
        });
        let mut keys: Vec<_> = configured.collect();
        let path = agent_dir.join(MODELS_FILE);
        let generated = self.source("generated model registry", None, &path, models_json::parse);
        let source = format!("models.json: {}", self.paths.shown(&path).short);
        for (provider, key) in generated.unwrap_or_default() {
            let secret = resolved(&key);
            if let Some(secret) = secret.filter(|_| keys.iter().all(|known| known.provider != provider)) {
                keys.push(ProviderKey { provider, secret, source: source.clone() });
            }
        }
        keys
    }

    /// Google's default credentials: the file that a variable names, else the one in the home folder.
    pub(super) fn adc_exists(&mut self, environment: &Environment) -> bool {
        if !environment.wants_adc() {
            return false;
        }
        let named = environment.get("GOOGLE_APPLICATION_CREDENTIALS");
        let named = named.map(|(_, path)| self.paths.expand(path.expose()));
        let path =
            named.or_else(|| self.paths.in_home(".config/gcloud/application_default_credentials.json"));
        let role = "Google default credentials";
        path.is_some_and(|path| self.source(role, Some(provider::GOOGLE_VERTEX), &path, |_| Ok(())).is_some())
    }

    fn source<T>(
        &mut self,
        role: &'static str,
        provider: Option<&'static str>,
        path: &Path,
        parse: impl Fn(&[u8]) -> Result<T, ParseFailure>,
    ) -> Option<T> {
        let read = source::read(self.reader, self.clock, path, |content| parse(&content.bytes));
        let (value, state) = match read {
            Ok(None) => (None, SourceState::Absent),
            Ok(Some(value)) => (Some(value), SourceState::Read),
            Err(problem) => (None, SourceState::Unreadable(problem)),
        };
        self.sources.push(Source { role, provider, path: self.paths.shown(path), state });
        value
    }
}
