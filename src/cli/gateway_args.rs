//! The options of `gateway`. Help texts are the doc comments.

use clap::{Args, Subcommand};

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

    /// Where to listen: loopback, lan, or an address of this host [default: gateway.bind, else loopback]
    #[arg(long, global = true, value_name = "WHERE")]
    pub bind: Option<String>,

    /// The token that clients show, as `-` (one line of stdin) or `@FILE` [default: gateway.auth.token]
    #[arg(long, global = true, value_name = "SECRET")]
    pub token: Option<String>,
}

/// The second word of `gateway`.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum GatewayCommand {
    /// Install it as a service, enable and start it; the same as `service install gateway`
    Install(InstallArgs),
    /// Stop the service and start it
    Restart(ControlArgs),
    /// Run in the foreground
    Run,
    /// Start the service
    Start(ControlArgs),
    /// Stop the service; answers that are under way are finished
    Stop(ControlArgs),
    /// Stop the service and take it away
    Uninstall(InstallArgs),
}

/// The options of `gateway start`, `stop` and `restart`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
pub struct ControlArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
