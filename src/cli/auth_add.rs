//! `openclaw models auth add`: a token or a login, asked for step by step.

use crate::cli::auth_args::{LoginArgs, PasteTokenArgs, SetupTokenArgs};
use crate::cli::auth_paste::known_provider;
use crate::cli::{Session, auth_login, auth_paste, auth_setup_token};
use crate::core::onboarding::LOGINS;
use crate::core::{provider, token};
use crate::exit::{CommandError, ExitStatus};

/// Asks what to add and adds it.
pub(super) fn run(session: &Session<'_>) -> Result<ExitStatus, CommandError> {
    if !session.printer.process().stdin_is_terminal() {
        return Err(CommandError::usage("models auth add requires an interactive TTY.")
            .hint("`openclaw models auth paste-token --provider …` reads a token from a pipe"));
    }
    let mut providers = vec![("anthropic", "Anthropic")];
    providers.extend(LOGINS);
    providers.push(("custom", "a token of another provider"));
    let provider = match session.choose("Token provider?", &providers)? {
        "custom" => known_provider(&session.workspace()?, &session.ask("Provider id?", None)?)?,
        "anthropic" => "anthropic".to_owned(),
        login => {
            let args = LoginArgs { provider: Some(login.to_owned()), ..LoginArgs::default() };
            return auth_login::run(session, &args);
        }
    };
    let provider = provider::normalize(&provider);
    if provider == "anthropic" {
        let methods = [("setup-token", "make one with `claude setup-token`"), ("paste", "paste a token")];
        if session.choose("Token method?", &methods)? == "setup-token" {
            return auth_setup_token::run(session, &SetupTokenArgs { provider, yes: true });
        }
    }
    let profile_id = session.ask("Profile id?", Some(&format!("{provider}:manual")))?;
    let expires_in = if session.is_confirmed("Does this token expire?", false)? {
        let span = session.ask("Expires in?", Some("365d"))?;
        Some(token::span_ms(&span).map_err(CommandError::usage)?)
    } else {
        None
    };
    auth_paste::run(session, &PasteTokenArgs { provider, profile_id: Some(profile_id), expires_in })
}
