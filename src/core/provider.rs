//! The provider catalogue: which ids exist, which variables hold their keys, how a person gets a credential.
//!
//! Source of ids, variables and their order: the provider tables of the `OpenClaw` releases 2026.1.24 and 2026.1.30.

/// One provider that we know by name.
#[derive(Debug)]
pub struct Provider {
    /// The id as configs and stores spell it.
    pub id: &'static str,
    /// Other spellings that mean the same provider.
    pub aliases: &'static [&'static str],
    /// Variables that may hold the credential; the first that is not blank wins.
    pub env: &'static [&'static str],
    /// Whether a variable counts even when no config mentions the provider.
    pub always_probed: bool,
    /// The command of the vendor that logs a person in, when we read that login.
    pub login_command: Option<&'static str>,
}

const fn keyed(id: &'static str, env: &'static [&'static str], always_probed: bool) -> Provider {
    Provider { id, aliases: &[], env, always_probed, login_command: None }
}

/// Every provider of the catalogue, sorted by id.
pub const PROVIDERS: &[Provider] = &[
    keyed("amazon-bedrock", &["AWS_BEARER_TOKEN_BEDROCK", "AWS_ACCESS_KEY_ID", "AWS_PROFILE"], false),
    Provider {
        login_command: Some("claude auth login"),
        ..keyed("anthropic", &["ANTHROPIC_OAUTH_TOKEN", "ANTHROPIC_API_KEY"], true)
    },
    keyed("cerebras", &["CEREBRAS_API_KEY"], true),
    keyed("chutes", &["CHUTES_OAUTH_TOKEN", "CHUTES_API_KEY"], false),
    Provider { login_command: Some("claude auth login"), ..keyed(CLAUDE_CLI_BACKEND, &[], false) },
    Provider { login_command: Some("codex login"), ..keyed(CODEX_CLI_BACKEND, &[], false) },
    keyed("deepgram", &["DEEPGRAM_API_KEY"], false),
    keyed("github-copilot", &["COPILOT_GITHUB_TOKEN", "GH_TOKEN", "GITHUB_TOKEN"], true),
    keyed("google", &["GEMINI_API_KEY"], true),
    keyed("google-antigravity", &[], false),
    keyed("google-gemini-cli", &[], false),
    keyed(GOOGLE_VERTEX, &[], true),
    keyed("groq", &["GROQ_API_KEY"], true),
    keyed("kimi-code", &["KIMICODE_API_KEY"], false),
    keyed("kimi-coding", &["KIMI_API_KEY", "KIMICODE_API_KEY"], false),
    keyed("minimax", &["MINIMAX_API_KEY"], false),
    keyed("minimax-portal", &["MINIMAX_OAUTH_TOKEN", "MINIMAX_API_KEY"], false),
    keyed("mistral", &["MISTRAL_API_KEY"], true),
    keyed("moonshot", &["MOONSHOT_API_KEY"], false),
    keyed("openai", &["OPENAI_API_KEY"], true),
    Provider { login_command: Some("codex login"), ..keyed("openai-codex", &[], false) },
    Provider {
        aliases: &["opencode-zen"],
        ..keyed("opencode", &["OPENCODE_API_KEY", "OPENCODE_ZEN_API_KEY"], false)
    },
    keyed("openrouter", &["OPENROUTER_API_KEY"], true),
    Provider {
        aliases: &["qwen"],
        login_command: Some("qwen"),
        ..keyed("qwen-portal", &["QWEN_OAUTH_TOKEN", "QWEN_PORTAL_API_KEY"], false)
    },
    keyed("synthetic", &["SYNTHETIC_API_KEY"], true),
    keyed("venice", &["VENICE_API_KEY"], false),
    keyed("vercel-ai-gateway", &["AI_GATEWAY_API_KEY"], false),
    keyed("xai", &["XAI_API_KEY"], true),
    keyed("xiaomi", &["XIAOMI_API_KEY"], false),
    Provider { aliases: &["z.ai", "z-ai"], ..keyed("zai", &["ZAI_API_KEY", "Z_AI_API_KEY"], true) },
];

/// What the Node program writes in the place of a key where the profile of a Qwen login is meant. It is no key.
pub const QWEN_MARKER: &str = "qwen-oauth";
/// The provider whose credential is Google's application default credentials file plus two variables.
pub const GOOGLE_VERTEX: &str = "google-vertex";
/// The back end that runs the Claude Code program; it needs that program's login and no key.
pub const CLAUDE_CLI_BACKEND: &str = "claude-cli";
/// The back end that runs the Codex program; it needs that program's login and no key.
pub const CODEX_CLI_BACKEND: &str = "codex-cli";

/// Variables beside the keys that decide whether a cloud credential is there.
pub const CLOUD_VARIABLES: &[&str] = &[
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "GCLOUD_PROJECT",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_CLOUD_LOCATION",
    "GOOGLE_CLOUD_PROJECT",
];

/// The variables that a login shell is asked for; none of them set is what makes it run.
/// Source: the reference's list of expected keys (spec of `env.shellEnv`).
pub const SHELL_ENV_VARIABLES: &[&str] = &[
    "OPENAI_API_KEY",
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_OAUTH_TOKEN",
    "GEMINI_API_KEY",
    "ZAI_API_KEY",
    "OPENROUTER_API_KEY",
    "AI_GATEWAY_API_KEY",
    "MINIMAX_API_KEY",
    "SYNTHETIC_API_KEY",
    "ELEVENLABS_API_KEY",
    "TELEGRAM_BOT_TOKEN",
    "DISCORD_BOT_TOKEN",
    "SLACK_BOT_TOKEN",
    "SLACK_APP_TOKEN",
    "OPENCLAW_GATEWAY_TOKEN",
    "OPENCLAW_GATEWAY_PASSWORD",
];

/// Trims, lower-cases and resolves aliases: `Z.AI` is `zai`.
///
/// ```
/// assert_eq!(openclaw::core::provider::normalize(" Z.AI "), "zai");
/// ```
pub fn normalize(id: &str) -> String {
    let folded = id.trim().to_lowercase();
    match PROVIDERS.iter().find(|provider| provider.aliases.contains(&folded.as_str())) {
        Some(provider) => provider.id.to_owned(),
        None => folded,
    }
}

/// Looks a provider up by any of its spellings.
pub fn find(id: &str) -> Option<&'static Provider> {
    let id = normalize(id);
    PROVIDERS.iter().find(|provider| provider.id == id)
}

