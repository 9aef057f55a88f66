//! `openclaw models auth login`.

use std::fmt::Write;
use std::time::Duration;

use serde_json::json;

use crate::cli::Session;
use crate::cli::auth_args::LoginArgs;
use crate::cli::auth_paste::known_provider;
use crate::cli::new_profile::{self, NewProfile};
use crate::clock::Deadline;
use crate::core::credential::{Credential, Expiry, Material};
use crate::core::oauth::{self, LoginFlow, OAUTH, OAuth, Tokens};
use crate::core::onboarding::{CODEX_MODEL, QWEN_MODELS, QWEN_URL};
use crate::core::provider;
use crate::exit::{CommandError, ExitStatus};
use crate::format::config_edit::Edit;
use crate::format::config_sections::Config;
use crate::login::{BrowserLogin, DeviceLogin, Parties, Polled};
use crate::process::Process;
use crate::render::printable;
use crate::settings::{self, Slot};
use crate::sys::signals;
use crate::sys::terminal::{self, Answer};
use crate::workspace::Workspace;
use crate::workspace::logins::Login;

/// How long a person gets to log in.
const TIME_LIMIT: Duration = Duration::from_mins(5);

/// Logs a person in at a provider and stores the login.
pub(super) fn run(session: &Session<'_>, args: &LoginArgs) -> Result<ExitStatus, CommandError> {
    if !session.printer.process().stdin_is_terminal() {
        return Err(CommandError::usage("models auth login requires an interactive TTY.").hint(
            "log in on a host with a terminal, or paste a token: `openclaw models auth paste-token --provider …`",
        ));
    }
    let workspace = session.profiles(true)?;
    let provider = match &args.provider {
        Some(written) => known_provider(&workspace, written)?,
        None => choose(session)?.to_owned(),
    };
    let wish = Wish {
        provider: &provider,
        profile_id: args.profile_id.as_deref(),
        set_default: args.set_default,
        limit: args.timeout.map(Duration::from_millis),
    };
    Ok(session.printer.answer(&log_in(session, &workspace, &wish)?))
}

/// A login that somebody wants.
pub(super) struct Wish<'w> {
    pub(super) provider: &'w str,
    /// Where to store it, when not under the name of the account.
    pub(super) profile_id: Option<&'w str>,
    /// Whether the provider's model becomes the default.
    pub(super) set_default: bool,
    /// How long a person gets.
    pub(super) limit: Option<Duration>,
}

/// Logs a person in and stores the login. Gives what to print.
pub(super) fn log_in(
    session: &Session<'_>,
    workspace: &Workspace,
    wish: &Wish<'_>,
) -> Result<String, CommandError> {
    let (oauth, flow) = offered(wish.provider)?;
    let profile_id = wish.profile_id.map(new_profile::checked_id).transpose()?;
    if let Some(id) = profile_id.as_deref().filter(|id| workspace.login(id).is_some_and(Login::is_present)) {
        return Err(CommandError::usage(format!(
            "{id} mirrors a login of a vendor's program and would be replaced by it"
        ))
        .hint("log in under another --profile-id"));
    }
    let parties = parties(session, workspace, oauth)?;
    let issued_to = (Some(parties.client.id.as_str()) != oauth.client_id).then(|| parties.client.id.clone());
    let limit = Deadline::after(wish.limit.unwrap_or(TIME_LIMIT));
    let tokens = match flow {
        LoginFlow::Browser(flow) => {
            let login = BrowserLogin::begin(session.printer.process(), workspace, parties, flow);
            by_browser(session, &login.map_err(refused)?, limit)?
        }
        LoginFlow::Device(flow) => {
            let login = DeviceLogin::begin(workspace, parties, flow).map_err(refused)?;
            by_device(session, login, limit)?
        }
    };
    keep(session, workspace, oauth, profile_id, issued_to, &tokens, wish.set_default)
}

