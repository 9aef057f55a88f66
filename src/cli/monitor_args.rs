//! The command tree below `monitor`.

use clap::{Args, Subcommand, ValueEnum};

use crate::cli::status_args::RefreshableArg;
use crate::format::ops::parse_span;
use crate::monitor::rehearse::Scene;

/// `monitor`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct MonitorArgs {
    #[command(flatten)]
    pub(crate) run: MonitorRunArgs,

    #[command(subcommand)]
    pub(crate) command: Option<MonitorCommand>,
}

/// The options of `monitor` itself.
#[derive(Debug, Default, Args)]
pub struct MonitorRunArgs {
    /// Look once, for timers and cron; the exit code is the verdict
    #[arg(long, conflicts_with_all = ["every", "cron", "jitter"])]
    pub once: bool,

    /// Look that often [default: 30m, or monitor.every of ops.json]
    #[arg(long, value_name = "SPAN", value_parser = parse_span, conflicts_with = "cron")]
    pub every: Option<i64>,

    /// Look by a crontab line, for example "*/30 * * * *"
    #[arg(long, value_name = "LINE")]
    pub cron: Option<String>,

    /// The time zone of the crontab line, of quiet hours and of notices [default: this host's]
    #[arg(long, value_name = "ZONE")]
    pub timezone: Option<String>,

    /// Let each look come up to that much later
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    pub jitter: Option<i64>,

    /// Renew logins before they end
    #[arg(long)]
    pub refresh: bool,

    /// Tell when a person is needed (lenient), or when any token ends (strict)
    /// [default: lenient, or monitor.policy of ops.json]
    #[arg(long, value_name = "POLICY")]
    pub policy: Option<RefreshableArg>,

    /// Warn when something ends within this span [default: 24h, or check.warnAfter of ops.json]
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    pub warn_after: Option<i64>,

    /// Send notices to this topic of ntfy.sh too, or to SERVER/TOPIC
    #[arg(long, value_name = "TOPIC")]
    pub ntfy: Option<String>,

    /// Give notices to this program too: as JSON on stdin, its fields as variables
    #[arg(long, value_name = "PROGRAM")]
    pub exec: Option<String>,
}

/// The word behind `monitor`.
#[derive(Debug, Subcommand)]
pub enum MonitorCommand {
    /// Play a scene with a profile of this host through everything that a real one would go through
    Drill {
        /// What happens to it
        scene: SceneArg,
        /// The profile
        #[arg(long, value_name = "PROFILE")]
        profile_id: String,
    },
    /// Tell people that a unit of this program has failed; what `OnFailure=` of the units runs
    Failed {
        /// The unit
        unit: String,
        /// It is one of the machine
        #[arg(long)]
        system: bool,
    },
    /// Tell what would be sent over the next days, on a clock that is wound on; sends nothing
    Simulate(SimulateArgs),
    /// Hear nothing of an incident for a while
    Snooze {
        /// The incident, as `monitor status` names it
        id: String,
        /// For how long, or `off`
        #[arg(value_name = "SPAN")]
        span: String,
    },
    /// Show the last and the next look, open incidents, what waits, and the last delivery of each channel
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Send a marked test to one channel, or to all of them
    Test {
        /// The channel, as ops.json names it
        channel: Option<String>,
    },
}

/// The options of `monitor simulate`.
#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// How many days
    #[arg(long, value_name = "N", default_value = "30", value_parser = clap::value_parser!(u32).range(1..=3660))]
    pub days: u32,

    /// Look that often [default: as the monitor would]
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    pub every: Option<i64>,

    /// What happens: a JSON5 file; without one, what happens when nobody does anything
    #[arg(long, value_name = "FILE")]
    pub scenario: Option<std::path::PathBuf>,

    /// Tell when a person is needed (lenient), or when any token ends (strict)
    #[arg(long, value_name = "POLICY")]
    pub policy: Option<RefreshableArg>,

    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// The scenes of a drill.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub enum SceneArg {
    /// A token has ended that nobody renews
    Expired,
    /// One ends within hours
    Expiring,
    /// A login ends in two days
    LoginEnding,
    /// The provider refuses to renew it
    RefreshFailed,
    /// The profile is gone
    Vanished,
}

impl From<SceneArg> for Scene {
    fn from(word: SceneArg) -> Self {
        match word {
            SceneArg::Expired => Self::Expired,
            SceneArg::Expiring => Self::Expiring,
            SceneArg::LoginEnding => Self::LoginEnding,
            SceneArg::RefreshFailed => Self::RefreshFailed,
            SceneArg::Vanished => Self::Vanished,
        }
    }
}
