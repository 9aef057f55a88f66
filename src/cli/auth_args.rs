//! The command tree below `models auth`. Help texts are the doc comments.

use clap::{Args, Subcommand};

use crate::cli::args::positive_span;
use crate::cli::reauth_args::{ClaudeStatusArgs, ReauthArgs};

/// The third word behind `models auth`.
#[derive(Debug, Subcommand)]
pub enum AuthCommand {
    /// Add a token or a login, step by step
    Add,
    /// Log in at a provider in the browser, or with a code
    Login(LoginArgs),
    /// List the profiles of an agent
    List(AuthListArgs),
    /// Store a token that you paste or pipe in
    PasteToken(PasteTokenArgs),
    /// Make a long-lived token with `claude setup-token` and store it
    SetupToken(SetupTokenArgs),
    /// Show the states of Claude Code's login and of the store's best profile for Anthropic, in the words of scripts
    #[command(
        after_help = "Exit codes with simple: 0 OK, 1 ended or missing, 2 ends within the hour. Otherwise 0."
    )]
    ClaudeStatus(ClaudeStatusArgs),
    /// Be led through a new login at Anthropic when one is needed, also over ssh from a phone
    #[command(after_help = "Exit codes: 0 nobody is needed any more, 1 somebody still is.")]
    Reauth(ReauthArgs),
    /// Renew logins with their refresh tokens
    #[command(
        after_help = "Exit codes: 0 every login is good, 1 one could not be renewed, 74 new tokens could not be \
                            stored everywhere (they are kept in a recovery file)."
    )]
    Refresh(RefreshArgs),
    /// Take a profile out of the store
    Remove(AuthRemoveArgs),
    /// Let a profile that is cooling down or disabled be used again
    Unblock(ProfileArg),
    /// The order in which the profiles of a provider are tried
    #[command(subcommand)]
    Order(OrderCommand),
}

/// A profile.
#[derive(Debug, Args)]
pub struct ProfileArg {
    /// The profile id, for example anthropic:manual
    #[arg(value_name = "PROFILE")]
    pub profile_id: String,
}

/// The options of `models auth login`.
#[derive(Debug, Default, Args)]
pub struct LoginArgs {
    /// Where to log in: chutes, openai-codex or qwen-portal [default: asked]
    #[arg(long, value_name = "ID")]
    pub provider: Option<String>,

    /// The profile to store the login under [default: PROVIDER:your e-mail address]
    #[arg(long, value_name = "PROFILE")]
    pub profile_id: Option<String>,

    /// The OAuth client to log in with [default: the provider's public one, or that of ops.json; asked for chutes]
    #[arg(long, value_name = "ID")]
    pub client_id: Option<String>,

    /// Make the provider's model the default
    #[arg(long)]
    pub set_default: bool,

    /// How long to wait for the login [default: 5m]
    #[arg(long, value_name = "SPAN", value_parser = positive_span)]
    pub timeout: Option<u64>,

    #[arg(long, hide = true, value_parser = ["device", "oauth"])]
    pub(crate) method: Option<String>,
}

/// The options of `models auth list`.
#[derive(Debug, Args)]
pub struct AuthListArgs {
    /// Print JSON: the profiles as `models status --json` has them
    #[arg(long)]
    pub json: bool,
}

/// The options of `models auth refresh`.
#[derive(Debug, Args)]
pub struct RefreshArgs {
    /// The login to renew [default: every one that is due]
    #[arg(value_name = "PROFILE", conflicts_with_all = ["provider", "all"])]
    pub profile_id: Option<String>,

    /// Only logins of this provider
    #[arg(long, value_name = "ID", conflicts_with = "all")]
    pub provider: Option<String>,

    /// Every login that is due, as without a name
    #[arg(long)]
    pub all: bool,

    /// Also what is not due, and what failed a moment ago
    #[arg(long)]
    pub force: bool,

    /// How long a provider gets for its answer [default: 30s]; one that comes later is lost, and the login with it
    #[arg(long, value_name = "SPAN", value_parser = positive_span)]
    pub timeout: Option<u64>,

    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// The options of `models auth remove`.
#[derive(Debug, Args)]
pub struct AuthRemoveArgs {
    #[command(flatten)]
    pub(crate) profile: ProfileArg,

    /// Do not ask
    #[arg(long)]
    pub yes: bool,
}

/// The options of `models auth paste-token`.
#[derive(Debug, Args)]
pub struct PasteTokenArgs {
    /// The provider that the token is for
    #[arg(long, value_name = "ID")]
    pub provider: String,

    /// The profile to store it under [default: PROVIDER:manual]
    #[arg(long, value_name = "PROFILE")]
    pub profile_id: Option<String>,

    /// When it ends, counted from now: 365d, 12h; nothing verifies it
    #[arg(long, value_name = "SPAN", value_parser = crate::core::token::span_ms, allow_hyphen_values = true)]
    pub expires_in: Option<i64>,
}

/// The options of `models auth setup-token`.
#[derive(Debug, Args)]
pub struct SetupTokenArgs {
    /// The provider; only anthropic has setup tokens
    #[arg(long, value_name = "ID", default_value = "anthropic")]
    pub provider: String,

    /// Do not ask before `claude setup-token` is run
    #[arg(long)]
    pub yes: bool,
}

/// The fourth word behind `models auth order`.
#[derive(Debug, Subcommand)]
pub enum OrderCommand {
    /// Show the order
    Get {
        /// The provider
        #[arg(long, value_name = "ID")]
        provider: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Set the order
    Set {
        /// The provider
        #[arg(long, value_name = "ID")]
        provider: String,
        /// Profile ids, the first one is tried first
        #[arg(required = true, value_name = "PROFILE")]
        profiles: Vec<String>,
    },
    /// Go back to the default order
    Clear {
        /// The provider
        #[arg(long, value_name = "ID")]
        provider: String,
    },
}
