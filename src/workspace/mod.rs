//! Everything that a host really has, loaded once into one value.
//!
//! Loading reads and never writes. Stores are read and written through [`store::CredentialStore`] alone.

pub mod agents;
pub mod config_file;
pub mod config_store;
pub mod environment;
pub mod gateway;
pub mod journal;
mod loader;
pub mod logins;
pub mod memory;
pub mod monitor_state;
mod own_file;
pub mod paths;
pub mod recovery;
pub mod seen;
pub mod sessions;
pub mod source;
pub mod store;
pub mod unit;
mod upstream;
pub mod vendor_file;
mod view;

use std::borrow::Cow;
use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use crate::clock::{Clock, Deadline};
use crate::core::credential::Credential;
use crate::core::finding::{Code, Finding};
use crate::core::json_tree::JsonObject;
use crate::core::login::VendorLogin;
use crate::core::oauth::Parked;
use crate::core::order::Rules;
use crate::core::provider;
use crate::core::refresh::RefreshRecord;
use crate::core::secret::Secret;
use crate::core::snapshot::{LoginFacts, ModelSettings, ProviderKey, ShellEnv, Snapshot, Source};
use crate::core::store::AuthStore;
use crate::core::usage::UsageRecord;
use crate::exit::CommandError;
use crate::format::config_sections::Config;
use crate::format::ops::Ops;
use crate::format::ops_state::OpsState;
use crate::process::{self, Process};
use crate::sys::reader::Reader;
use agents::AgentContext;
use environment::Environment;
use loader::Loader;
use logins::Login;
use paths::{Installation, Paths};
use recovery::Recovery;
use seen::Seen;
use store::{CredentialStore, StoreState};
use view::View;

/// How long the agents' folders may take to list.
const LISTING_LIMIT: Duration = Duration::from_secs(5);

/// What to load.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Which set-up.
    pub installation: Installation,
    /// `--agent`.
    pub agent: Option<String>,
    /// Whether an invalid config is a finding, and defaults count, instead of an error.
    pub is_tolerant: bool,
}

/// One load of a host.
pub struct Workspace {
    /// What was asked for.
    pub request: Request,
    /// Where everything is.
    pub paths: Paths,
    /// The typed config; defaults when there is none.
    pub config: Config,
    /// Our own settings.
    pub ops: Ops,
    /// The environment layers.
    pub environment: Environment,
    /// The agent in question.
    pub agent: AgentContext,
    /// Its store.
    pub store: CredentialStore,
    /// What is in it.
    pub own: StoreState,
    /// What is in the main agent's store, when this agent inherits from it.
    pub main: Option<StoreState>,
    /// Credentials of files of earlier releases that a missing store is filled from.
    pub legacy: Legacy,
    /// Logins of vendor programs.
    pub logins: Vec<Login>,
    /// What is remembered of earlier runs.
    pub memory: OpsState,
    /// Tokens of an interrupted refresh.
    pub parked: Vec<Parked>,
    /// The files that all of this is from.
    pub seen: Seen,
    shell_env: ShellEnv,
    provider_keys: Vec<ProviderKey>,
    sources: Vec<Source>,
    findings: Vec<Finding>,
    adc_exists: bool,
}

/// Files of earlier releases.
#[derive(Default)]
pub struct Legacy {
    /// Entries to import, `auth.json` before `oauth.json`.
    pub entries: Vec<(String, JsonObject)>,
    /// Whether `auth.json` holds nothing that the import leaves behind, so that it may go once the store is written.
    pub auth_json_is_spent: bool,
}

impl Legacy {
    /// Whether a store is to be filled from them.
    pub fn fills(&self, store: &AuthStore) -> bool {
        !self.entries.is_empty() && !store.has_profiles_member()
    }
}

