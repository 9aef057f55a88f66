//! `openclaw models auth paste-token`.

use crate::cli::Session;
use crate::cli::auth_args::PasteTokenArgs;
use crate::cli::new_profile::{self, NewProfile};
use crate::core::credential::Expiry;
use crate::core::provider::{self, PROVIDERS};
use crate::core::secret::Secret;
use crate::core::token;
use crate::exit::{CommandError, ExitStatus};
use crate::render::printable;
use crate::sys::terminal::{self, Answer};
use crate::workspace::Workspace;

/// How alike two provider ids must be to take one for a slip of the other.
const SLIP: f64 = 0.85;

/// Stores a token under a profile and names it in the config.
pub(super) fn run(session: &Session<'_>, args: &PasteTokenArgs) -> Result<ExitStatus, CommandError> {
    let workspace = session.profiles(true)?;
    let provider = known_provider(&workspace, &args.provider)?;
    let id = new_profile::checked_id(args.profile_id.as_deref().unwrap_or(&format!("{provider}:manual")))?;
    new_profile::refuse_taken(&workspace, &id, &provider)?;
    let pasted = ask(session, &provider)?;
    let token = token::checked(&pasted).map_err(|why| {
        CommandError::usage(format!("this cannot be a token: {why}")).hint("nothing was stored")
    })?;
    let is_setup_token = token::is_setup_token(token.expose());
    new_profile::refuse_mirror(&workspace, &id, token::is_whole_setup_token(token.expose()))?;
    let expires = match args.expires_in {
        Some(span) if span > 0 => Expiry::At(session.clock.now().timestamp_millis().saturating_add(span)),
        _ => Expiry::Absent,
    };
    let updated = NewProfile::token(&provider, &id, token, expires).put(session, &workspace)?;
    if args.expires_in.is_some_and(|span| span > 0) {
        session.printer.message("note: the expiry is the one that you declared; nothing verifies it");
    } else if is_setup_token {
        session.printer.message(
            "note: a setup token ends a year after it was made and does not say when; with --expires-in the status can warn",
        );
    }
    Ok(session.printer.answer(&updated))
}

/// A provider that nobody knows may be one of the user's own, but not a slip of a known one.
pub(super) fn known_provider(workspace: &Workspace, written: &str) -> Result<String, CommandError> {
    let id = provider::normalize(written);
    if id.is_empty() || id.chars().any(char::is_control) {
        return Err(CommandError::usage("--provider must be the id of a provider"));
    }
    let is_configured = workspace.config.providers.iter().any(|(known, _)| provider::normalize(known) == id);
    if provider::find(&id).is_some() || is_configured {
        return Ok(id);
    }
    let meant = PROVIDERS
        .iter()
        .map(|known| (strsim::jaro_winkler(known.id, &id), known.id))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(score, _)| *score >= SLIP);
    match meant {
        Some((_, meant)) => {
            Err(CommandError::usage(format!("unknown provider \"{id}\""))
                .hint(format!("did you mean {meant}?")))
        }
        None => Ok(id),
    }
}

/// From the terminal without echo, else one line of stdin.
fn ask(session: &Session<'_>, provider: &str) -> Result<Secret, CommandError> {
    let process = session.printer.process();
    if process.stdin_is_terminal() {
        return ask_on_terminal(&format!("Paste token for {} (nothing is shown): ", printable(provider)));
    }
    match process.read_line().map_err(unread)? {
        Some(line) => Ok(Secret::new(line)),
        None => Err(CommandError::usage("no token was given").hint(format!(
            "`openclaw models auth paste-token --provider {provider} < FILE`, or run it on a terminal"
        ))),
    }
}

/// From the terminal, without echo.
pub(super) fn ask_on_terminal(prompt: &str) -> Result<Secret, CommandError> {
    match terminal::ask_hidden(prompt).map_err(unread)? {
        Answer::Line(token) => Ok(token),
        Answer::Cancelled => Err(CommandError::interrupted()),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in `map_err`")]
fn unread(error: std::io::Error) -> CommandError {
    CommandError::usage(format!("failed to read the token: {error}"))
}
