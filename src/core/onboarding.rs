//! The choices of `onboard` as data: which flag and variable hold the key, where it goes, which model comes with it.
//!
//! Source: the reference's table of authentication choices; base URLs are those of the vendors' API pages.

/// One choice that brings an API key.
#[derive(Debug)]
pub struct KeyChoice {
    /// The word behind `--auth-choice`.
    pub choice: &'static str,
    /// What it is, for a person.
    pub title: &'static str,
    /// The provider id; the profile is `<provider>:default`.
    pub provider: &'static str,
    /// The flag that may hold the key, without its dashes.
    pub flag: &'static str,
    /// The variable that may hold it.
    pub variable: &'static str,
    /// The model that becomes the default.
    pub model: Option<&'static str>,
    /// Whether the key goes into the `.env` of the state folder instead of the store.
    pub in_dotenv: bool,
    /// Base URL and dialect of a provider that the Node program does not know by itself.
    pub entry: Option<(&'static str, &'static str)>,
}

const fn key(
    choice: &'static str,
    title: &'static str,
    provider: &'static str,
    flag: &'static str,
    variable: &'static str,
) -> KeyChoice {
    KeyChoice { choice, title, provider, flag, variable, model: None, in_dotenv: false, entry: None }
}

const MINIMAX: (&str, &str) = ("https://api.minimax.io/anthropic", "anthropic-messages");

/// Every choice that brings an API key.
pub const KEY_CHOICES: &[KeyChoice] = &[
    key("apiKey", "Anthropic API key", "anthropic", "anthropic-api-key", "ANTHROPIC_API_KEY"),
    KeyChoice {
        in_dotenv: true,
        ..key("openai-api-key", "OpenAI API key", "openai", "openai-api-key", "OPENAI_API_KEY")
    },
    KeyChoice {
        model: Some("openrouter/auto"),
        ..key(
            "openrouter-api-key",
            "OpenRouter API key",
            "openrouter",
            "openrouter-api-key",
            "OPENROUTER_API_KEY",
        )
    },
    KeyChoice {
        model: Some("google/gemini-3-pro-preview"),
        ..key("gemini-api-key", "Google Gemini API key", "google", "gemini-api-key", "GEMINI_API_KEY")
    },
    KeyChoice {
        model: Some("zai/glm-4.7"),
        ..key("zai-api-key", "Z.AI API key", "zai", "zai-api-key", "ZAI_API_KEY")
    },
    KeyChoice {
        model: Some("moonshot/kimi-k2-0905-preview"),
        entry: Some(("https://api.moonshot.ai/v1", "openai-completions")),
        ..key("moonshot-api-key", "Moonshot API key", "moonshot", "moonshot-api-key", "MOONSHOT_API_KEY")
    },
    KeyChoice {
        model: Some("kimi-code/kimi-for-coding"),
        entry: Some(("https://api.kimi.com/coding/v1", "openai-completions")),
        ..key("kimi-code-api-key", "Kimi Code API key", "kimi-code", "kimi-code-api-key", "KIMICODE_API_KEY")
    },
    KeyChoice {
        model: Some("synthetic/hf:MiniMaxAI/MiniMax-M2.1"),
        entry: Some(("https://api.synthetic.new/anthropic", "anthropic-messages")),
        ..key("synthetic-api-key", "Synthetic API key", "synthetic", "synthetic-api-key", "SYNTHETIC_API_KEY")
    },
    KeyChoice {
        model: Some("vercel-ai-gateway/anthropic/claude-opus-4.5"),
        ..key(
            "ai-gateway-api-key",
            "Vercel AI Gateway key",
            "vercel-ai-gateway",
            "ai-gateway-api-key",
            "AI_GATEWAY_API_KEY",
        )
    },
    KeyChoice {
        model: Some("opencode/claude-opus-4-5"),
        ..key("opencode-zen", "OpenCode Zen key", "opencode", "opencode-zen-api-key", "OPENCODE_API_KEY")
    },
    KeyChoice {
        model: Some("minimax/MiniMax-M2.1"),
        entry: Some(MINIMAX),
        ..key("minimax-api", "MiniMax API key", "minimax", "minimax-api-key", "MINIMAX_API_KEY")
    },
    KeyChoice {
        model: Some("minimax/MiniMax-M2.1-lightning"),
        entry: Some(MINIMAX),
        ..key(
            "minimax-api-lightning",
            "MiniMax API key, lightning model",
            "minimax",
            "minimax-api-key",
            "MINIMAX_API_KEY",
        )
    },
    key("venice-api-key", "Venice API key", "venice", "venice-api-key", "VENICE_API_KEY"),
];

