//! The options of `chat` and `agent`. Help texts are the doc comments.

use clap::Args;

/// Which gateway, which session, which model.
#[derive(Clone, Debug, Args)]
pub struct TalkArgs {
    /// The session: what `/model` chooses in it is remembered under this name
    #[arg(long, value_name = "KEY", default_value = "cli")]
    pub session: String,

    /// The model instead of the one of the session: an alias, provider/model, or a bare id
    #[arg(long, value_name = "MODEL")]
    pub model: Option<String>,

    /// The gateway [default: that of this host, by its port in the environment or the config]
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,

    /// The token of the gateway, as `-` (one line of stdin) or `@FILE` [default: that of the config, else of the
    /// environment]
    #[arg(long, value_name = "SECRET")]
    pub token: Option<String>,
}

/// The options of `chat`.
#[derive(Clone, Debug, Args)]
pub struct ChatArgs {
    #[command(flatten)]
    pub(crate) talk: TalkArgs,
}

/// The options of `agent`.
#[derive(Clone, Debug, Args)]
pub struct AgentArgs {
    /// What is said, `-` for all of stdin
    #[arg(short, long, value_name = "TEXT")]
    pub message: String,

    /// Print JSON: the answer, and who gave it
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub(crate) talk: TalkArgs,
}