fn choose(session: &Session<'_>) -> Result<&'static str, CommandError> {
    let offered = OAUTH.iter().filter(|oauth| oauth.login.is_some());
    let choices: Vec<_> = offered.map(|oauth| (oauth.provider, oauth.provider)).collect();
    session.choose("Log in where?", &choices)
}

/// What is offered for a provider, or where its logins come from instead.
fn offered(provider_id: &str) -> Result<(&'static OAuth, &'static LoginFlow), CommandError> {
    if let Some(oauth) = oauth::find(provider_id)
        && let Some(flow) = oauth.login
    {
        return Ok((oauth, flow));
    }
    let error = CommandError::usage(format!("there is no login for {} here", printable(provider_id)));
    Err(match provider_id {
        "anthropic" => error
            .hint("`claude auth login`; the next status takes it over")
            .hint("or `openclaw models auth setup-token` for a token that lives a year"),
        "github-copilot" => error
            .hint("`openclaw models auth paste-token --provider github-copilot`, or COPILOT_GITHUB_TOKEN"),
        _ => match provider::find(provider_id).and_then(|known| known.env.last()) {
            Some(variable) => error.hint(format!("set {variable}, or run `openclaw onboard`")),
            None => error.hint("logins are offered for chutes, openai-codex and qwen-portal"),
        },
    })
}

fn parties<'s>(
    session: &Session<'s>,
    workspace: &Workspace,
    oauth: &'static OAuth,
) -> Result<Parties<'s>, CommandError> {
    let process = session.printer.process();
    if let Some(parties) = Parties::of(process, workspace, session.clock, oauth, None).map_err(refused)? {
        return Ok(parties);
    }
    let asked = session.ask(&format!("OAuth client id for {}?", oauth.provider), None)?;
    let asked = Some(asked).filter(|id| !id.is_empty() && !id.chars().any(char::is_control));
    let parties = match asked {
        Some(asked) => Parties::of(process, workspace, session.clock, oauth, Some(asked)).map_err(refused)?,
        None => None,
    };
    parties.ok_or_else(|| CommandError::usage("no OAuth client was given; nothing was changed"))
}

/// Shows the page and waits for whatever comes first: the browser, a paste, Ctrl-C, the end of patience.
fn by_browser(
    session: &Session<'_>,
    login: &BrowserLogin<'_>,
    limit: Deadline,
) -> Result<Tokens, CommandError> {
    let process = session.printer.process();
    let callback = login.listen();
    show_page(session, login.page.as_str());
    if let Err(reason) = &callback {
        session.printer.message(&format!("note: the browser cannot come back by itself: {reason}"));
    }
    open_browser(process, login.page.as_str());
    let mut query = None;
    let mut has_happened = || {
        query = callback.as_ref().ok().and_then(crate::sys::loopback::Callback::poll);
        query.is_some() || limit.has_passed()
    };
    let prompt = "Waiting for the browser. Is it on another machine, paste the address that it ends at (nothing is shown): ";
    let answer = ask(prompt, &mut has_happened)?;
    let code = match (answer, query) {
        (Some(Answer::Line(pasted)), _) => login.code_of_paste(&pasted),
        (Some(Answer::Cancelled), _) => return Err(CommandError::interrupted()),
        (None, Some(query)) => login.code_of_query(&query),
        (None, None) => Err("nobody logged in in time".to_owned()),
    };
    drop(callback);
    let code = code.map_err(refused)?;
    // From here on an answer may be on its way: it must not be lost to a Ctrl-C.
    let _signals = signals::defer();
    let progress = session.printer.progress();
    progress.show("changing the code for tokens");
    login.exchange(&code).map_err(|failure| refused(failure.message))
}

fn by_device(
    session: &Session<'_>,
    mut login: DeviceLogin<'_>,
    limit: Deadline,
) -> Result<Tokens, CommandError> {
    let page = login.complete_page.as_ref().unwrap_or(&login.page).to_string();
    show_page(session, &page);
    session.printer.message(&format!("Code: {}", printable(&login.user_code)));
    open_browser(session.printer.process(), &page);
    let mut next = Deadline::after(login.interval);
    let mut ended = None;
    let mut has_happened = || {
        if next.has_passed() {
            match login.poll() {
                Polled::Pending => next = Deadline::after(login.interval),
                other => ended = Some(other),
            }
        }
        ended.is_some() || limit.has_passed()
    };
    // Whatever is typed here is for the browser; only Ctrl-C is for us.
    let prompt = "Waiting for the code to be typed in the browser (Ctrl-C ends it). ";
    while let Some(answer) = ask(prompt, &mut has_happened)? {
        if matches!(answer, Answer::Cancelled) {
            return Err(CommandError::interrupted());
        }
    }
    match ended {
        Some(Polled::Granted(tokens)) => Ok(tokens),
        Some(Polled::Over(why)) => Err(refused(why)),
        Some(Polled::Pending) | None => Err(refused("nobody logged in in time")),
    }
}

