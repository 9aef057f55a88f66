//! Everything a judgement needs, as plain values with their origins.

use std::sync::Arc;

use crate::core::credential::{Credential, EpochMs};
use crate::core::finding::Finding;
use crate::core::refresh::RefreshRecord;
use crate::core::secret::Secret;
use crate::core::store::{Rejection, UsageStats};

/// A path in two spellings: absolute, and with `~` for the home folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilePath {
    /// Absolute.
    pub full: String,
    /// For people.
    pub short: String,
}

/// What one load of the workspace saw.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// How to call this program for the same installation and agent: `openclaw --profile work`.
    pub program: String,
    /// The same for the agent that is inherited from.
    pub main_program: String,
    /// The agent in question.
    pub agent_id: String,
    /// Its folder.
    pub agent_dir: FilePath,
    /// Its auth store.
    pub store_path: FilePath,
    /// The config file, whether it exists or not.
    pub config_path: FilePath,
    /// The `.env` file of the state folder, where a key for the daemon belongs.
    pub dotenv_path: FilePath,
    /// The models that are configured.
    pub models: ModelSettings,
    /// Profiles of the agent's view, in file order, the agent's own after inherited ones.
    pub profiles: Vec<ProfileRecord>,
    /// Entries of the store that are no credentials for us.
    pub rejected: Vec<(String, Rejection)>,
    /// Usage statistics by profile id, of profiles that exist and of some that do not.
    pub usage: Vec<(String, UsageStats)>,
    /// Credentials in the environment layers, one per provider.
    pub env_credentials: Vec<EnvCredential>,
    /// Keys in `models.providers` of the config and in `models.json`.
    pub provider_keys: Vec<ProviderKey>,
    /// Provider ids that the config defines.
    pub configured_providers: Vec<String>,
    /// Back ends (`claude-cli`, `codex-cli`) whose vendor login is there.
    pub cli_backends: Vec<&'static str>,
    /// Providers for which the user has an OAuth client of their own.
    pub own_clients: Vec<String>,
    /// The login-shell import.
    pub shell_env: ShellEnv,
    /// Every place that was looked at.
    pub sources: Vec<Source>,
    /// What was noticed on the way.
    pub findings: Vec<Finding>,
}

impl Snapshot {
    /// An auth store that could not be read: what seems to be missing may be in it.
    pub fn unreadable_store(&self) -> Option<&Source> {
        self.sources.iter().find(|source| {
            source.role.starts_with("auth store") && matches!(source.state, SourceState::Unreadable(_))
        })
    }
}

/// The model part of the config, for the agent in question.
#[derive(Clone, Debug, Default)]
pub struct ModelSettings {
    /// The primary model as written.
    pub primary: Option<String>,
    /// Whether `primary` comes from the agent's own entry.
    pub primary_from_agent: bool,
    /// Models to fail over to, as written.
    pub fallbacks: Vec<String>,
    /// Whether `fallbacks` come from the agent's own entry.
    pub fallbacks_from_agent: bool,
    /// The image model as written.
    pub image_primary: Option<String>,
    /// Image models to fail over to, as written.
    pub image_fallbacks: Vec<String>,
    /// Keys of `agents.defaults.models`, as written.
    pub allowed: Vec<String>,
    /// Alias and model key, in config order.
    pub aliases: Vec<(String, String)>,
}

/// One profile and where it comes from.
#[derive(Clone, Debug)]
pub struct ProfileRecord {
    /// The profile id.
    pub id: String,
    /// What it holds.
    pub credential: Credential,
    /// The config's e-mail address for it, else the store's.
    pub email: Option<String>,
    /// The store that holds it.
    pub store: Arc<FilePath>,
    /// Whether it is inherited from the main agent.
    pub inherited: bool,
    /// What the vendor's own file tells about the login.
    pub login: LoginFacts,
    /// What is remembered of its refreshes.
    pub refresh: RefreshRecord,
}

/// What a vendor's file tells beside the tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoginFacts {
    /// When the login itself ends and only a person can renew it.
    pub deadline: Option<EpochMs>,
    /// Whether the vendor's file is there with blank tokens: the login that this one mirrors was lost.
    pub lost: bool,
    /// Whether the vendor's program is logged in here with something that it can renew.
    pub renewed_by_vendor: bool,
    /// The subscription, for example `max`.
    pub subscription: Option<String>,
    /// The rate limit tier.
    pub rate_limit_tier: Option<String>,
    /// The scopes that were granted.
    pub scopes: Vec<String>,
}

/// A credential of the environment.
#[derive(Clone, Debug)]
pub struct EnvCredential {
    /// The catalogue id of the provider.
    pub provider: &'static str,
    /// The secret; `None` when a cloud SDK holds it.
    pub secret: Option<Secret>,
    /// As the reference words it: `env: VAR`, `shell env: VAR` or `gcloud adc`.
    pub source: String,
    /// The layer that won, for people.
    pub layer: String,
}

impl EnvCredential {
    /// Whether the source says that it is an OAuth token.
    pub fn is_oauth(&self) -> bool {
        self.source.contains("OAUTH_TOKEN") || self.source.to_lowercase().contains("oauth")
    }

    /// What a person may see of it.
    pub fn mask(&self) -> String {
        match &self.secret {
            Some(_) if self.is_oauth() => "OAuth (env)".to_owned(),
            Some(secret) => secret.mask(),
            None => "<authenticated>".to_owned(),
        }
    }
}

/// A key in the provider section of a file.
#[derive(Clone, Debug)]
pub struct ProviderKey {
    /// The provider id as written.
    pub provider: String,
    /// The key.
    pub secret: Secret,
    /// As the reports word it: `config: ~/…` or `models.json: ~/…`.
    pub source: String,
}

/// The state of the login-shell import.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShellEnv {
    /// Whether it is switched on.
    pub enabled: bool,
    /// The variables that it gave.
    pub applied: Vec<String>,
}

/// A place that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// What it is, for people: `auth store`, `Claude Code login`.
    pub role: &'static str,
    /// The provider whose login it would hold, when it can hold only one.
    pub provider: Option<&'static str>,
    /// The file, or the name of the keychain item.
    pub path: FilePath,
    /// What came of it.
    pub state: SourceState,
}

/// What came of looking at a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceState {
    /// It was read and understood.
    Read,
    /// It is not there.
    Absent,
    /// It is there and could not be read; nothing may be concluded from it.
    Unreadable(SourceProblem),
}

/// Why a source could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceProblem {
    /// What failed, without any content.
    pub message: String,
    /// Where, 1-based, when it is a place in the text.
    pub position: Option<(usize, usize)>,
}
