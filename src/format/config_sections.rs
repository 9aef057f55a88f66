//! The sections of `openclaw.json` that we understand, typed and checked. Everything else is nobody's business here.

use std::cell::RefCell;

use crate::core::cooldown::{Ladders, Rests};
use crate::core::credential::CLAUDE_CLI_PROFILE;
use crate::core::model_ref::BUILT_IN_ALIASES;
use crate::core::provider;
use crate::core::secret::Secret;
use crate::core::span;
use crate::format::config::{Node, Origin, Problem};
use crate::format::section::{Notes, Section};

/// The typed part of a config.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// `auth.profiles`: id and what the config says of it.
    pub auth_profiles: Vec<(String, AuthProfile)>,
    /// `auth.order`: provider as written, and profile ids.
    pub auth_order: Vec<(String, Vec<String>)>,
    /// Whether the mode of the Claude Code profile was migrated from `token` to `oauth` on load.
    pub claude_mode_migrated: bool,
    /// `agents.defaults.model`.
    pub model: ModelSelection,
    /// `agents.defaults.imageModel`.
    pub image_model: ModelSelection,
    /// `agents.defaults.models`: keys as written, with the alias each ends up with.
    pub models: Vec<(String, Option<String>)>,
    /// `agents.list`.
    pub agents: Vec<Agent>,
    /// `models.providers`, by id.
    pub providers: Vec<(String, ProviderEntry)>,
    /// The `env` block.
    pub env: EnvBlock,
    /// The `gateway` section.
    pub gateway: Gateway,
    /// `auth.cooldowns`: how long profiles rest after failures.
    pub rests: Rests,
    /// `session.store`: where sessions are remembered, as written.
    pub session_store: Option<String>,
    /// Keys that nobody knows in sections that we know whole.
    pub unknown_keys: Vec<Problem>,
}

impl Config {
    /// Alias and model key of every listed model that has an alias, in config order.
    pub fn aliases(&self) -> Vec<(String, String)> {
        let listed = self.models.iter();
        listed.filter_map(|(key, alias)| Some((alias.clone()?, key.clone()))).collect()
    }
}

/// An entry of `auth.profiles`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthProfile {
    /// The provider it is for.
    pub provider: String,
    /// `api_key`, `oauth` or `token`.
    pub mode: &'static str,
    /// The account's address.
    pub email: Option<String>,
}

/// An entry of `models.providers`.
#[derive(Clone, Debug, Default)]
pub struct ProviderEntry {
    /// The API key, when there is one that is not blank.
    pub key: Option<Secret>,
    /// Where requests go.
    pub base_url: String,
    /// In which words its models are asked.
    pub api: Option<&'static str>,
    /// What the key is: `api-key`, `aws-sdk`, `oauth` or `token`.
    pub auth: Option<&'static str>,
    /// Whether the credential goes as `Authorization: Bearer` too.
    pub auth_header: bool,
    /// Headers that go with every request.
    pub headers: Vec<(String, Secret)>,
    /// The models that it declares.
    pub models: Vec<DeclaredModel>,
}

/// A model that the config declares for a provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeclaredModel {
    /// The provider's id of it.
    pub id: String,
    /// The name for people.
    pub name: String,
    /// Whether it reads images beside text.
    pub reads_images: bool,
    /// Context window in tokens.
    pub context_window: u64,
    /// The longest answer in tokens.
    pub max_tokens: Option<u64>,
    /// In which words it is asked, when not in those of its provider.
    pub api: Option<&'static str>,
    /// Headers that go with requests for it, over those of its provider.
    pub headers: Vec<(String, Secret)>,
}

/// What a declared model gets that says no window (reference default).
const DEFAULT_CONTEXT_WINDOW: u64 = 200_000;

/// A primary model and the ones to fail over to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelSelection {
    /// As written, trimmed; blank counts as absent.
    pub primary: Option<String>,
    /// As written; `None` when the key is absent.
    pub fallbacks: Option<Vec<String>>,
}

/// An entry of `agents.list`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agent {
    /// As written.
    pub id: String,
    /// Whether it is marked as the default.
    pub default: bool,
    /// Its folder as written, when it has its own.
    pub agent_dir: Option<String>,
    /// Its own models.
    pub model: ModelSelection,
}