fn ask(prompt: &str, has_happened: &mut dyn FnMut() -> bool) -> Result<Option<Answer>, CommandError> {
    terminal::ask_hidden_unless(prompt, has_happened)
        .map_err(|error| CommandError::usage(format!("failed to read the answer: {error}")))
}

fn show_page(session: &Session<'_>, page: &str) {
    session.printer.message(&format!("Open this page in a browser and log in:\n\n  {page}\n"));
}

/// Opens the page where there is a browser to see it in.
fn open_browser(process: &Process, page: &str) {
    if process.has_browser() {
        // Whoever has none has the address.
        drop(open::that_detached(page));
    }
}

fn refused(why: impl Into<String>) -> CommandError {
    CommandError::refused(why).hint("nothing was stored; run the command again")
}

/// Stores the login and what the config needs to use it.
fn keep(
    session: &Session<'_>,
    workspace: &Workspace,
    oauth: &OAuth,
    profile_id: Option<String>,
    issued_to: Option<String>,
    tokens: &Tokens,
    set_default: bool,
) -> Result<String, CommandError> {
    let Some(refresh) = &tokens.refresh else {
        return Err(CommandError::refused(
            "the provider gave no refresh token: the login would end within hours",
        )
        .hint("nothing was stored"));
    };
    let name = tokens.email.as_deref().and_then(|email| new_profile::checked_id(email).ok());
    let id = match profile_id {
        Some(id) => id,
        None if oauth.provider == "qwen-portal" => format!("{}:default", oauth.provider),
        None => format!("{}:{}", oauth.provider, name.as_deref().unwrap_or("default")),
    };
    let model = match oauth.provider {
        "openai-codex" => Some(CODEX_MODEL.to_owned()),
        "qwen-portal" => Some(format!("qwen-portal/{}", QWEN_MODELS[0].0)),
        _ => None,
    };
    let more = |config: &Config| {
        let mut edits = if oauth.provider == "qwen-portal" { qwen_entry(config, tokens) } else { Vec::new() };
        if let Some(model) = model.as_deref().filter(|_| set_default) {
            edits.extend(settings::set_primary(config, Slot::Text, model));
        }
        edits
    };
    let profile = NewProfile {
        id,
        credential: Credential {
            provider: oauth.provider.to_owned(),
            email: name,
            material: Material::OAuth {
                access: Some(tokens.access.clone()),
                refresh: Some(refresh.clone()),
                expires: Expiry::At(tokens.expires),
                account_id: tokens.account_id.clone(),
            },
        },
        client_id: issued_to,
        more: &more,
    };
    let mut answer = profile.put(session, workspace)?;
    match (&model, set_default) {
        (Some(model), true) => writeln!(answer, "Default model set to {model}"),
        (Some(model), false) => {
            writeln!(answer, "Default model available: {model} (use --set-default to apply)")
        }
        (None, true) => {
            let command = format!("openclaw models set {}/…", oauth.provider);
            session.printer.message(&format!("note: no default model is known here; `{command}` sets one"));
            Ok(())
        }
        (None, false) => Ok(()),
    }
    .unwrap_or_default();
    Ok(answer)
}

/// The provider entry that the Node program needs for Qwen; one that is there stays.
fn qwen_entry(config: &Config, tokens: &Tokens) -> Vec<Edit> {
    if config.providers.iter().any(|(known, _)| provider::normalize(known) == "qwen-portal") {
        return Vec::new();
    }
    let base = tokens.resource_url.as_deref().map_or_else(|| QWEN_URL.to_owned(), qwen_base);
    let models: Vec<_> = QWEN_MODELS
        .iter()
        .map(|(id, title, input)| json!({"id": id, "name": title, "input": input}))
        .collect();
    let entry = json!({"baseUrl": base, "apiKey": provider::QWEN_MARKER, "api": "openai-completions", "models": models});
    vec![Edit::set(["models", "providers", "qwen-portal"], entry)]
}

/// The account's own address, as the provider writes it: mostly a bare host.
fn qwen_base(resource_url: &str) -> String {
    let with_scheme = if resource_url.contains("://") {
        resource_url.to_owned()
    } else {
        format!("https://{resource_url}")
    };
    let base = with_scheme.trim_end_matches('/');
    match crate::core::endpoint::parse(base) {
        Ok(_) if base.ends_with("/v1") => base.to_owned(),
        Ok(_) => format!("{base}/v1"),
        Err(_) => QWEN_URL.to_owned(),
    }
}