impl Workspace {
    /// Loads everything. Errors only where no report can be made: no home, an invalid config, an unknown agent.
    pub fn load(
        process: &Process,
        clock: &Clock,
        request: &Request,
        deadline: Deadline,
    ) -> Result<Self, CommandError> {
        let started = clock.now().timestamp_millis();
        let reader = Reader::new(deadline);
        let paths = Paths::resolve(process, &reader, &request.installation)?;
        let expected_dir =
            paths.agent_dir_override.clone().unwrap_or_else(|| paths.default_agent_dir(agents::MAIN));
        let expected = [expected_dir.join(store::STORE_FILE), expected_dir.join(store::MODELS_FILE)];
        let settings = [paths.ops.clone(), paths.config.clone()];
        let dotenvs = paths.cwd_dotenv().into_iter().chain([paths.state_dotenv()]);
        reader.prefetch(
            settings.into_iter().chain(dotenvs).chain(expected).chain(logins::files(process, &paths)),
        );
        let mut folders = vec![paths.state_dir.clone(), paths.state_dir.join("agents")];
        folders.extend(paths.state_dir.parent().map(Path::to_owned));
        folders.push(Recovery::of(&paths).folder().to_owned());
        folders.extend(process.path_var(&process::CREDENTIALS_DIRECTORY).map(|dir| paths.expand(dir)));
        reader.look_at(folders);
        let mut loader = Loader {
            process,
            clock,
            reader: &reader,
            paths: &paths,
            is_tolerant: request.is_tolerant,
            sources: vec![],
            findings: vec![],
        };
        let ops = loader.ops()?;
        let (config, environment) = loader.config_and_environment()?;
        let agent = agents::select(request.agent.as_deref(), &config, &paths, &reader)?;
        let store = CredentialStore::in_dir(&agent.dir);
        let own = loader.store("auth store", &store);
        let main = agent
            .inherits_from
            .as_ref()
            .map(|dir| loader.store("auth store of the main agent", &CredentialStore::in_dir(dir)));
        let legacy = loader.legacy(&agent.dir, &own, main.as_ref());
        let (logins, findings) = logins::read(process, &paths, &reader, clock);
        loader.sources.extend(logins.iter().map(|login| login.source.clone()));
        loader.findings.extend(findings);
        let memory = loader.memory();
        let recovery = Recovery::of(&paths);
        let parked = reader.call(move || recovery.parked()).unwrap_or_default();
        let provider_keys = loader.provider_keys(&agent.dir, &config, &environment);
        let adc_exists = loader.adc_exists(&environment);
        // The login shell comes last: however slow it is, every file has been read by then.
        let mut environment = environment;
        let (shell_env, finding) = environment.import_shell(process, &config.env, deadline);
        loader.findings.extend(finding);
        let Loader { sources, findings, .. } = loader;
        let seen = Seen::of(&reader, started, process.keychain_program().is_none());
        Ok(Self {
            request: request.clone(),
            paths: paths.clone(),
            config,
            ops,
            environment,
            agent,
            store,
            own,
            main,
            legacy,
            logins,
            memory,
            parked,
            seen,
            shell_env,
            provider_keys,
            sources,
            findings,
            adc_exists,
        })
    }

