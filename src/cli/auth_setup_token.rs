//! `openclaw models auth setup-token`.

use std::io;
use std::process::Command;

use crate::cli::Session;
use crate::cli::auth_args::SetupTokenArgs;
use crate::cli::auth_paste::ask_on_terminal;
use crate::cli::new_profile::NewProfile;
use crate::core::credential::{CLAUDE_CLI_PROFILE, Expiry, Material};
use crate::core::login::VendorLogin;
use crate::core::provider;
use crate::core::secret::Secret;
use crate::core::token;
use crate::exit::{CommandError, ExitStatus};
use crate::sys::{child, signals};
use crate::workspace::Workspace;

/// Where the token goes when Claude Code has a login of its own: the next sync would take the other profile.
const OWN_PROFILE: &str = "anthropic:manual";

/// Runs `claude setup-token` on the terminal and stores the token that it made.
pub(super) fn run(session: &Session<'_>, args: &SetupTokenArgs) -> Result<ExitStatus, CommandError> {
    if provider::normalize(&args.provider) != "anthropic" {
        return Err(CommandError::usage(
            "Only --provider anthropic is supported for setup-token (uses `claude setup-token`).",
        ));
    }
    if !session.printer.process().stdin_is_terminal() {
        return Err(CommandError::usage("setup-token requires an interactive TTY.")
            .hint("on a host without one: `openclaw models auth paste-token --provider anthropic < FILE`"));
    }
    let before = vendor_login(&session.workspace()?);
    if !args.yes && !session.is_confirmed("Run `claude setup-token` now?", true)? {
        return Err(CommandError::refused("`claude setup-token` was not run; nothing was changed"));
    }
    make_token()?;
    let workspace = session.profiles(true)?;
    let after = vendor_login(&workspace);
    let (token, expires) = match gained(&before, &after) {
        Some(gained) => gained,
        None => (typed()?, Expiry::Absent),
    };
    let id = match after {
        VendorLogin::Present { material: Material::OAuth { .. }, .. } => {
            session.printer.message(&format!(
                "note: Claude Code has a login of its own, which stays; the token is stored as {OWN_PROFILE}"
            ));
            OWN_PROFILE
        }
        _ => CLAUDE_CLI_PROFILE,
    };
    let profile = NewProfile::token("anthropic", id, token, expires);
    Ok(session.printer.answer(&profile.put(session, &workspace)?))
}

fn vendor_login(workspace: &Workspace) -> VendorLogin {
    workspace.login(CLAUDE_CLI_PROFILE).map_or(VendorLogin::None, |login| login.login.clone())
}

/// Runs the vendor's program; it shows its own pages and errors.
fn make_token() -> Result<(), CommandError> {
    let signals = signals::defer();
    let ended = child::attached(Command::new("claude").arg("setup-token"));
    if signals.is_pending() {
        return Err(CommandError::interrupted());
    }
    match ended {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(CommandError::refused(status.code().map_or_else(
            || "claude setup-token was ended by a signal".to_owned(),
            |code| format!("claude setup-token failed (exit {code})"),
        ))
        .hint("nothing was stored")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(CommandError::refused("the program `claude` is not on the PATH")
                .hint("install Claude Code, or make a token elsewhere and run `openclaw models auth paste-token --provider anthropic`"))
        }
        Err(error) => Err(CommandError::io(format!("failed to run `claude`: {error}"))),
    }
}

/// The token that the program put into its own file, when it did.
fn gained(before: &VendorLogin, after: &VendorLogin) -> Option<(Secret, Expiry)> {
    match after {
        VendorLogin::Present { material: Material::Token { token: Some(token), expires }, .. }
            if before != after =>
        {
            Some((token.clone(), *expires))
        }
        _ => None,
    }
}

/// The token that the program showed, typed or pasted by the person. The screen itself is never read.
fn typed() -> Result<Secret, CommandError> {
    let pasted = ask_on_terminal("Paste the token that was shown (nothing is shown here): ")?;
    let token = token::checked(&pasted).map_err(|why| {
        CommandError::usage(format!("this cannot be a setup token: {why}")).hint("nothing was stored")
    })?;
    if !token::is_whole_setup_token(token.expose()) {
        return Err(
            CommandError::usage("Expected token starting with sk-ant-oat01-").hint("nothing was stored")
        );
    }
    Ok(token)
}
