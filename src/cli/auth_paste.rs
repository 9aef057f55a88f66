//! `openclaw models auth paste-token`.

use serde_json::json;

use crate::cli::Session;
use crate::cli::args::PasteTokenArgs;
use crate::core::credential::{CLAUDE_CLI_PROFILE, Credential, Expiry, Material};
use crate::core::provider::{self, PROVIDERS};
use crate::core::secret::Secret;
use crate::core::token;
use crate::exit::{CommandError, ExitStatus};
use crate::format::config_edit::Edit;
use crate::format::config_sections::Config;
use crate::render::printable;
use crate::settings;
use crate::sys::terminal::{self, Answer};
use crate::workspace::Workspace;
use crate::workspace::logins::Login;

/// How alike two provider ids must be to take one for a slip of the other.
const SLIP: f64 = 0.85;
/// The longest profile id that makes sense.
const LONGEST_ID: usize = 200;

/// Stores a token under a profile and names it in the config.
pub(super) fn run(session: &Session<'_>, args: &PasteTokenArgs) -> Result<ExitStatus, CommandError> {
    let workspace = session.profiles(true)?;
    let provider = known_provider(&workspace, &args.provider)?;
    let id =
        args.profile_id.as_deref().map_or_else(|| format!("{provider}:manual"), |id| id.trim().to_owned());
    if id.is_empty() || id.chars().any(char::is_control) || id.len() > LONGEST_ID {
        return Err(CommandError::usage("the profile id must be a short text without control characters"));
    }
    let pasted = ask(session, &provider)?;
    let token = token::checked(&pasted).map_err(|why| {
        CommandError::usage(format!("this cannot be a token: {why}")).hint("nothing was stored")
    })?;
    let is_setup_token = token::is_setup_token(token.expose());
    let is_mirrored = workspace.login(&id).is_some_and(Login::is_present);
    if is_mirrored && !(id == CLAUDE_CLI_PROFILE && token::is_whole_setup_token(token.expose())) {
        return Err(CommandError::usage(format!(
            "{id} mirrors a login of a vendor's program and would be replaced by it"
        ))
        .hint(format!("store the token under another profile, for example {provider}:manual")));
    }
    let expires = match args.expires_in {
        Some(span) if span > 0 => Expiry::At(session.clock.now().timestamp_millis().saturating_add(span)),
        _ => Expiry::Absent,
    };
    let updated = store_token(session, &workspace, &provider, &id, token, expires)?;
    if args.expires_in.is_some_and(|span| span > 0) {
        session.printer.message("note: the expiry is the one that you declared; nothing verifies it");
    } else if is_setup_token {
        session.printer.message(
            "note: a setup token ends a year after it was made and does not say when; with --expires-in the status can warn",
        );
    }
    Ok(session.printer.answer(&updated))
}

/// Puts a token under a profile and names it in the config, or leaves both as they were. Gives what to print.
pub(super) fn store_token(
    session: &Session<'_>,
    workspace: &Workspace,
    provider: &str,
    id: &str,
    token: Secret,
    expires: Expiry,
) -> Result<String, CommandError> {
    let credential = Credential {
        provider: provider.to_owned(),
        email: None,
        material: Material::Token { token: Some(token), expires },
    };
    Session::rehearse_config(workspace, |config| Ok(name_in_config(config, provider, id)))?;
    let mut before = None;
    session.change_store(workspace, |store| {
        before = store.raw_entry(id);
        store.upsert(id, credential.clone());
        true
    })?;
    let changed = session.change_config(workspace, |config| Ok(name_in_config(config, provider, id)));
    let updated = changed.map_err(|error| {
        // A profile that the config does not name would be half of the wish: the entry goes back to what it was.
        let restored = session.change_store(workspace, |store| {
            let is_ours = store.profile(id) == Some(&credential);
            if is_ours {
                store.restore_entry(id, before.clone());
            }
            is_ours
        });
        match restored {
            Ok(_) => error.hint("the profile was put back as it was"),
            Err(_) => error.hint(format!("profile {} was stored all the same", printable(id))),
        }
    })?;
    let (id, provider) = (printable(id), printable(provider));
    Ok(format!("{updated}Auth profile: {id} ({provider}/token)\n"))
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

/// The profile's entry, and the first place in an order that the config has for the provider.
fn name_in_config(config: &Config, provider: &str, id: &str) -> Vec<Edit> {
    // The reference takes a stored token under the mode oauth for this one profile.
    let mode = if id == CLAUDE_CLI_PROFILE { "oauth" } else { "token" };
    let mut edits = vec![Edit::set(["auth", "profiles", id], json!({"provider": provider, "mode": mode}))];
    let order = config.auth_order.iter().find(|(known, _)| provider::normalize(known) == *provider);
    if let Some((key, ids)) = order.filter(|(_, ids)| ids.first().is_none_or(|first| first != id)) {
        let path = ["auth", "order", key.as_str()].map(str::to_owned).to_vec();
        let places = settings::places(ids, |known| known == id);
        if !places.is_empty() {
            edits.push(Edit::Drop(path.clone(), places));
        }
        edits.push(Edit::Prepend(path, json!(id)));
    }
    edits
}
