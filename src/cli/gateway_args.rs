//! The options of `gateway`. Help texts are the doc comments.

use clap::{Args, Subcommand, ValueEnum};

use crate::gateway::log::Format;

use crate::cli::service_args::InstallArgs;

/// The options of `gateway`; they count before and behind the second word.
#[derive(Debug, Args)]
pub struct GatewayArgs {
    /// What to do; without a word the gateway runs
    #[command(subcommand)]
    pub command: Option<GatewayCommand>,

    /// The port [default: that of the environment, else gateway.port, else 18789]
    #[arg(long, global = true, value_name = "PORT")]
    pub port: Option<u16>,

    /// Where to listen: loopback, lan, tailnet, auto, custom (gateway.customBindHost), or an address of this host
    /// [default: gateway.bind, else loopback]
    #[arg(long, global = true, value_name = "WHERE")]
    pub bind: Option<String>,

    /// What clients must show; without it whatever of both there is [default: gateway.auth.mode]
    #[arg(long, global = true, value_name = "HOW")]
    pub auth: Option<AuthArg>,

    /// The token that clients show, as `-` (one line of stdin) or `@FILE` [default: gateway.auth.token]
    #[arg(long, global = true, value_name = "SECRET")]
    pub token: Option<String>,

    /// The password that clients show, given in the same ways [default: gateway.auth.password]
    #[arg(long, global = true, value_name = "SECRET", conflicts_with = "token")]
    pub password: Option<String>,

    /// How the log looks
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormatArg,

    /// Run although gateway.mode says that the gateway is elsewhere
    #[arg(long, global = true)]
    pub allow_unconfigured: bool,
}

/// The words of `--auth`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AuthArg {
    /// A password
    Password,
    /// A token
    Token,
}

impl AuthArg {
    /// The word in the config.
    pub fn word(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Token => "token",
        }
    }
}

/// The words of `--log-format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormatArg {
    /// An object a line
    Json,
    /// For people
    Text,
}

impl From<LogFormatArg> for Format {
    fn from(word: LogFormatArg) -> Self {
        match word {
            LogFormatArg::Json => Self::Json,
            LogFormatArg::Text => Self::Text,
        }
    }
}

/// The second word of `gateway`.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum GatewayCommand {
    /// Tell whether the gateway of this host runs and can serve, in one line
    #[command(after_help = STATUS_CODES)]
    Health(HealthArgs),
    /// Install it as a service, enable and start it; the same as `service install gateway`
    Install(InstallArgs),
    /// Stop the service and start it
    Restart(ControlArgs),
    /// Run in the foreground
    Run,
    /// Start the service
    Start(ControlArgs),
    /// Tell whether the gateway of this host runs, what it serves, and what is wrong with it
    #[command(after_help = STATUS_CODES)]
    Status(HealthArgs),
    /// Stop the service; answers that are under way are finished
    Stop(ControlArgs),
    /// Stop the service and take it away
    Uninstall(InstallArgs),
}

/// What the exit codes of both say.
const STATUS_CODES: &str = "Exit codes: 0 it runs and can serve, 1 it does not run, 2 it runs and something is wrong. \
                            Always: 64 usage, 70 bug, 74 I/O, 78 invalid config. Anything else is a failure.";

/// The options of `gateway status` and `gateway health`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct HealthArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,

    /// How long to wait for an answer, a span such as 5s [default: 10s]
    #[arg(long, value_name = "SPAN", value_parser = super::args::positive_span)]
    pub timeout: Option<u64>,
}

/// The options of `gateway start`, `stop` and `restart`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
pub struct ControlArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