/// The provider of a variable that holds more than one key: `OPENAI_API_KEYS`, `OPENAI_API_KEY_2`.
pub fn of_more_keys(name: &str) -> Option<&'static Provider> {
    let is_more = |variable: &str| {
        let rest = name.strip_prefix(variable).filter(|_| variable.ends_with("_API_KEY"));
        rest.is_some_and(|rest| rest == "S" || (rest.len() > 1 && rest.starts_with('_')))
    };
    PROVIDERS.iter().find(|provider| provider.env.iter().any(|variable| is_more(variable)))
}

/// Whether a `.env` file may set this variable: it holds a credential of the catalogue or of the gateway.
pub fn is_credential_variable(name: &str) -> bool {
    SHELL_ENV_VARIABLES.contains(&name)
        || CLOUD_VARIABLES.contains(&name)
        || PROVIDERS.iter().any(|provider| provider.env.contains(&name))
        || of_more_keys(name).is_some()
}

#[cfg(test)]
mod tests {
    use super::{PROVIDERS, find, is_credential_variable, normalize};

    #[test]
    fn ids_are_sorted_unique_and_in_normal_form() {
        let ids: Vec<_> = PROVIDERS.iter().map(|provider| provider.id).collect();
        let mut sorted = ids.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(ids, sorted);
        for id in ids {
            assert_eq!(normalize(id), id);
        }
    }

    #[test]
    fn aliases_lead_to_their_provider_and_unknown_ids_stay() {
        assert_eq!(find("opencode-zen").map(|p| p.id), Some("opencode"));
        assert_eq!(find("Qwen").map(|p| p.id), Some("qwen-portal"));
        assert_eq!(normalize("My-Own"), "my-own");
        assert!(find("my-own").is_none());
    }

    #[test]
    fn only_credentials_may_come_from_a_dotenv_file() {
        assert!(is_credential_variable("GROQ_API_KEY"));
        assert!(is_credential_variable("OPENCLAW_GATEWAY_TOKEN"));
        assert!(is_credential_variable("GROQ_API_KEYS") && is_credential_variable("GROQ_API_KEY_2"));
        assert!(!is_credential_variable("GROQ_API_KEYSTONE") && !is_credential_variable("GROQ_API_KEY_"));
        assert!(!is_credential_variable("PATH"));
        assert!(!is_credential_variable("OPENCLAW_STATE_DIR"));
    }
}
