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
use crate::core::secret::Secret;
use crate::exit::{CommandError, ExitStatus};
use crate::format::config_edit::Edit;
use crate::format::config_sections::Config;
use crate::login::{BrowserLogin, Code, CodeError, DeviceLogin, Parties, Polled};
use crate::process::Process;
use crate::render::printable;
use crate::settings::{self, Slot};
use crate::sys::loopback::Callback;
use crate::sys::signals;
use crate::sys::terminal::{self, Answer};
use crate::workspace::Workspace;

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
        client_id: args.client_id.as_deref(),
        limit: args.timeout.map(Duration::from_millis),
    };
    let (_, answer) = log_in(session, &workspace, &wish)?;
    Ok(session.printer.answer(&answer))
}

/// A login that somebody wants.
pub(super) struct Wish<'w> {
    pub(super) provider: &'w str,
    /// Where to store it, when not under the name of the account.
    pub(super) profile_id: Option<&'w str>,
    /// Whether the provider's model becomes the default.
    pub(super) set_default: bool,
    /// The OAuth client to log in with.
    pub(super) client_id: Option<&'w str>,
    /// How long a person gets.
    pub(super) limit: Option<Duration>,
}

/// Logs a person in and stores the login. Gives its profile and what to print.
pub(super) fn log_in(
    session: &Session<'_>,
    workspace: &Workspace,
    wish: &Wish<'_>,
) -> Result<(String, String), CommandError> {
    let (oauth, flow) = offered(wish.provider)?;
    let profile_id = wish.profile_id.map(new_profile::checked_id).transpose()?;
    if let Some(id) = &profile_id {
        new_profile::refuse_taken(workspace, id, oauth.provider)?;
        new_profile::refuse_mirror(workspace, id, false)?;
    }
    let parties = parties(session, workspace, oauth, wish.client_id)?;
    let issued_to = (Some(parties.client.id.as_str()) != oauth.client_id).then(|| parties.client.id.clone());
    // What the config refuses is refused before somebody has logged in for nothing.
    let draft = Login { oauth, profile_id, issued_to, set_default: wish.set_default };
    draft.profile(workspace, &Tokens::of(Secret::new("")), &|_| Vec::new()).rehearse(workspace)?;
    let limit = Deadline::after(wish.limit.unwrap_or(TIME_LIMIT));
    let granted = match flow {
        LoginFlow::Browser(flow) => {
            let login = BrowserLogin::begin(session.printer.process(), workspace, parties, flow);
            by_browser(session, login.map_err(refused)?, limit)?
        }
        LoginFlow::Device(flow) => {
            let login = DeviceLogin::begin(workspace, parties, flow).map_err(refused)?;
            by_device(session, login, limit)?
        }
    };
    // From here on tokens may be on their way: a Ctrl-C waits until they are stored.
    let signals = signals::defer();
    let progress = session.printer.progress();
    progress.show("changing the code for tokens");
    let tokens = granted.tokens().map_err(refused)?;
    drop(progress);
    let kept = draft.keep(session, workspace, &tokens)?;
    if signals.is_pending() {
        session.printer.message("note: the login was stored before the interrupt");
    }
    Ok(kept)
}

/// What a person has granted: a code, or the tokens themselves.
enum Granted<'p> {
    Code(Box<BrowserLogin<'p>>, Code),
    Tokens(Box<Tokens>),
}

impl Granted<'_> {
    fn tokens(self) -> Result<Tokens, String> {
        match self {
            Self::Code(login, code) => login.exchange(&code).map_err(|refused| refused.message),
            Self::Tokens(tokens) => Ok(*tokens),
        }
    }
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
    given: Option<&str>,
) -> Result<Parties<'s>, CommandError> {
    let process = session.printer.process();
    let of = |id: Option<String>| Parties::of(process, workspace, session.clock, oauth, id).map_err(refused);
    if let Some(parties) = of(given.map(str::to_owned))? {
        return Ok(parties);
    }
    let asked = session.ask(&format!("OAuth client id for {}?", oauth.provider), None)?;
    let is_plain = !asked.is_empty() && !asked.chars().any(char::is_control);
    let parties = if is_plain { of(Some(asked))? } else { None };
    parties.ok_or_else(|| {
        CommandError::usage("no OAuth client was given; nothing was changed")
            .hint(format!("--client-id names one, or providers.{}.clientId in ops.json", oauth.provider))
    })
}

/// Shows the page and waits for whatever comes first: the browser, a paste, Ctrl-C, the end of patience. A paste that is
/// wrong may be made again.
fn by_browser<'p>(
    session: &Session<'_>,
    login: BrowserLogin<'p>,
    limit: Deadline,
) -> Result<Granted<'p>, CommandError> {
    let process = session.printer.process();
    let callback = login.listen();
    show_page(session, login.page.as_str());
    if let Err(reason) = &callback {
        session.printer.message(&format!("note: the browser cannot come back by itself: {reason}"));
    }
    open_browser(process, login.page.as_str());
    let prompt = "Waiting for the browser. Is it on another machine, paste the address that it ends at (nothing is shown): ";
    let mut brought = None;
    let mut has_happened = || {
        let poll = |callback: &Callback| callback.poll(|query| login.code_of_query(query));
        brought = callback.as_ref().ok().and_then(poll);
        brought.is_some() || limit.has_passed()
    };
    loop {
        match ask(prompt, &mut has_happened)? {
            Some(Answer::Cancelled) => return Err(CommandError::interrupted()),
            Some(Answer::Line(pasted)) => match login.code_of_paste(&pasted) {
                Ok(code) => {
                    drop(callback);
                    return Ok(Granted::Code(Box::new(login), code));
                }
                Err(CodeError::Refused(why)) => return Err(refused(why)),
                Err(CodeError::Wrong(why)) => session.printer.message(&format!("{why}; try again")),
            },
            None => break,
        }
    }
    drop(callback);
    let code = brought.unwrap_or_else(|| Err("nobody logged in in time".to_owned())).map_err(refused)?;
    Ok(Granted::Code(Box::new(login), code))
}

