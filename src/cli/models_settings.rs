//! `openclaw models set`, `set-image`, `aliases`, `fallbacks`, `image-fallbacks`.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use crate::cli::Session;
use crate::cli::args::{AliasesCommand, FallbacksCommand, ListFormat};
use crate::exit::{CommandError, ExitStatus};
use crate::settings::{self, Slot};

/// These commands change what all agents share.
fn refuse_agent(session: &Session<'_>) -> Result<(), CommandError> {
    match session.cli.agent {
        None => Ok(()),
        Some(_) => {
            Err(CommandError::usage("model settings are those of all agents; --agent does not go with them")
                .hint("an agent's own model stands in agents.list of openclaw.json"))
        }
    }
}

/// Makes a model the primary one.
pub(super) fn set(session: &Session<'_>, slot: Slot, reference: &str) -> Result<ExitStatus, CommandError> {
    refuse_agent(session)?;
    let workspace = session.workspace()?;
    let mut key = String::new();
    let updated = session.change_config(&workspace, |config| {
        key = settings::resolve(config, reference)?;
        Ok(settings::set_primary(config, slot, &key))
    })?;
    let word = match slot {
        Slot::Text => "Default model",
        Slot::Image => "Image model",
    };
    Ok(session.printer.answer(&format!("{updated}{word}: {key}\n")))
}

/// Shows and changes the names of models.
pub(super) fn aliases(session: &Session<'_>, command: &AliasesCommand) -> Result<ExitStatus, CommandError> {
    refuse_agent(session)?;
    let workspace = session.workspace()?;
    let answer = match command {
        AliasesCommand::List(format) => list_aliases(&workspace.config.aliases(), *format),
        AliasesCommand::Add { alias, model } => {
            let mut key = String::new();
            let updated = session.change_config(&workspace, |config| {
                key = settings::resolve(config, model)?;
                settings::add_alias(config, alias, &key)
            })?;
            format!("{updated}Alias {alias} -> {key}\n")
        }
        AliasesCommand::Remove { alias } => {
            let updated =
                session.change_config(&workspace, |config| settings::remove_alias(config, alias))?;
            format!("{updated}Alias {alias} removed.\n")
        }
    };
    Ok(session.printer.answer(&answer))
}

fn list_aliases(aliases: &[(String, String)], format: ListFormat) -> String {
    if format.json {
        let aliases: Map<String, Value> =
            aliases.iter().map(|(alias, key)| (alias.clone(), json!(key))).collect();
        return pretty(&json!({ "aliases": aliases }));
    }
    let mut text = String::new();
    if !format.plain {
        let _ = writeln!(text, "Aliases ({}):", aliases.len());
    }
    for (alias, key) in aliases {
        let _ =
            if format.plain { writeln!(text, "{alias} {key}") } else { writeln!(text, "- {alias} -> {key}") };
    }
    text
}

/// Shows and changes the models to fail over to.
pub(super) fn fallbacks(
    session: &Session<'_>,
    slot: Slot,
    command: &FallbacksCommand,
) -> Result<ExitStatus, CommandError> {
    refuse_agent(session)?;
    let workspace = session.workspace()?;
    let (title, cleared) = match slot {
        Slot::Text => ("Fallbacks", "Fallback list cleared."),
        Slot::Image => ("Image fallbacks", "Image fallback list cleared."),
    };
    let answer = match command {
        FallbacksCommand::List(format) => list_fallbacks(slot.fallbacks(&workspace.config), title, *format),
        FallbacksCommand::Clear => {
            let updated = session.change_config(&workspace, |_| Ok(settings::clear_fallbacks(slot)))?;
            format!("{updated}{cleared}\n")
        }
        FallbacksCommand::Add(args) => {
            let updated = session.change_config(&workspace, |config| {
                let key = settings::resolve(config, &args.model)?;
                Ok(settings::add_fallback(config, slot, &key))
            })?;
            format!("{updated}{title}: {}\n", joined(session, slot)?)
        }
        FallbacksCommand::Remove(args) => {
            let updated = session.change_config(&workspace, |config| {
                let key = settings::resolve(config, &args.model)?;
                settings::remove_fallback(config, slot, &key)
            })?;
            format!("{updated}{title}: {}\n", joined(session, slot)?)
        }
    };
    Ok(session.printer.answer(&answer))
}

fn joined(session: &Session<'_>, slot: Slot) -> Result<String, CommandError> {
    Ok(slot.fallbacks(&session.workspace()?.config).join(", "))
}

fn list_fallbacks(list: &[String], title: &str, format: ListFormat) -> String {
    if format.json {
        return pretty(&json!({ "fallbacks": list }));
    }
    if format.plain {
        return list.iter().flat_map(|key| [key.as_str(), "\n"]).collect();
    }
    let lines: String = list.iter().flat_map(|key| ["- ", key.as_str(), "\n"]).collect();
    format!("{title} ({}):\n{}", list.len(), if list.is_empty() { "- none\n" } else { &lines })
}

/// A small JSON document.
pub(super) fn pretty(document: &Value) -> String {
    serde_json::to_string_pretty(document).unwrap_or_default() + "\n"
}
