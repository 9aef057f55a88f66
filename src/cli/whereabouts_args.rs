//! The options of `where`. Help texts are the doc comments.

use clap::Args;

/// The options of `where`.
#[derive(Debug, Args)]
pub struct WhereArgs {
    /// A provider, a variable of the environment or a profile; everything that has a credential when left out
    #[arg(value_name = "PROVIDER|VARIABLE|PROFILE")]
    pub name: Option<String>,

    /// Print JSON
    #[arg(long)]
    pub json: bool,

    /// Compare with this running process instead of the service
    #[arg(long, value_name = "PID", conflicts_with = "service", value_parser = clap::value_parser!(i32).range(1..))]
    pub pid: Option<i32>,

    /// Fail when no service is installed
    #[arg(long)]
    pub service: bool,
}