fn by_device<'p>(
    session: &Session<'_>,
    mut login: DeviceLogin<'p>,
    limit: Deadline,
) -> Result<Granted<'p>, CommandError> {
    let page = login.complete_page.as_ref().unwrap_or(&login.page).to_string();
    show_page(session, &page);
    session.printer.message(&format!("Code: {}", printable(&login.user_code)));
    open_browser(session.printer.process(), &page);
    let mut next = Deadline::after(login.interval);
    let (mut ended, mut trouble) = (None, None);
    let mut has_happened = || {
        if next.has_passed() {
            match login.poll(limit.remaining()) {
                Polled::Pending => trouble = None,
                Polled::Trouble(why) => trouble = Some(why),
                other => ended = Some(other),
            }
            next = Deadline::after(login.interval);
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
    match (ended, trouble) {
        (Some(Polled::Granted(tokens)), _) => Ok(Granted::Tokens(tokens)),
        (Some(Polled::Over(why)), _) => Err(refused(why)),
        (_, Some(trouble)) => {
            Err(refused(format!("nobody logged in in time, as far as is known: {trouble}")))
        }
        (_, None) => Err(refused("nobody logged in in time")),
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

/// A login that is being made.
struct Login {
    oauth: &'static OAuth,
    profile_id: Option<String>,
    issued_to: Option<String>,
    set_default: bool,
}

impl Login {
    fn model(&self) -> Option<String> {
        match self.oauth.provider {
            "openai-codex" => Some(CODEX_MODEL.to_owned()),
            "qwen-portal" => Some(format!("qwen-portal/{}", QWEN_MODELS[0].0)),
            _ => None,
        }
    }

    /// The profile of these tokens: the one that was asked for, else the name of the account, unless another provider has
    /// taken that.
    fn profile<'e>(
        &self,
        workspace: &Workspace,
        tokens: &Tokens,
        more: &'e dyn Fn(&Config) -> Vec<Edit>,
    ) -> NewProfile<'e> {
        let provider = self.oauth.provider;
        let email = tokens.email.as_deref().and_then(|email| new_profile::checked_id(email).ok());
        let name = email.as_deref().filter(|_| provider != "qwen-portal").unwrap_or("default");
        let named = format!("{provider}:{name}");
        let is_free = new_profile::refuse_taken(workspace, &named, provider).is_ok()
            && new_profile::refuse_mirror(workspace, &named, false).is_ok();
        let id = if is_free { named } else { format!("{provider}:login") };
        NewProfile {
            id: self.profile_id.clone().unwrap_or(id),
            credential: Credential {
                provider: provider.to_owned(),
                email,
                material: Material::OAuth {
                    access: Some(tokens.access.clone()),
                    refresh: tokens.refresh.clone(),
                    expires: Expiry::At(tokens.expires),
                    account_id: tokens.account_id.clone(),
                },
            },
            client_id: self.issued_to.clone(),
            more,
        }
    }

    /// Stores the login and what the config needs to use it.
    fn keep(
        &self,
        session: &Session<'_>,
        workspace: &Workspace,
        tokens: &Tokens,
    ) -> Result<(String, String), CommandError> {
        if tokens.refresh.is_none() {
            return Err(CommandError::refused(
                "the provider gave no refresh token: the login would end within hours",
            )
            .hint("nothing was stored"));
        }
        let (oauth, model) = (self.oauth, self.model());
        let more = |config: &Config| {
            let mut edits =
                if oauth.provider == "qwen-portal" { qwen_entry(config, tokens) } else { Vec::new() };
            if let Some(model) = model.as_deref().filter(|_| self.set_default) {
                edits.extend(settings::set_primary(config, Slot::Text, model));
            }
            edits
        };
        let profile = self.profile(workspace, tokens, &more);
        let mut answer = profile.put(session, workspace)?;
        // A new login has none of the failures of the old one.
        session.change_store(workspace, |store| store.unblock(&profile.id))?;
        match (&model, self.set_default) {
            (Some(model), true) => writeln!(answer, "Default model set to {model}"),
            (Some(model), false) => {
                writeln!(answer, "Default model available: {model} (use --set-default to apply)")
            }
            (None, true) => {
                let command = format!("openclaw models set {}/…", oauth.provider);
                session
                    .printer
                    .message(&format!("note: no default model is known here; `{command}` sets one"));
                Ok(())
            }
            (None, false) => Ok(()),
        }
        .unwrap_or_default();
        Ok((profile.id, answer))
    }
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
