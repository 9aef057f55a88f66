//! The options of `onboard`. Help texts are the doc comments.

use clap::Args;

/// The options of `onboard`. A secret may be `-` (one line of stdin) or `@FILE`, so that it is in no process list.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct OnboardArgs {
    /// Ask nothing
    #[arg(long)]
    pub non_interactive: bool,

    /// Say that you know what an agent on this host can do; needed with --non-interactive
    #[arg(long)]
    pub accept_risk: bool,

    /// Which credential: token, claude-cli, codex-cli, skip, a login (openai-codex, qwen-portal, chutes), or one of the
    /// API keys below without "--"
    #[arg(long, value_name = "CHOICE")]
    pub auth_choice: Option<String>,

    /// A setup token of Anthropic
    #[arg(long, value_name = "SECRET")]
    pub token: Option<String>,

    /// The provider of --token; only anthropic
    #[arg(long, value_name = "ID")]
    pub token_provider: Option<String>,

    /// The profile of --token [default: anthropic:default]
    #[arg(long, value_name = "PROFILE")]
    pub token_profile_id: Option<String>,

    /// When --token ends, counted from now
    #[arg(long, value_name = "SPAN", value_parser = crate::core::token::span_ms, allow_hyphen_values = true)]
    pub token_expires_in: Option<i64>,

    #[command(flatten)]
    pub(crate) keys: KeyFlags,

    /// The gateway's port [default: 18789]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub gateway_port: Option<u16>,

    /// Where the gateway listens [default: loopback]
    #[arg(long, value_name = "WHERE", value_parser = ["loopback", "lan", "tailnet", "auto", "custom"])]
    pub gateway_bind: Option<String>,

    /// How clients of the gateway prove themselves [default: token]
    #[arg(long, value_name = "HOW", value_parser = ["token", "password"])]
    pub gateway_auth: Option<String>,

    /// The gateway's token [default: 48 random hex digits]
    #[arg(long, value_name = "SECRET")]
    pub gateway_token: Option<String>,

    /// The gateway's password
    #[arg(long, value_name = "SECRET")]
    pub gateway_password: Option<String>,

    /// Try the credential at its provider at the end, with a request that has no effect; exit code 1 when it is refused
    #[arg(long)]
    pub probe: bool,

    /// Print the status as JSON at the end
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub(crate) elsewhere: ElsewhereFlags,
}

/// One flag a provider.
#[derive(Debug, Args)]
#[expect(clippy::struct_field_names, reason = "they are the names of the flags")]
pub(crate) struct KeyFlags {
    /// API key
    #[arg(long, value_name = "SECRET")]
    anthropic_api_key: Option<String>,
    /// API key
    #[arg(long, value_name = "SECRET")]
    openai_api_key: Option<String>,
    /// API key
    #[arg(long, value_name = "SECRET")]
    openrouter_api_key: Option<String>,
    /// API key
    #[arg(long, value_name = "SECRET")]
    gemini_api_key: Option<String>,
    /// API key
    #[arg(long, value_name = "SECRET")]
    zai_api_key: Option<String>,
    /// API key
    #[arg(long, value_name = "SECRET")]
    moonshot_api_key: Option<String>,
    /// API key
    #[arg(long, value_name = "SECRET")]
    kimi_code_api_key: Option<String>,
    /// API key
    #[arg(long, value_name = "SECRET")]
    synthetic_api_key: Option<String>,
    /// API key
    #[arg(long, value_name = "SECRET")]
    ai_gateway_api_key: Option<String>,
    /// API key
    #[arg(long, value_name = "SECRET")]
    opencode_zen_api_key: Option<String>,
    /// API key
    #[arg(long, value_name = "SECRET")]
    minimax_api_key: Option<String>,
    /// API key
    #[arg(long, value_name = "SECRET")]
    venice_api_key: Option<String>,
}

impl KeyFlags {
    /// The keys that were given, by the names of their flags.
    pub(crate) fn given(&self) -> Vec<(&'static str, &str)> {
        [
            ("anthropic-api-key", &self.anthropic_api_key),
            ("openai-api-key", &self.openai_api_key),
            ("openrouter-api-key", &self.openrouter_api_key),
            ("gemini-api-key", &self.gemini_api_key),
            ("zai-api-key", &self.zai_api_key),
            ("moonshot-api-key", &self.moonshot_api_key),
            ("kimi-code-api-key", &self.kimi_code_api_key),
            ("synthetic-api-key", &self.synthetic_api_key),
            ("ai-gateway-api-key", &self.ai_gateway_api_key),
            ("opencode-zen-api-key", &self.opencode_zen_api_key),
            ("minimax-api-key", &self.minimax_api_key),
            ("venice-api-key", &self.venice_api_key),
        ]
        .into_iter()
        .filter_map(|(flag, key)| Some((flag, key.as_deref()?)))
        .collect()
    }
}

/// Flags of the Node program for things that are not this program's: accepted, so that scripts go on working.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct ElsewhereFlags {
    #[arg(long, hide = true)]
    workspace: Option<String>,
    #[arg(long, hide = true)]
    mode: Option<String>,
    #[arg(long, hide = true)]
    flow: Option<String>,
    #[arg(long, hide = true)]
    node_manager: Option<String>,
    #[arg(long, hide = true)]
    tailscale: Option<String>,
    #[arg(long, hide = true)]
    daemon_runtime: Option<String>,
    #[arg(long, hide = true)]
    install_daemon: bool,
    #[arg(long, hide = true)]
    no_install_daemon: bool,
    #[arg(long, hide = true)]
    skip_daemon: bool,
    #[arg(long, hide = true)]
    skip_health: bool,
    #[arg(long, hide = true)]
    skip_channels: bool,
    #[arg(long, hide = true)]
    skip_skills: bool,
    #[arg(long, hide = true)]
    skip_ui: bool,
}

impl ElsewhereFlags {
    /// Those that ask for something which this program does not do.
    pub(crate) fn ignored(&self) -> Vec<&'static str> {
        [
            ("--workspace", self.workspace.is_some()),
            ("--mode", self.mode.is_some()),
            ("--flow", self.flow.is_some()),
            ("--node-manager", self.node_manager.is_some()),
            ("--tailscale", self.tailscale.is_some()),
            ("--daemon-runtime", self.daemon_runtime.is_some()),
            ("--install-daemon", self.install_daemon),
            ("--no-install-daemon", self.no_install_daemon),
            ("--skip-daemon", self.skip_daemon),
            ("--skip-health", self.skip_health),
            ("--skip-channels", self.skip_channels),
            ("--skip-skills", self.skip_skills),
            ("--skip-ui", self.skip_ui),
        ]
        .into_iter()
        .filter_map(|(flag, given)| given.then_some(flag))
        .collect()
    }
}
