//! The command tree. Help texts are the doc comments.

use clap::{ArgAction, Args, Parser, Subcommand};

use crate::cli::auth_args::AuthCommand;
use crate::cli::chat_args::{AgentArgs, ChatArgs};
use crate::cli::doctor_args::DoctorArgs;
use crate::cli::exporter_args::ExporterArgs;
use crate::cli::gateway_args::GatewayArgs;
use crate::cli::monitor_args::MonitorArgs;
use crate::cli::onboard_args::OnboardArgs;
use crate::cli::packaging_args::{CompletionsArgs, ManArgs};
use crate::cli::service_args::ServiceCommand;
use crate::cli::status_args::StatusArgs;
use crate::cli::whereabouts_args::WhereArgs;
use crate::format::ops::parse_span;

/// Keeps the model credentials of an AI agent host alive.
#[derive(Debug, Parser)]
#[command(name = "openclaw", version, disable_version_flag = true, max_term_width = 100)]
pub struct Cli {
    /// Use the installation in ~/.openclaw-NAME
    #[arg(long, global = true, value_name = "NAME", value_parser = profile_name)]
    pub profile: Option<String>,

    /// Use the installation in ~/.openclaw-dev
    #[arg(long, global = true)]
    pub dev: bool,

    /// Work on this agent instead of the default one
    #[arg(long, global = true, value_name = "ID")]
    pub agent: Option<String>,

    /// No colour, whatever the terminal can do
    #[arg(long, global = true)]
    pub no_color: bool,

    /// Print the version
    #[arg(short = 'V', short_alias = 'v', long, action = ArgAction::Version)]
    version: Option<bool>,

    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// The first word.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the status page of the running gateway in a browser
    #[command(after_help = "Example: openclaw dashboard --open")]
    Dashboard {
        /// Open it, signed in; else its address is printed
        #[arg(long)]
        open: bool,
    },
    /// Say one thing to a model over the gateway and print the answer, for scripts
    #[command(after_help = "Exit codes: 0 answered, 1 refused, 64 usage, 74 no gateway or I/O.")]
    Agent(AgentArgs),
    /// Talk with a model over the gateway, at the terminal or line by line
    Chat(ChatArgs),
    /// Find what is wrong with the credentials of this host and what they depend on, and mend it
    #[command(
        after_help = "Exit codes: 0 fine or only advice, 1 something is broken, 2 something will break."
    )]
    Doctor(Box<DoctorArgs>),
    /// Serve models to programs of this host with its credentials
    Gateway(GatewayArgs),
    /// Show and judge the credentials of this host
    Models(Box<ModelsArgs>),
    /// Tell Prometheus when the credentials of this host end
    Exporter(Box<ExporterArgs>),
    /// Watch the credentials of this host, and tell people when one of them is needed
    #[command(
        after_help = "Exit codes with --once: 0 ok, 1 a person is needed now, 2 soon. Always: 64 usage, 70 bug, \
                            74 I/O, 78 invalid ops.json: the check itself failed."
    )]
    Monitor(Box<MonitorArgs>),
    /// Set this host up: a credential, a model, the gateway's port and token
    Onboard(Box<OnboardArgs>),
    /// Let the monitor, the exporter or the gateway run unattended: systemd, launchd of macOS, termux-services
    #[command(subcommand)]
    Service(ServiceCommand),
    /// Show which key is in force, where it comes from, and whether the gateway's service has the same
    #[command(after_help = "Exit codes: 0 this shell and the service use the same, 1 they differ.")]
    Where(WhereArgs),
    /// Print what lets a shell complete the words of this program
    Completions(CompletionsArgs),
    /// Write the manual pages
    #[command(hide = true)]
    Man(ManArgs),
}

/// `models`, alone the same as `models status`.
#[derive(Debug, Args)]
pub struct ModelsArgs {
    #[command(flatten)]
    pub(crate) status: StatusArgs,

    #[arg(long, hide = true, conflicts_with = "plain")]
    pub(crate) status_json: bool,

    #[arg(long, hide = true, conflicts_with_all = ["status_json", "json"])]
    pub(crate) status_plain: bool,

    #[command(subcommand)]
    pub(crate) command: Option<ModelsCommand>,
}