/// What the `gateway` section says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gateway {
    /// `local` or `remote`.
    pub mode: Option<String>,
    /// The port.
    pub port: Option<u64>,
    /// Where it listens.
    pub bind: Option<String>,
    /// The address of the bind mode `custom`.
    pub custom_bind_host: Option<String>,
    /// The token or the password, the one that `auth.mode` names first.
    pub secret: Option<Secret>,
    /// `token` or `password`.
    pub auth_mode: Option<&'static str>,
}

/// A variable of the `env` block.
#[derive(Clone, Debug)]
pub struct ConfigVariable {
    /// Its name.
    pub name: String,
    /// Its value, which is not blank.
    pub value: Secret,
    /// Where it stands.
    pub origin: Origin,
}

/// The `env` block.
#[derive(Clone, Debug, Default)]
pub struct EnvBlock {
    /// Variables; the inline form comes before `env.vars`, so that the first of a name counts.
    pub variables: Vec<ConfigVariable>,
    /// `env.shellEnv.enabled`.
    pub shell_enabled: bool,
    /// `env.shellEnv.timeoutMs`.
    pub shell_timeout_ms: Option<u64>,
}

const API_KINDS: &[&str] = &[
    "openai-completions",
    "openai-responses",
    "openai-codex-responses",
    "anthropic-messages",
    "google-generative-ai",
    "github-copilot",
    "bedrock-converse-stream",
];

/// Types the tree; every wrong value is a problem.
pub fn read(tree: &Node) -> Result<Config, Vec<Problem>> {
    let notes = RefCell::new(Notes::default());
    let root = Section::root(tree, &notes);
    let mut config = Config::default();
    read_auth(&root.section("auth"), &mut config);
    read_models(&root.section("models"), &mut config);
    read_agents(&root.section("agents"), &mut config);
    read_env(&root.section("env"), &mut config);
    read_gateway(&root.section("gateway"), &mut config);
    config.session_store = root.section("session").text("store").and_then(trimmed);
    let notes = notes.into_inner();
    config.unknown_keys = notes.unknown;
    if notes.problems.is_empty() { Ok(config) } else { Err(notes.problems) }
}

fn read_auth(auth: &Section<'_>, config: &mut Config) {
    auth.closed(&["profiles", "order", "cooldowns"]);
    for (id, profile) in auth.section("profiles").sections() {
        profile.closed(&["provider", "mode", "email"]);
        let provider = profile.required_text("provider");
        let mode = profile.required_text("mode").and(profile.one_of("mode", &["api_key", "oauth", "token"]));
        let email = profile.text("email").map(str::trim).filter(|email| !email.is_empty());
        if let (Some(provider), Some(mut mode)) = (provider, mode) {
            if id == CLAUDE_CLI_PROFILE && mode == "token" {
                mode = "oauth";
                config.claude_mode_migrated = true;
            }
            let (provider, email) = (provider.to_owned(), email.map(str::to_owned));
            config.auth_profiles.push((id.to_owned(), AuthProfile { provider, mode, email }));
        }
    }
    let order = auth.section("order");
    for provider in order.keys() {
        config.auth_order.push((provider.to_owned(), order.texts(provider)));
    }
    let cooldowns = auth.section("cooldowns");
    cooldowns.closed(&[
        "billingBackoffHours",
        "billingBackoffHoursByProvider",
        "billingMaxHours",
        "failureWindowHours",
    ]);
    let by_provider = cooldowns.section("billingBackoffHoursByProvider");
    let hours = |section: &Section<'_>, key: &str| section.positive(key).map(span::of_hours);
    let default = Ladders::default();
    let general = Ladders {
        billing_first_ms: hours(&cooldowns, "billingBackoffHours").unwrap_or(default.billing_first_ms),
        billing_longest_ms: hours(&cooldowns, "billingMaxHours").unwrap_or(default.billing_longest_ms),
        window_ms: hours(&cooldowns, "failureWindowHours").unwrap_or(default.window_ms),
    };
    let own = by_provider.keys().filter_map(|id| Some((provider::normalize(id), hours(&by_provider, id)?)));
    config.rests = Rests { general, billing_first_ms: own.collect() };
}

