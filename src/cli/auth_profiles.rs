//! `openclaw models auth list`, `remove`, `unblock`.

use crate::cli::Session;
use crate::cli::auth_args::{AuthRemoveArgs, ProfileArg};
use crate::exit::{CommandError, ExitStatus};
use crate::format::config_edit::Edit;
use crate::format::config_sections::Config;
use crate::render::{json, name, printable, text};
use crate::settings;
use crate::workspace::Workspace;
use crate::workspace::memory::Memory;

/// Lists what the agent sees.
pub(super) fn list(session: &Session<'_>, as_json: bool) -> Result<ExitStatus, CommandError> {
    let workspace = session.profiles(false)?;
    let report = session.report(&workspace);
    let answer = if as_json {
        json::render_profiles(&report)
    } else {
        text::render_profiles(&report, session.printer.look(session.cli.no_color))
    };
    Ok(session.printer.answer(&answer))
}

/// Takes a profile out of the agent's own store and out of the config.
pub(super) fn remove(session: &Session<'_>, args: &AuthRemoveArgs) -> Result<ExitStatus, CommandError> {
    let workspace = session.profiles(true)?;
    let id = args.profile.profile_id.as_str();
    let of_config = forget_in_config(&workspace.config, id);
    if of_config.is_empty() {
        require_own(&workspace, id)?;
    }
    if !args.yes && !is_confirmed(session, id)? {
        return Err(CommandError::refused("nothing was removed"));
    }
    Session::rehearse_config(&workspace, |config| Ok(forget_in_config(config, id)))?;
    let mut answer = String::new();
    if workspace.own_store().has_entry(id) {
        session.change_store(&workspace, |store| {
            let is_there = store.has_entry(id);
            store.forget(id);
            is_there
        })?;
        answer =
            format!("Removed {} from {}\n", name(id), workspace.paths.shown(workspace.store.path()).short);
    }
    answer += &session.change_config(&workspace, |config| Ok(forget_in_config(config, id)))?;
    forget_in_memory(session, &workspace, id);
    session.printer.message(
        "note: nothing was revoked; do that at the provider if the credential may be known to others",
    );
    if let Some(login) = workspace.login(id).filter(|login| login.is_present()) {
        let program = login.vendor.program();
        session.printer.message(&format!(
            "note: {program} is still logged in, and the next status takes its login again; log out there to end that"
        ));
    }
    Ok(session.printer.answer(&answer))
}

/// What was removed on purpose is not missed.
fn forget_in_memory(session: &Session<'_>, workspace: &Workspace, id: &str) {
    let memory = Memory::of(&workspace.paths);
    let is_known = workspace.memory.inventory(&workspace.agent.id).iter().any(|known| known.id == id);
    if is_known
        && let Err(reason) = memory.update(session.clock, |state, _| {
            state.forget_profile(id);
        })
    {
        session.printer.message(&format!("note: the monitor may miss it for a while: {reason}"));
    }
}

/// The profile's entry and its places in the orders of the config.
fn forget_in_config(config: &Config, id: &str) -> Vec<Edit> {
    let named = config.auth_profiles.iter().any(|(known, _)| known == id);
    let mut edits: Vec<Edit> = named.then(|| Edit::remove(["auth", "profiles", id])).into_iter().collect();
    for (provider, ids) in &config.auth_order {
        let places = settings::places(ids, |known| known == id);
        let path = ["auth", "order", provider.as_str()].map(str::to_owned).to_vec();
        if !places.is_empty() && places.len() == ids.len() {
            // An empty order would still be an order: nothing would ever be tried.
            edits.push(Edit::Remove(path));
        } else if !places.is_empty() {
            edits.push(Edit::Drop(path, places));
        }
    }
    edits
}

fn is_confirmed(session: &Session<'_>, id: &str) -> Result<bool, CommandError> {
    let process = session.printer.process();
    if !process.stdin_is_terminal() {
        return Err(CommandError::usage("removing a profile asks first, and there is no terminal to ask on")
            .hint("add --yes"));
    }
    session.is_confirmed(&format!("Remove {} for good?", name(id)), false)
}

/// Lets a resting profile be used again.
pub(super) fn unblock(session: &Session<'_>, args: &ProfileArg) -> Result<ExitStatus, CommandError> {
    let workspace = session.profiles(true)?;
    let id = args.profile_id.as_str();
    if !workspace.own_store().usage.iter().any(|(known, _)| known == id) {
        require_own(&workspace, id)?;
    }
    let rested = session.change_store(&workspace, |store| store.unblock(id))?;
    let id = name(id);
    Ok(session.printer.answer(&if rested {
        format!("{id} may be used again.\n")
    } else {
        format!("{id} was not resting.\n")
    }))
}

/// Only an agent's own entries can be changed through it.
fn require_own(workspace: &Workspace, id: &str) -> Result<(), CommandError> {
    let own = workspace.own_store();
    if own.has_entry(id) {
        return Ok(());
    }
    if workspace.main_store().is_some_and(|main| main.has_entry(id)) {
        return Err(CommandError::refused(format!("profile \"{}\" belongs to the main agent", name(id)))
            .hint("add `--agent main`"));
    }
    let known: Vec<_> = own.profiles.iter().map(|(id, _)| printable(id)).collect();
    let hint = if known.is_empty() {
        "the store has no profiles".to_owned()
    } else {
        format!("profiles: {}", known.join(", "))
    };
    let shown = workspace.paths.shown(workspace.store.path()).short;
    Err(CommandError::refused(format!("no profile \"{}\" in {shown}", name(id))).hint(hint))
}
