//! The options of `models status`, and what every verdict goes by. Help texts are the doc comments.

use clap::{Args, ValueEnum};

use crate::cli::args::{positive_count, positive_span};
use crate::core::report::Refreshable;
use crate::format::ops::parse_span;

/// The options of `models status`.
#[derive(Clone, Debug, Default, PartialEq, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct StatusArgs {
    /// Print JSON (docs/models-status.schema.json)
    #[arg(long, conflicts_with = "plain")]
    pub json: bool,

    /// Print only the default model
    #[arg(long)]
    pub plain: bool,

    /// Print one line, for a phone or a status bar
    #[arg(long, conflicts_with_all = ["json", "plain", "probe", "usage", "watch"])]
    pub line: bool,

    /// Let the exit code tell the verdict
    #[arg(long)]
    pub check: bool,

    /// Write nothing: take vendor logins into account only for this report
    #[arg(long)]
    pub no_sync: bool,

    /// Renew what is due first; this is the only way in which a status sends anything
    #[arg(long, conflicts_with = "no_sync")]
    pub refresh: bool,

    /// Ask providers how much of a subscription is left; none is asked more than once in five minutes
    #[arg(long, conflicts_with_all = ["plain", "watch"])]
    pub usage: bool,

    /// Try every credential for real: with a request that has no effect, or with one tiny completion (--probe=model)
    #[arg(
        long,
        value_name = "HOW",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "cheap",
        conflicts_with_all = ["plain", "watch"]
    )]
    pub probe: Option<ProbeArg>,

    /// Try only credentials of this provider
    #[arg(long, value_name = "ID")]
    pub probe_provider: Option<String>,

    /// Try only these profiles
    #[arg(long, value_name = "PROFILE", value_delimiter = ',')]
    pub probe_profile: Vec<String>,

    /// How long each try may take, in ms
    /// [default: 8000]
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..))]
    pub probe_timeout: Option<u64>,

    /// How many credentials are tried at once
    /// [default: 2]
    #[arg(long, value_name = "N", value_parser = positive_count, allow_hyphen_values = true)]
    pub probe_concurrency: Option<usize>,

    /// How long the answer of a model may be, in tokens
    /// [default: 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), allow_hyphen_values = true)]
    pub probe_max_tokens: Option<u32>,

    /// How it is judged.
    #[command(flatten)]
    pub policy: PolicyArgs,

    /// Report as unreadable what cannot be read within this span
    /// [default: 10s]
    #[arg(long, value_name = "SPAN", value_parser = positive_span)]
    pub timeout: Option<u64>,

    /// Redraw every SPAN until interrupted
    #[arg(
        long,
        value_name = "SPAN",
        value_parser = positive_span,
        num_args = 0..=1,
        default_missing_value = "5s",
        conflicts_with_all = ["json", "plain", "check"]
    )]
    pub watch: Option<u64>,
}

impl StatusArgs {
    /// Options given before and behind the word `status` count alike.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        Self {
            json: self.json || other.json,
            plain: self.plain || other.plain,
            line: self.line || other.line,
            check: self.check || other.check,
            no_sync: self.no_sync || other.no_sync,
            refresh: self.refresh || other.refresh,
            usage: self.usage || other.usage,
            probe: self.probe.or(other.probe),
            probe_provider: self.probe_provider.clone().or_else(|| other.probe_provider.clone()),
            probe_profile: [&self.probe_profile[..], &other.probe_profile].concat(),
            probe_timeout: self.probe_timeout.or(other.probe_timeout),
            probe_concurrency: self.probe_concurrency.or(other.probe_concurrency),
            probe_max_tokens: self.probe_max_tokens.or(other.probe_max_tokens),
            policy: self.policy.or(other.policy),
            timeout: self.timeout.or(other.timeout),
            watch: self.watch.or(other.watch),
        }
    }
}

/// The words of `--probe`.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub enum ProbeArg {
    /// A request that has no effect
    Cheap,
    /// One tiny completion
    Model,
}

/// What a verdict goes by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Args)]
pub struct PolicyArgs {
    /// Warn when something ends within this span [default: 24h, or check.warnAfter of ops.json]
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    pub warn_after: Option<i64>,

    /// Judge renewable logins by their access token (strict) or by when a person is needed (lenient)
    /// [default: strict, or check.refreshable of ops.json]
    #[arg(long, value_name = "POLICY")]
    pub refreshable: Option<RefreshableArg>,
}

impl PolicyArgs {
    /// These options, and those of another place where these say nothing.
    fn or(self, other: Self) -> Self {
        Self {
            warn_after: self.warn_after.or(other.warn_after),
            refreshable: self.refreshable.or(other.refreshable),
        }
    }
}

/// The words of `--refreshable`.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub enum RefreshableArg {
    /// The expiry of the stored access token counts
    Strict,
    /// The date on which a person is needed counts
    Lenient,
}

impl From<RefreshableArg> for Refreshable {
    fn from(word: RefreshableArg) -> Self {
        match word {
            RefreshableArg::Strict => Self::Strict,
            RefreshableArg::Lenient => Self::Lenient,
        }
    }
}
