//! `openclaw onboard`: a credential, a model and the gateway's basics, asked for or given as flags.

use std::fmt::Write;

use serde_json::json;

use crate::cli::auth_paste::ask_on_terminal;
use crate::cli::onboard_args::OnboardArgs;
use crate::cli::onboard_gateway::Gateway;
use crate::cli::secret_flag::secret_flag;
use crate::cli::{Session, auth_login, new_profile, try_credential};
use crate::core::credential::{CLAUDE_CLI_PROFILE, CODEX_CLI_PROFILE, Credential, Expiry, Material};
use crate::core::onboarding::{
    CLAUDE_CLI, CODEX_CLI, CODEX_MODEL, KEY_CHOICES, KeyChoice, LOGINS, MADE_ELSEWHERE, SKIP, SYNONYMS,
    TOKEN, cleaned_key,
};
use crate::core::provider;
use crate::core::secret::Secret;
use crate::core::token;
use crate::exit::{CommandError, ExitStatus};
use crate::format::config_edit::Edit;
use crate::format::config_sections::Config;
use crate::format::dotenv;
use crate::render::{json, printable, text};
use crate::settings::{self, Slot};
use crate::sys::files::{self, ReadFailure, ReplaceError};
use crate::workspace::Workspace;
use crate::workspace::logins::Login;