fn read_models(models: &Section<'_>, config: &mut Config) {
    models.one_of("mode", &["merge", "replace"]);
    for (id, provider) in models.section("providers").sections() {
        provider.closed(&["baseUrl", "apiKey", "auth", "api", "headers", "authHeader", "models"]);
        let base_url = provider.required_text("baseUrl").unwrap_or_default().to_owned();
        let auth = provider.one_of("auth", &["api-key", "aws-sdk", "oauth", "token"]);
        let api = provider.one_of("api", API_KINDS);
        let auth_header = provider.flag("authHeader").unwrap_or_default();
        let headers = read_headers(&provider);
        if !provider.has("models") {
            provider.wrong::<()>("models", "is required");
        }
        let mut declared = Vec::new();
        for model in provider.items("models") {
            let api = model.one_of("api", API_KINDS);
            let (id, name) = (model.required_text("id"), model.required_text("name"));
            declared.push(DeclaredModel {
                id: id.unwrap_or_default().to_owned(),
                name: name.unwrap_or_default().to_owned(),
                reads_images: model.texts("input").iter().any(|input| input == "image"),
                context_window: model.whole("contextWindow").unwrap_or(DEFAULT_CONTEXT_WINDOW),
                max_tokens: model.whole("maxTokens").filter(|most| *most > 0),
                api,
                headers: read_headers(&model),
            });
        }
        let key = provider.text("apiKey").map(Secret::new).filter(|key| !key.is_blank());
        let entry = ProviderEntry { key, base_url, api, auth, auth_header, headers, models: declared };
        config.providers.push((id.to_owned(), entry));
    }
}

fn read_headers(holder: &Section<'_>) -> Vec<(String, Secret)> {
    let headers = holder.section("headers");
    headers.keys().filter_map(|name| Some((name.to_owned(), Secret::new(headers.text(name)?)))).collect()
}

fn read_agents(agents: &Section<'_>, config: &mut Config) {
    let defaults = agents.section("defaults");
    for (key, selection) in [("model", &mut config.model), ("imageModel", &mut config.image_model)] {
        let model = defaults.section(key);
        model.closed(&["primary", "fallbacks"]);
        *selection = selection_of(&model);
    }
    for (key, model) in defaults.section("models").sections() {
        model.closed(&["alias", "params"]);
        drop(model.section("params"));
        let alias = match model.text("alias") {
            Some(alias) => Some(alias.trim().to_owned()).filter(|alias| !alias.is_empty()),
            None => {
                BUILT_IN_ALIASES.iter().find(|(_, known)| *known == key).map(|(alias, _)| (*alias).to_owned())
            }
        };
        config.models.push((key.to_owned(), alias));
    }
    for agent in agents.items("list") {
        let model = match agent.node("model").map(|node| &node.value) {
            Some(crate::format::config::Tree::Text(primary)) => {
                ModelSelection { primary: trimmed(primary), fallbacks: None }
            }
            Some(_) => selection_of(&agent.section("model")),
            None => ModelSelection::default(),
        };
        config.agents.push(Agent {
            id: agent.required_text("id").unwrap_or_default().to_owned(),
            default: agent.flag("default").unwrap_or_default(),
            agent_dir: agent.text("agentDir").and_then(trimmed),
            model,
        });
    }
}

fn selection_of(model: &Section<'_>) -> ModelSelection {
    ModelSelection {
        primary: model.text("primary").and_then(trimmed),
        fallbacks: model.has("fallbacks").then(|| model.texts("fallbacks")),
    }
}

fn read_env(env: &Section<'_>, config: &mut Config) {
    let shell = env.section("shellEnv");
    shell.closed(&["enabled", "timeoutMs"]);
    config.env.shell_enabled = shell.flag("enabled").unwrap_or_default();
    config.env.shell_timeout_ms = shell.whole("timeoutMs");
    let vars = env.section("vars");
    let inline = env.keys().filter(|key| *key != "shellEnv" && *key != "vars").map(|key| (env, key));
    for (section, name) in inline.chain(vars.keys().map(|key| (&vars, key))) {
        if let (Some(value), Some(node)) = (section.text(name), section.node(name))
            && !value.trim().is_empty()
            && !config.env.variables.iter().any(|known| known.name == name)
        {
            let (name, value) = (name.to_owned(), Secret::new(value));
            config.env.variables.push(ConfigVariable { name, value, origin: node.origin });
        }
    }
}