    /// Every place that was looked at.
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// The agent's own store as understood; empty when it is absent or unreadable.
    pub fn own_store(&self) -> Cow<'_, AuthStore> {
        match &self.own {
            StoreState::Read(store) => Cow::Borrowed(store),
            StoreState::Absent | StoreState::Unreadable(_) => Cow::Owned(AuthStore::default()),
        }
    }

    /// The main agent's store as understood, when this agent inherits from it.
    pub fn main_store(&self) -> Option<&AuthStore> {
        match &self.main {
            Some(StoreState::Read(store)) => Some(store),
            _ => None,
        }
    }

    /// Whether loading has noticed this.
    pub fn has_finding(&self, code: Code) -> bool {
        self.findings.iter().any(|finding| finding.code == code)
    }

    /// Refuses when a store that the agent sees could not be read.
    pub fn readable_stores(&self) -> Result<(), CommandError> {
        for (state, dir) in [
            (Some(&self.own), Some(&self.agent.dir)),
            (self.main.as_ref(), self.agent.inherits_from.as_ref()),
        ] {
            if let (Some(StoreState::Unreadable(problem)), Some(dir)) = (state, dir) {
                let path = self.paths.shown(CredentialStore::in_dir(dir).path()).short;
                let place =
                    problem.position.map_or_else(String::new, |(line, column)| format!(":{line}:{column}"));
                return Err(CommandError::refused(format!(
                    "{path}{place} is unreadable: {}",
                    problem.message
                ))
                .hint("mend or restore the file; it was left as it is"));
            }
        }
        Ok(())
    }

    /// Takes stores as a sync has made them in the place of those that were loaded.
    pub fn adopt(&mut self, own: AuthStore, main: Option<AuthStore>) {
        self.own = StoreState::Read(own);
        if let Some(main) = main {
            self.main = Some(StoreState::Read(main));
        }
    }

    /// The values that a judgement needs, seen through the agent's own store and the one that it inherits from.
    pub fn snapshot(&self, own: &AuthStore, main: Option<&AuthStore>) -> Snapshot {
        let own_path = self.paths.shown(self.store.path());
        let mut view = View::new(self);
        if let (Some(main), Some(dir)) = (main, &self.agent.inherits_from) {
            let path = self.paths.shown(CredentialStore::in_dir(dir).path());
            let own_ids: HashSet<&str> = own.ids().collect();
            view.add(main, path, true, &|id| !own_ids.contains(id));
        }
        view.add(own, own_path.clone(), false, &|_| true);
        let mut findings = self.findings.clone();
        findings.append(&mut view.findings);
        findings.extend(self.parked.iter().map(|parked| self.parked_finding(parked)));
        let agent =
            self.request.agent.as_ref().map_or_else(String::new, |_| format!(" --agent {}", self.agent.id));
        let program = self.request.installation.program();
        Snapshot {
            main_program: format!("{program} --agent {}", agents::MAIN),
            program: program + &agent,
            agent_id: self.agent.id.clone(),
            agent_dir: self.paths.shown(&self.agent.dir),
            store_path: own_path,
            config_path: self.paths.shown(&self.paths.config),
            dotenv_path: self.paths.shown(&self.paths.state_dotenv()),
            models: self.models(),
            profiles: view.profiles,
            rejected: view.rejected,
            usage: view.usage,
            env_credentials: self.environment.credentials(self.adc_exists),
            provider_keys: self.provider_keys.clone(),
            configured_providers: self.config.providers.iter().map(|(id, _)| id.clone()).collect(),
            cli_backends: self.cli_backends(),
            own_clients: self.own_clients(),
            shell_env: self.shell_env.clone(),
            sources: self.sources.clone(),
            findings,
        }
    }

    fn parked_finding(&self, parked: &Parked) -> Finding {
        let file = self.paths.shown(&Recovery::of(&self.paths).path(&parked.spent)).short;
        let provider = &parked.provider;
        let message = format!("a refresh of {provider} was interrupted; its new tokens are safe here");
        Finding::new(Code::RefreshNotSaved, file, message)
            .remedy("`openclaw models auth refresh` brings them to where they belong")
    }

    /// Providers with an OAuth client of the user's own.
    fn own_clients(&self) -> Vec<String> {
        let with_client = self.ops.providers.iter().filter(|(_, ops)| ops.client_id.is_some());
        with_client.map(|(id, _)| id.clone()).collect()
    }

    /// What is remembered of the refreshes of a login.
    pub fn refresh_record(&self, credential: &Credential) -> RefreshRecord {
        match (&self.memory.salt, credential.material.refresh_token()) {
            (Some(salt), Some(token)) => self.memory.refresh(&token.fingerprint(salt)),
            _ => RefreshRecord::default(),
        }
    }

    /// What is remembered of a login's usage.
    pub fn usage_record(&self, named_by: &Secret) -> UsageRecord {
        let salt = self.memory.salt.as_ref();
        salt.map(|salt| self.memory.usage(&named_by.fingerprint(salt))).unwrap_or_default()
    }

    /// The stores of every agent of this installation, this agent's first.
    pub fn stores(&self) -> Vec<CredentialStore> {
        let reader = Reader::new(Deadline::after(LISTING_LIMIT));
        let mut stores = vec![self.store.clone()];
        let dirs = self.agent.inherits_from.iter().cloned();
        for dir in dirs.chain(agents::folders(&self.config, &self.paths, &reader)) {
            let store = CredentialStore::in_dir(&dir);
            // Two names of one file are one store: locked twice, it would wait for itself.
            if stores.iter().all(|known| !known.is_same(&store)) {
                stores.push(store);
            }
        }
        stores
    }

    /// What was found of the login that a profile mirrors.
    pub fn login(&self, id: &str) -> Option<&Login> {
        self.logins.iter().find(|login| login.vendor.profile_id() == id)
    }

    /// What a vendor's file tells about a profile: it mirrors that login, or shares its refresh token.
    fn login_facts(&self, id: &str, credential: &Credential) -> LoginFacts {
        let refresh = credential.material.refresh_token();
        self.logins
            .iter()
            .find_map(|login| match &login.login {
                VendorLogin::Present { material, facts } => {
                    let same_token = refresh.is_some()
                        && material.refresh_token() == refresh
                        && provider::normalize(&credential.provider) == login.vendor.provider();
                    let mirrors = login.vendor.profile_id() == id
                        && refresh.is_some() == material.refresh_token().is_some();
                    let renewed_by_vendor = material.refresh_token().is_some();
                    (mirrors || same_token).then(|| LoginFacts { renewed_by_vendor, ..facts.clone() })
                }
                VendorLogin::Incomplete(_) => (login.vendor.profile_id() == id)
                    .then(|| LoginFacts { lost: true, ..LoginFacts::default() }),
                VendorLogin::None => None,
            })
            .unwrap_or_default()
    }

    fn cli_backends(&self) -> Vec<&'static str> {
        self.logins
            .iter()
            .filter(|login| login.is_present())
            .filter_map(|login| match login.vendor.provider() {
                "anthropic" => Some(provider::CLAUDE_CLI_BACKEND),
                "openai-codex" => Some(provider::CODEX_CLI_BACKEND),
                _ => None,
            })
            .collect()
    }

    /// What decides which profile of a provider comes first.
    pub fn rules(&self, provider_id: &str) -> Rules {
        let id = provider::normalize(provider_id);
        let stored =
            self.own_store().order(&id).or_else(|| self.main_store().and_then(|main| main.order(&id)));
        let configured = self.config.auth_order.iter().find(|(known, _)| provider::normalize(known) == id);
        let declared = self.config.auth_profiles.iter();
        Rules {
            explicit: stored.or_else(|| configured.map(|(_, ids)| ids.clone())),
            declared: declared
                .map(|(id, profile)| (id.clone(), profile.provider.clone(), profile.mode))
                .collect(),
        }
    }

    /// Where the config sends requests of a provider.
    pub fn base_url(&self, provider_id: &str) -> Option<String> {
        let entries = self.config.providers.iter();
        let mut of_provider = entries.filter(|(id, _)| provider::normalize(id) == provider_id);
        of_provider.find(|(_, entry)| !entry.base_url.is_empty()).map(|(_, entry)| entry.base_url.clone())
    }

    /// The models of the agent in question.
    pub fn models(&self) -> ModelSettings {
        let own = agents::configured(&self.agent.id, &self.config)
            .map(|agent| agent.model.clone())
            .unwrap_or_default();
        let defaults = &self.config.model;
        ModelSettings {
            primary_from_agent: own.primary.is_some(),
            primary: own.primary.or_else(|| defaults.primary.clone()),
            fallbacks_from_agent: own.fallbacks.is_some(),
            fallbacks: own.fallbacks.or_else(|| defaults.fallbacks.clone()).unwrap_or_default(),
            image_primary: self.config.image_model.primary.clone(),
            image_fallbacks: self.config.image_model.fallbacks.clone().unwrap_or_default(),
            allowed: self.config.models.iter().map(|(key, _)| key.clone()).collect(),
            aliases: self.config.aliases(),
        }
    }
}