/// The second word behind `models`.
#[derive(Debug, Subcommand)]
pub enum ModelsCommand {
    /// Show every credential, what is wrong with it, until when, and the command that mends it
    #[command(after_help = "Exit codes with --check: 0 ok, 1 expired, missing or unreadable, 2 expiring. \
                            Always: 64 usage, 70 bug, 74 I/O, 78 invalid config. Anything else is a failure.")]
    Status(StatusArgs),
    /// Make a model the default
    Set(ModelArg),
    /// Make a model the default for images
    SetImage(ModelArg),
    /// Find free models on openrouter.ai, try them, and fail over to those that answer and to no others
    Scan(ScanArgs),
    /// List the configured models
    List(ListArgs),
    /// Put credentials in, take them out, order them
    #[command(subcommand)]
    Auth(AuthCommand),
    /// Names for models
    #[command(subcommand)]
    Aliases(AliasesCommand),
    /// The models to fail over to
    #[command(subcommand)]
    Fallbacks(FallbacksCommand),
    /// The image models to fail over to
    #[command(subcommand)]
    ImageFallbacks(FallbacksCommand),
}

/// A model.
#[derive(Debug, Args)]
pub struct ModelArg {
    /// provider/model, or an alias
    pub model: String,
}

/// How a list is printed.
#[derive(Clone, Copy, Debug, Args)]
pub struct ListFormat {
    /// Print JSON
    #[arg(long, conflicts_with = "plain")]
    pub json: bool,

    /// Print one entry a line and nothing else
    #[arg(long)]
    pub plain: bool,
}

/// The options of `models list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Show every model that this program knows, not only the configured ones
    #[arg(long)]
    pub all: bool,

    /// Show only models that run on this host
    #[arg(long)]
    pub local: bool,

    /// Show only models of this provider
    #[arg(long, value_name = "ID")]
    pub provider: Option<String>,

    #[command(flatten)]
    pub(crate) format: ListFormat,
}

/// The options of `models scan`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct ScanArgs {
    /// Only models with at least that many billions of parameters
    #[arg(long, value_name = "B", value_parser = positive_number)]
    pub min_params: Option<f64>,

    /// Only models that were listed within that many days
    #[arg(long, value_name = "DAYS", value_parser = positive_number)]
    pub max_age_days: Option<f64>,

    /// Only models of this maker, for example meta-llama
    #[arg(long, value_name = "MAKER")]
    pub provider: Option<String>,

    /// How many models to try
    #[arg(long, value_name = "N", default_value = "6", value_parser = positive_count)]
    pub max_candidates: usize,

    /// How long each request may take, in ms
    #[arg(long, value_name = "MS", default_value = "12000", value_parser = clap::value_parser!(u64).range(1..))]
    pub timeout: u64,

    /// How many models to try at once
    #[arg(long, value_name = "N", default_value = "3", value_parser = positive_count)]
    pub concurrency: usize,

    /// Only list: send no request to a model, change nothing
    #[arg(long)]
    pub no_probe: bool,

    /// Replace the models to fail over to without asking
    #[arg(long)]
    pub yes: bool,

    /// The same
    #[arg(long)]
    pub no_input: bool,

    /// Make the first model the default too
    #[arg(long)]
    pub set_default: bool,

    /// Make the first model that sees images the image model too
    #[arg(long)]
    pub set_image: bool,

    /// Print JSON; replaces the models to fail over to without asking, unless --no-probe is given
    #[arg(long)]
    pub json: bool,
}

/// The third word behind `models aliases`.
#[derive(Debug, Subcommand)]
pub enum AliasesCommand {
    /// Show them
    List(ListFormat),
    /// Give a model another name
    Add {
        /// The name
        alias: String,
        /// provider/model
        model: String,
    },
    /// Take a name away
    Remove {
        /// The name
        alias: String,
    },
}

/// The third word behind `models fallbacks` and `models image-fallbacks`.
#[derive(Debug, Subcommand)]
pub enum FallbacksCommand {
    /// Show them
    List(ListFormat),
    /// Append a model
    Add(ModelArg),
    /// Take a model out
    Remove(ModelArg),
    /// Empty the list
    Clear,
}

/// Names of the reference: they become part of a folder name.
fn profile_name(text: &str) -> Result<String, String> {
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    let starts_well = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    if plain && starts_well && text.len() <= 64 {
        Ok(text.to_owned())
    } else {
        Err("use letters, numbers, \"_\" and \"-\" only, at most 64, starting with a letter or number"
            .to_owned())
    }
}

/// A number above zero.
fn positive_number(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(number),
        _ => Err("must be a number above zero".to_owned()),
    }
}

/// A count above zero, and small enough for one machine.
pub(crate) fn positive_count(text: &str) -> Result<usize, String> {
    match text.trim().parse::<usize>() {
        Ok(count) if (1..=100).contains(&count) => Ok(count),
        _ => Err("must be a whole number from 1 to 100".to_owned()),
    }
}

/// A span above zero in ms.
pub(crate) fn positive_span(text: &str) -> Result<u64, String> {
    match u64::try_from(parse_span(text)?) {
        Ok(ms) if ms > 0 => Ok(ms),
        _ => Err("must be longer than nothing".to_owned()),
    }
}