fn read_gateway(gateway: &Section<'_>, config: &mut Config) {
    let auth = gateway.section("auth");
    auth.closed(&["mode", "token", "password", "allowTailscale"]);
    let auth_mode = auth.one_of("mode", &["token", "password"]);
    let mut secrets = [auth.text("token"), auth.text("password")];
    if auth_mode == Some("password") {
        secrets.reverse();
    }
    auth.flag("allowTailscale");
    let port = gateway.whole("port");
    if port.is_some_and(|port| port == 0 || port > u64::from(u16::MAX)) {
        gateway.wrong::<()>("port", "must be a port number, 1 to 65535");
    }
    config.gateway = Gateway {
        mode: gateway.text("mode").and_then(trimmed),
        port,
        bind: gateway.text("bind").and_then(trimmed),
        custom_bind_host: gateway.text("customBindHost").and_then(trimmed),
        secret: secrets.into_iter().flatten().find(|secret| !secret.trim().is_empty()).map(Secret::new),
        auth_mode,
    };
}

fn trimmed(text: &str) -> Option<String> {
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{Config, read};
    use crate::format::config::parse;

    fn config(text: &str) -> Result<Config, Vec<String>> {
        read(&parse(text.as_bytes(), 0).unwrap()).map_err(|problems| {
            problems.into_iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect()
        })
    }

    #[test]
    fn wrong_values_are_all_named_at_once_and_never_quoted() {
        let problems = config(
            "{auth:{profiles:{'a:b':{provider:5,mode:'sk-secret'}},cooldowns:{billingMaxHours:0}},
              agents:{defaults:{model:'openai/x',models:{'a/b':5}}},models:{providers:{p:{models:[{}]}}},
              env:{A:1,shellEnv:{timeoutMs:-1}},gateway:{port:70000,auth:{mode:'x'}}}",
        )
        .unwrap_err();
        assert_eq!(
            problems,
            [
                "auth.profiles.a:b.provider: expected string, got number",
                "auth.profiles.a:b.mode: expected one of \"api_key\", \"oauth\", \"token\"",
                "auth.cooldowns.billingMaxHours: must be greater than 0",
                "models.providers.p.baseUrl: is required",
                "models.providers.p.models[0].id: is required",
                "models.providers.p.models[0].name: is required",
                "agents.defaults.model: expected object, got string",
                "agents.defaults.models.a/b: expected object, got number",
                "env.shellEnv.timeoutMs: must be a whole number of at least 0",
                "env.A: expected string, got number",
                "gateway.auth.mode: expected one of \"token\", \"password\"",
                "gateway.port: must be a port number, 1 to 65535",
            ]
        );
    }

    #[test]
    fn unknown_keys_are_noted_only_where_all_keys_are_known() {
        let config =
            config("{auth:{profile:{}},agents:{defaults:{heartbeat:1,model:{primry:'x'}}},future:1}")
                .unwrap();
        let unknown: Vec<_> =
            config.unknown_keys.iter().map(|key| format!("{}: {}", key.path, key.message)).collect();
        assert_eq!(
            unknown,
            [
                "auth.profile: unknown key; did you mean \"profiles\"?",
                "agents.defaults.model.primry: unknown key; did you mean \"primary\"?",
            ]
        );
    }

    #[test]
    fn the_claude_code_mode_is_migrated_in_memory() {
        let text = "{auth:{profiles:{'anthropic:claude-cli':{provider:'anthropic',mode:'token'}}}}";
        let config = config(text).unwrap();
        assert!(config.claude_mode_migrated);
        assert_eq!(config.auth_profiles[0].1.mode, "oauth");
    }

    #[test]
    fn listed_models_get_their_built_in_alias_unless_they_name_one() {
        let config = config(
            "{agents:{defaults:{models:{'anthropic/claude-opus-4-5':{},'openai/gpt-5.2':{alias:''},'a/b':{alias:' x '}}}}}",
        )
        .unwrap();
        let aliases: Vec<_> = config.models.iter().map(|(_, alias)| alias.as_deref()).collect();
        assert_eq!(aliases, [Some("opus"), None, Some("x")]);
    }

    #[test]
    fn inline_variables_come_before_vars_and_blanks_are_passed_over() {
        let config = config("{env:{vars:{A:'2',B:'3'},A:'1',C:' '}}").unwrap();
        let names: Vec<_> =
            config.env.variables.iter().map(|entry| (entry.name.as_str(), entry.value.expose())).collect();
        assert_eq!(names, [("A", "1"), ("B", "3")]);
    }
}