/// A pasted setup token.
pub const TOKEN: &str = "token";
/// The login of Claude Code.
pub const CLAUDE_CLI: &str = "claude-cli";
/// The login of Codex, and the model that comes with it.
pub const CODEX_CLI: &str = "codex-cli";
/// The default model of a Codex login.
pub const CODEX_MODEL: &str = "openai-codex/gpt-5.2";
/// The models of a Qwen login: id, title, kinds of input. The first one is its default.
pub const QWEN_MODELS: &[(&str, &str, &[&str])] =
    &[("coder-model", "Qwen Coder", &["text"]), ("vision-model", "Qwen Vision", &["text", "image"])];
/// The API of a Qwen login that names none of its own.
pub const QWEN_URL: &str = "https://portal.qwen.ai/v1";
/// No credential now.
pub const SKIP: &str = "skip";

/// Logins that a person makes at the provider.
pub const LOGINS: &[(&str, &str)] = &[
    ("openai-codex", "log in at OpenAI with a ChatGPT subscription"),
    ("qwen-portal", "log in at Qwen"),
    ("chutes", "log in at Chutes"),
];

/// Logins that another program makes, and how to come to one.
pub const MADE_ELSEWHERE: &[(&str, &str)] = &[
    ("github-copilot", "add `COPILOT_GITHUB_TOKEN=<token>` to the .env of the state folder"),
    ("google-antigravity", "such a login needs an OAuth client of your own; use gemini-api-key"),
    ("google-gemini-cli", "such a login needs an OAuth client of your own; use gemini-api-key"),
    ("copilot-proxy", "set models.providers.copilot-proxy in openclaw.json"),
];

/// Other words for choices.
pub const SYNONYMS: &[(&str, &str)] =
    &[("setup-token", TOKEN), ("oauth", TOKEN), ("minimax", "minimax-api"), ("minimax-cloud", "minimax-api")];

/// What a person pasted as a key, reduced to the key: `export X="v";` and `X=v` are `v`.
pub fn cleaned_key(pasted: &str) -> &str {
    let text = pasted.trim().trim_end_matches(';');
    let text = text.strip_prefix("export ").map_or(text, str::trim_start);
    let value = match text.split_once('=') {
        Some((name, value))
            if !name.is_empty()
                && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_') =>
        {
            value
        }
        _ => text,
    };
    let value = value.trim();
    let unquoted = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
    unquoted.unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::{KEY_CHOICES, cleaned_key};
    use crate::core::provider;

    #[test]
    fn every_choice_is_of_the_catalogue() {
        for choice in KEY_CHOICES {
            let known = provider::find(choice.provider).unwrap();
            assert!(known.env.contains(&choice.variable), "{}", choice.choice);
            assert!(choice.model.is_none_or(|model| model.starts_with(&format!("{}/", choice.provider))));
        }
    }

    #[test]
    fn keys_are_taken_out_of_what_people_copy() {
        for (pasted, key) in [
            ("sk-1", "sk-1"),
            (" sk-1\n", "sk-1"),
            ("export OPENAI_API_KEY=\"sk-1\";", "sk-1"),
            ("OPENAI_API_KEY='sk-1'", "sk-1"),
            ("base64==", "base64=="),
            ("abc=def", "abc=def"),
        ] {
            assert_eq!(cleaned_key(pasted), key, "{pasted:?}");
        }
    }
}