/// What a choice comes to.
#[derive(Default)]
struct Plan {
    /// A profile to store.
    profile: Option<(String, Credential)>,
    /// A variable for the `.env` of the state folder.
    dotenv: Option<(&'static str, Secret)>,
    /// A login that is stored already.
    made: Option<String>,
    /// What the config says of the profile: id, provider, mode.
    named: Option<(String, &'static str, &'static str)>,
    /// The model that becomes the default.
    model: Option<&'static str>,
    /// The entry of a provider that needs one.
    entry: Option<&'static KeyChoice>,
}

/// Runs the command.
pub(super) fn run(session: &Session<'_>, args: &OnboardArgs) -> Result<ExitStatus, CommandError> {
    let is_asking = !args.non_interactive;
    if args.non_interactive && !args.accept_risk {
        return Err(CommandError::usage(
            "Non-interactive onboarding requires explicit risk acknowledgement.",
        )
        .hint(
            "an agent acts on this host with your credentials; add --accept-risk when that is what you want",
        ));
    }
    if is_asking && !session.printer.process().stdin_is_terminal() {
        return Err(CommandError::usage("onboarding asks questions, and there is no terminal to ask on")
            .hint("add --non-interactive --accept-risk and the flags for the answers"));
    }
    let ignored = args.elsewhere.ignored();
    if !ignored.is_empty() {
        session
            .printer
            .message(&format!("note: not this program's business, ignored: {}", ignored.join(", ")));
    }
    let workspace = session.profiles(true)?;
    let choice = choice(session, args, is_asking)?;
    if let Some(flag) = unused(args, &choice) {
        return Err(CommandError::usage(format!("--{flag} does not go with --auth-choice {choice}"))
            .hint("nothing was stored; run it once for each credential"));
    }
    // Before anything is stored: what is wrong with a flag must not be found behind a login.
    let gateway = Gateway::of(session, args)?;
    if LOGINS.iter().any(|(login, _)| *login == choice) {
        let (id, told) = log_in(session, &workspace, &choice, is_asking)?;
        let workspace = session.profiles(true)?;
        let plan = Plan { made: Some(id), ..Plan::default() };
        return write(session, &workspace, args, &plan, &gateway, told);
    }
    let plan = plan(session, &workspace, args, &choice, is_asking)?;
    write(session, &workspace, args, &plan, &gateway, String::new())
}

/// Makes a login; it is stored when this returns. Gives its profile and what to print.
fn log_in(
    session: &Session<'_>,
    workspace: &Workspace,
    provider: &str,
    is_asking: bool,
) -> Result<(String, String), CommandError> {
    if !is_asking {
        return Err(CommandError::usage("OAuth requires interactive mode.")
            .hint(format!("on a terminal: `openclaw models auth login --provider {provider}`")));
    }
    let set_default = provider != "openai-codex" || is_openai(workspace);
    let wish = auth_login::Wish { provider, profile_id: None, set_default, client_id: None, limit: None };
    auth_login::log_in(session, workspace, &wish)
}

/// Whether the default model is one of `OpenAI`, or none is set.
fn is_openai(workspace: &Workspace) -> bool {
    workspace.config.model.primary.as_deref().is_none_or(|primary| {
        primary.starts_with("openai/") || ["gpt", "gpt-mini"].contains(&primary.to_lowercase().as_str())
    })
}

/// Writes what was chosen, and ends with the status.
fn write(
    session: &Session<'_>,
    workspace: &Workspace,
    args: &OnboardArgs,
    plan: &Plan,
    gateway: &Gateway,
    mut told: String,
) -> Result<ExitStatus, CommandError> {
    let edits = |config: &Config| Ok(edits(config, plan, gateway));
    Session::rehearse_config(workspace, edits)?;
    if let Some((id, credential)) = &plan.profile {
        session.change_store(workspace, |store| {
            let is_new = store.profile(id) != Some(credential);
            if is_new {
                store.upsert(id, credential.clone());
            }
            is_new
        })?;
        let shown = workspace.paths.shown(workspace.store.path()).short;
        let _ = writeln!(told, "Saved profile {} to {shown}", printable(id));
    }
    if let Some((variable, value)) = &plan.dotenv {
        told += &save_variable(workspace, variable, value)?;
    }
    told += &session.change_config(workspace, edits)?;
    let status = finish(session, args, &told)?;
    if status != ExitStatus::Success {
        return Ok(status);
    }
    let workspace = session.profiles(false)?;
    let credential = set_up(plan, &workspace);
    let (wanted, silent) = (args.probe, args.non_interactive);
    Ok(try_credential::run(session, &workspace, credential.as_ref(), wanted, silent))
}

/// The credential that was set up, as it is stored now.
fn set_up(plan: &Plan, workspace: &Workspace) -> Option<Credential> {
    if let Some((_, credential)) = &plan.profile {
        return Some(credential.clone());
    }
    if let Some((_, key)) = &plan.dotenv {
        let material = Material::ApiKey { key: Some(key.clone()) };
        return Some(Credential { provider: "openai".to_owned(), email: None, material });
    }
    let id = plan.made.as_ref().or(plan.named.as_ref().map(|(id, ..)| id))?;
    workspace.own_store().profile(id).cloned()
}

/// Ends with the status, as JSON when that was asked for.
fn finish(session: &Session<'_>, args: &OnboardArgs, told: &str) -> Result<ExitStatus, CommandError> {
    let report = session.report(&session.profiles(false)?);
    if args.json {
        session.printer.message(told.trim_end());
        return Ok(session.printer.answer(&json::render(&report)));
    }
    let page = text::render(&report, session.printer.look(session.cli.no_color));
    Ok(session.printer.answer(&format!("{told}\n{page}")))
}

/// The choice that was given, or follows from the one key that was given, or is asked for.
fn choice(session: &Session<'_>, args: &OnboardArgs, is_asking: bool) -> Result<String, CommandError> {
    let given = args.keys.given();
    if let Some(choice) = &args.auth_choice {
        let synonym = SYNONYMS.iter().find(|(word, _)| word == choice).map(|(_, choice)| *choice);
        return Ok(synonym.unwrap_or(choice).to_owned());
    }
    let implied = given.iter().filter_map(|(flag, _)| KEY_CHOICES.iter().find(|known| known.flag == *flag));
    let mut implied: Vec<&str> = implied.map(|known| known.choice).collect();
    implied.extend(args.token.as_ref().map(|_| TOKEN));
    match implied.as_slice() {
        [one] => Ok((*one).to_owned()),
        [] if is_asking => ask_choice(session),
        [] => Ok(SKIP.to_owned()),
        several => Err(CommandError::usage("several credentials were given at once")
            .hint(format!("run it once for each, with --auth-choice: {}", several.join(", ")))),
    }
}

/// A flag with a credential that the choice does not take: it would be dropped without a word.
fn unused(args: &OnboardArgs, choice: &str) -> Option<&'static str> {
    let taken = KEY_CHOICES.iter().find(|known| known.choice == choice).map(|known| known.flag);
    let given = args.keys.given().into_iter().map(|(flag, _)| flag);
    let pasted = args.token.as_ref().filter(|_| choice != TOKEN).map(|_| "token");
    given.filter(|flag| Some(*flag) != taken).chain(pasted).next()
}

