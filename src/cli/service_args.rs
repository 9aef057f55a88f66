//! The command tree below `service`. Help texts are the doc comments.

use clap::{Args, Subcommand, ValueEnum};

use crate::service::{Flavour, Kind};

/// The word behind `service`.
#[derive(Debug, Subcommand)]
pub enum ServiceCommand {
    /// Write, enable and start it; a second time nothing changes
    Install {
        /// What is to run
        service: KindArg,
        /// How
        #[command(flatten)]
        args: InstallArgs,
    },
    /// Show what is installed, and whether it runs
    #[command(after_help = "Exit codes: 0 everything that is asked for runs, 1 something does not.")]
    Status {
        /// What to look at; everything that is installed when left out
        service: Option<KindArg>,
        /// Whose
        #[command(flatten)]
        scope: ScopeArgs,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Stop it and take away everything that was installed
    Uninstall {
        /// What is to go
        service: KindArg,
        /// How
        #[command(flatten)]
        args: InstallArgs,
    },
}

/// Whose service it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct ScopeArgs {
    /// A service of this user [default, unless root asks]
    #[arg(long, conflicts_with_all = ["system", "run_as"])]
    pub user: bool,

    /// A service of the machine, hardened; for root [default for root]
    #[arg(long)]
    pub system: bool,

    /// As whom a service of the machine runs [default: who called sudo, else root]
    #[arg(long, value_name = "USER")]
    pub run_as: Option<String>,
}

/// The options of `install` and `uninstall`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct InstallArgs {
    #[command(flatten)]
    pub(crate) scope: ScopeArgs,

    /// Move files aside that this program did not write
    #[arg(long)]
    pub force: bool,

    /// Only tell what would be done
    #[arg(long)]
    pub dry_run: bool,

    /// Let services of this user run on after the last logout, without asking
    #[arg(long)]
    pub linger: bool,

    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// What can be a service.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub enum KindArg {
    /// Tell Prometheus when credentials end
    Exporter,
    /// Serve models to programs of this host
    Gateway,
    /// Watch the credentials, and tell people
    Monitor,
}

impl From<KindArg> for Kind {
    fn from(word: KindArg) -> Self {
        match word {
            KindArg::Exporter => Self::Exporter,
            KindArg::Gateway => Self::Gateway,
            KindArg::Monitor => Self::Monitor,
        }
    }
}

impl ScopeArgs {
    /// Whose manager is meant.
    pub fn flavour(&self, is_root: bool) -> Flavour {
        if self.system || self.run_as.is_some() || (is_root && !self.user) {
            Flavour::System
        } else {
            Flavour::User
        }
    }
}
