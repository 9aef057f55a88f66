//! `openclaw models auth order`.

use serde_json::json;

use crate::cli::Session;
use crate::cli::auth_args::OrderCommand;
use crate::cli::models_settings::pretty;
use crate::core::provider;
use crate::exit::{CommandError, ExitStatus};
use crate::render::printable;
use crate::workspace::Workspace;

/// Shows and changes the order of an agent.
pub(super) fn run(session: &Session<'_>, command: &OrderCommand) -> Result<ExitStatus, CommandError> {
    let is_write = !matches!(command, OrderCommand::Get { .. });
    let workspace = session.profiles(is_write)?;
    match command {
        OrderCommand::Get { provider, json } => {
            let provider = provider::normalize(provider);
            let (order, inherited) = effective(&workspace, &provider);
            if *json {
                return Ok(session.printer.answer(&pretty(&json!({
                    "agentId": workspace.agent.id,
                    "agentDir": workspace.agent.dir.display().to_string(),
                    "provider": provider,
                    "authStorePath": workspace.paths.shown(workspace.store.path()).short,
                    "order": order,
                    "inherited": inherited,
                }))));
            }
            Ok(session.printer.answer(&shown(&workspace, &provider, order.as_deref(), inherited)))
        }
        OrderCommand::Set { provider, profiles } => {
            let provider = provider::normalize(provider);
            let mut ids: Vec<String> = Vec::new();
            for id in profiles.iter().map(|id| id.trim()).filter(|id| !id.is_empty()) {
                if !ids.iter().any(|known| known == id) {
                    ids.push(id.to_owned());
                }
            }
            if ids.is_empty() {
                return Err(CommandError::usage("no profile id was given"));
            }
            for id in &ids {
                check(&workspace, &provider, id)?;
            }
            session.change_store(&workspace, |store| store.set_order(&provider, Some(&ids)))?;
            Ok(session.printer.answer(&shown(&workspace, &provider, Some(&ids), false)))
        }
        OrderCommand::Clear { provider } => {
            let provider = provider::normalize(provider);
            // Without a store there is nothing to clear, and none is made for it.
            if workspace.store.path().exists() {
                session.change_store(&workspace, |store| store.set_order(&provider, None))?;
            }
            if workspace.main_store().is_some_and(|main| main.order(&provider).is_some()) {
                session.printer.message("note: the order of the main agent is inherited and still in force");
            }
            let id = printable(&workspace.agent.id);
            let provider = printable(&provider);
            Ok(session
                .printer
                .answer(&format!("Agent: {id}\nProvider: {provider}\nCleared per-agent order override.\n")))
        }
    }
}

/// The order in force, and whether it is the main agent's.
fn effective(workspace: &Workspace, provider: &str) -> (Option<Vec<String>>, bool) {
    if let Some(own) = workspace.own_store().order(provider) {
        return (Some(own), false);
    }
    let inherited = workspace.main_store().and_then(|main| main.order(provider));
    let is_inherited = inherited.is_some();
    (inherited, is_inherited)
}

fn shown(workspace: &Workspace, provider: &str, order: Option<&[String]>, inherited: bool) -> String {
    let order = order.map_or_else(|| "(none)".to_owned(), |ids| ids.join(", "));
    let inherited = if inherited { " (inherited from main)" } else { "" };
    format!(
        "Agent: {}\nProvider: {}\nAuth file: {}\nOrder override: {}{inherited}\n",
        printable(&workspace.agent.id),
        printable(provider),
        printable(&workspace.paths.shown(workspace.store.path()).short),
        printable(&order)
    )
}

/// An order may name only profiles that the agent sees and that are of the provider.
fn check(workspace: &Workspace, provider: &str, id: &str) -> Result<(), CommandError> {
    let own = workspace.own_store();
    let seen = own.profile(id).or_else(|| workspace.main_store()?.profile(id));
    let shown = printable(id);
    let refusal = match seen {
        Some(found) if provider::normalize(&found.provider) == provider => return Ok(()),
        Some(found) => {
            format!("Auth profile \"{shown}\" is for {}, not {provider}.", printable(&found.provider))
        }
        None => format!("Auth profile \"{shown}\" not found in {}.", workspace.agent.dir.display()),
    };
    let inherited = workspace.main_store().map(|main| main.profiles.as_slice()).unwrap_or_default();
    let mut known: Vec<&str> = own
        .profiles
        .iter()
        .chain(inherited)
        .filter(|(_, credential)| provider::normalize(&credential.provider) == provider)
        .map(|(id, _)| id.as_str())
        .collect();
    known.sort_unstable();
    known.dedup();
    Err(CommandError::refused(refusal).hint(match known.as_slice() {
        [] => format!("there is no profile of {provider}; see `openclaw models auth list`"),
        known => format!("profiles of {provider}: {}", known.join(", ")),
    }))
}