fn ask_choice(session: &Session<'_>) -> Result<String, CommandError> {
    let mut choices = vec![
        (CLAUDE_CLI, "the login of Claude Code on this host"),
        (CODEX_CLI, "the login of Codex on this host"),
        (TOKEN, "a setup token of Anthropic"),
    ];
    choices.extend(LOGINS);
    choices.extend(KEY_CHOICES.iter().map(|choice| (choice.choice, choice.title)));
    choices.push((SKIP, "no credential now"));
    session.choose("Which credential?", &choices).map(str::to_owned)
}

fn plan(
    session: &Session<'_>,
    workspace: &Workspace,
    args: &OnboardArgs,
    choice: &str,
    is_asking: bool,
) -> Result<Plan, CommandError> {
    if let Some(known) = KEY_CHOICES.iter().find(|known| known.choice == choice) {
        return plan_key(session, workspace, args, known, is_asking);
    }
    match choice {
        SKIP => Ok(Plan::default()),
        TOKEN => plan_token(session, workspace, args, is_asking),
        CLAUDE_CLI => plan_vendor(workspace, CLAUDE_CLI_PROFILE, "anthropic", "Claude Code"),
        CODEX_CLI => {
            let plan = plan_vendor(workspace, CODEX_CLI_PROFILE, "openai-codex", "Codex")?;
            Ok(Plan { model: is_openai(workspace).then_some(CODEX_MODEL), ..plan })
        }
        other => {
            if let Some((_, way)) = MADE_ELSEWHERE.iter().find(|(known, _)| *known == other) {
                return Err(CommandError::usage(format!("{other} is not set up here")).hint(*way));
            }
            let logins = LOGINS.iter().map(|(login, _)| *login);
            let keys = KEY_CHOICES.iter().map(|known| known.choice);
            let known: Vec<&str> =
                [TOKEN, CLAUDE_CLI, CODEX_CLI].into_iter().chain(logins).chain(keys).chain([SKIP]).collect();
            Err(CommandError::usage(format!("unknown --auth-choice \"{}\"", printable(other)))
                .hint(format!("choices: {}", known.join(", "))))
        }
    }
}

fn plan_key(
    session: &Session<'_>,
    workspace: &Workspace,
    args: &OnboardArgs,
    choice: &'static KeyChoice,
    is_asking: bool,
) -> Result<Plan, CommandError> {
    let id = format!("{}:default", choice.provider);
    let flag = args.keys.given().into_iter().find(|(flag, _)| *flag == choice.flag).map(|(_, value)| value);
    let from_env = || workspace.environment.get(choice.variable).map(|(_, value)| value.clone());
    let own = workspace.own_store();
    let stored = own.profiles.iter().any(|(_, credential)| {
        provider::normalize(&credential.provider) == choice.provider
            && matches!(credential.material, Material::ApiKey { .. })
            && credential.material.usable_secret().is_some()
    });
    let pasted = match flag {
        Some(written) => Some(secret_flag(session, choice.flag, written)?),
        None if is_asking => Some(ask_on_terminal(&format!("{} (nothing is shown): ", choice.title))?),
        None => from_env(),
    };
    let mut plan =
        Plan { model: choice.model, entry: choice.entry.is_some().then_some(choice), ..Plan::default() };
    if !choice.in_dotenv {
        plan.named = Some((id.clone(), choice.provider, "api_key"));
    }
    match pasted {
        Some(pasted) => {
            if !choice.in_dotenv {
                new_profile::refuse_taken(workspace, &id, choice.provider)?;
            }
            let key = token::checked(&Secret::new(cleaned_key(pasted.expose()))).map_err(|why| {
                CommandError::usage(format!("this cannot be a key: {why}")).hint("nothing was stored")
            })?;
            if choice.in_dotenv {
                plan.dotenv = Some((choice.variable, key));
            } else {
                let material = Material::ApiKey { key: Some(key) };
                let provider = choice.provider.to_owned();
                plan.profile = Some((id, Credential { provider, email: None, material }));
            }
            Ok(plan)
        }
        None if stored => Ok(plan),
        None => Err(CommandError::usage(format!(
            "Missing --{} (or {} in env, or existing {} API-key profile).",
            choice.flag, choice.variable, choice.provider
        ))),
    }
}

