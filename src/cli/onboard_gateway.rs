//! What `onboard` writes for the gateway.

use crate::cli::Session;
use crate::cli::onboard_args::OnboardArgs;
use crate::cli::secret_flag::secret_flag;
use crate::core::secret::Secret;
use crate::exit::CommandError;
use crate::format::config_edit::Edit;
use crate::format::config_sections::Config;
use crate::sys::random;
use crate::workspace::gateway::PORT;

/// Random bytes of a gateway token (reference: 24).
const TOKEN_BYTES: usize = 24;

/// What was asked for; `None` where the config's own value stays.
pub(super) struct Gateway {
    port: Option<u16>,
    bind: Option<String>,
    auth: Option<(&'static str, Secret)>,
    /// Whether clients are to prove themselves with a token, whichever.
    wants_token: bool,
    /// For a config that has no secret yet.
    fresh_token: Secret,
}

impl Gateway {
    /// Reads and checks the flags.
    pub(super) fn of(session: &Session<'_>, args: &OnboardArgs) -> Result<Self, CommandError> {
        let how = args.gateway_auth.as_deref();
        let fresh_token = random::hex(TOKEN_BYTES)
            .map_err(|error| CommandError::io(format!("failed to make a gateway token: {error}")))?;
        let auth = match (how, &args.gateway_token, &args.gateway_password) {
            (Some("password"), _, None) => {
                return Err(CommandError::usage("Missing --gateway-password for password auth."));
            }
            (_, Some(_), Some(_)) => {
                return Err(CommandError::usage(
                    "--gateway-token and --gateway-password cannot be used together",
                ));
            }
            (Some("token"), _, Some(_)) => {
                return Err(CommandError::usage(
                    "the gateway's secret is not of the kind that --gateway-auth names",
                ));
            }
            (_, None, Some(written)) => Some((
                "password",
                checked("gateway-password", &secret_flag(session, "gateway-password", written)?)?,
            )),
            (_, Some(written), None) => {
                Some(("token", checked("gateway-token", &secret_flag(session, "gateway-token", written)?)?))
            }
            (_, None, None) => None,
        };
        let (port, bind) = (args.gateway_port, args.gateway_bind.clone());
        Ok(Self { port, bind, auth, wants_token: how == Some("token"), fresh_token })
    }

    /// The edits of the config.
    pub(super) fn edits(&self, config: &Config) -> Vec<Edit> {
        let known = &config.gateway;
        let mut edits = Vec::new();
        if known.mode.is_none() {
            edits.push(Edit::set(["gateway", "mode"], "local"));
        }
        if let Some(port) = self.port.or_else(|| known.port.is_none().then_some(PORT)) {
            edits.push(Edit::set(["gateway", "port"], port));
        }
        let default_bind = || known.bind.is_none().then(|| "loopback".to_owned());
        if let Some(bind) = self.bind.clone().or_else(default_bind) {
            edits.push(Edit::set(["gateway", "bind"], bind));
        }
        let has_other = self.wants_token && known.auth_mode == Some("password");
        let fresh = (known.secret.is_none() || has_other).then_some(("token", &self.fresh_token));
        if let Some((mode, secret)) = self.auth.as_ref().map(|(mode, secret)| (*mode, secret)).or(fresh) {
            edits.push(Edit::set(["gateway", "auth", "mode"], mode));
            edits.push(Edit::set(["gateway", "auth", mode], secret.expose()));
        }
        edits
    }
}

/// A gateway with a blank secret would be open to everybody, one with a line break in it to nobody.
fn checked(flag: &str, secret: &Secret) -> Result<Secret, CommandError> {
    let refused = |why: &str| CommandError::usage(format!("--{flag} {why}")).hint("nothing was stored");
    if secret.is_blank() {
        return Err(refused("is blank"));
    }
    if secret.expose().chars().any(char::is_control) {
        return Err(refused("has control characters in it"));
    }
    Ok(secret.clone())
}