fn plan_token(
    session: &Session<'_>,
    workspace: &Workspace,
    args: &OnboardArgs,
    is_asking: bool,
) -> Result<Plan, CommandError> {
    let provider = args.token_provider.as_deref().unwrap_or("anthropic");
    if provider::normalize(provider) != "anthropic" {
        return Err(CommandError::usage("--token-provider can only be anthropic")
            .hint("`openclaw models auth paste-token --provider …` stores tokens of others"));
    }
    let pasted = match &args.token {
        Some(written) => secret_flag(session, "token", written)?,
        None if is_asking => ask_on_terminal("Setup token of Anthropic (nothing is shown): ")?,
        None => return Err(CommandError::usage("Missing --token for --auth-choice token.")),
    };
    // Each reason stands on a line of its own: scripts look for it there.
    let refused =
        |why: &str| CommandError::usage(format!("this is no setup token:\n{why}")).hint("nothing was stored");
    if !token::is_setup_token(pasted.expose().trim()) {
        return Err(refused("Expected token starting with sk-ant-oat01-"));
    }
    let token = token::checked(&pasted).map_err(refused)?;
    let expires = match args.token_expires_in {
        Some(span) if span > 0 => Expiry::At(session.clock.now().timestamp_millis().saturating_add(span)),
        _ => Expiry::Absent,
    };
    let id = new_profile::checked_id(args.token_profile_id.as_deref().unwrap_or("anthropic:default"))?;
    new_profile::refuse_taken(workspace, &id, "anthropic")?;
    new_profile::refuse_mirror(workspace, &id, token::is_whole_setup_token(token.expose()))?;
    let material = Material::Token { token: Some(token), expires };
    let credential = Credential { provider: "anthropic".to_owned(), email: None, material };
    Ok(Plan {
        profile: Some((id.clone(), credential)),
        named: Some((id.clone(), "anthropic", new_profile::mode_of(&id, "token"))),
        ..Plan::default()
    })
}

/// The login itself came into the store with the sync at the start.
fn plan_vendor(
    workspace: &Workspace,
    id: &'static str,
    provider: &'static str,
    program: &str,
) -> Result<Plan, CommandError> {
    let login = workspace.login(id);
    if !login.is_some_and(Login::is_present) {
        let place = login.map_or_else(String::new, |login| format!(" at {}", login.source.path.short));
        let command = provider::find(provider).and_then(|known| known.login_command).unwrap_or(program);
        return Err(CommandError::refused(format!("No {program} CLI credentials found{place}"))
            .hint(format!("`{command}`, then run this again")));
    }
    Ok(Plan { named: Some((id.to_owned(), provider, "oauth")), ..Plan::default() })
}

fn edits(config: &Config, plan: &Plan, gateway: &Gateway) -> Vec<Edit> {
    let mut edits = Vec::new();
    if let Some((id, provider, mode)) = &plan.named {
        edits.push(Edit::set(["auth", "profiles", id], json!({"provider": provider, "mode": mode})));
    }
    if let Some(choice) = plan.entry
        && !config.providers.iter().any(|(known, _)| provider::normalize(known) == choice.provider)
        && let (Some((base_url, api)), Some(model)) = (choice.entry, choice.model)
    {
        let id = model.split_once('/').map_or(model, |(_, id)| id);
        let entry = json!({"baseUrl": base_url, "api": api, "models": [{"id": id, "name": id}]});
        edits.push(Edit::set(["models", "providers", choice.provider], entry));
    }
    if let Some(model) = plan.model {
        edits.extend(settings::set_primary(config, Slot::Text, model));
    }
    edits.extend(gateway.edits(config));
    edits
}

/// Sets a variable in the `.env` of the state folder, where the gateway reads it whoever starts it.
fn save_variable(workspace: &Workspace, variable: &str, value: &Secret) -> Result<String, CommandError> {
    let path = workspace.paths.state_dotenv();
    let shown = workspace.paths.shown(&path).short;
    let failed = |error: std::io::Error| {
        CommandError::io(format!("failed to write {shown}: {}", files::reason(&error)))
    };
    files::create_private_dir(&workspace.paths.state_dir).map_err(failed)?;
    let before = match files::read(&path) {
        Ok(content) => String::from_utf8(content.bytes)
            .map_err(|_| CommandError::refused(format!("{shown} is not UTF-8 and was left as it is")))?,
        Err(ReadFailure::Absent) => String::new(),
        Err(ReadFailure::Failed(reason)) => {
            return Err(CommandError::io(format!("failed to read {shown}: {reason}")));
        }
    };
    let target = files::target(&path).map_err(failed)?;
    match files::replace(&target, dotenv::set(&before, variable, value.expose()).as_bytes()) {
        Ok(_) => Ok(format!("Saved {variable} to {shown}\n")),
        Err(ReplaceError::Unchanged(error) | ReplaceError::Torn(error, _)) => Err(failed(error)),
    }
}
