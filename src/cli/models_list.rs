//! `openclaw models list`.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::cli::Session;
use crate::cli::args::ListArgs;
use crate::cli::models_settings::pretty;
use crate::core::model_ref;
use crate::core::models::{self, MODELS};
use crate::core::provider;
use crate::core::report::Report;
use crate::exit::{CommandError, ExitStatus};
use crate::render::printable;
use crate::workspace::Workspace;

/// One row: the key and where the config names it.
struct Row {
    key: String,
    provider: String,
    tags: Vec<String>,
}

/// Lists the configured models, or all that are known.
pub(super) fn run(session: &Session<'_>, args: &ListArgs) -> Result<ExitStatus, CommandError> {
    let workspace = session.profiles(false)?;
    let report = session.report(&workspace);
    let wanted = args.provider.as_deref().map(provider::normalize);
    let mut rows = rows(&workspace, &report, args.all);
    rows.retain(|row| wanted.as_ref().is_none_or(|wanted| *wanted == row.provider));
    rows.retain(|row| !args.local || is_local(&workspace, &row.provider) == Some(true));
    let answer = if args.format.json {
        let models: Vec<_> = rows.iter().map(|row| describe(&workspace, &report, row)).collect();
        pretty(&json!({ "count": rows.len(), "models": models }))
    } else if args.format.plain {
        rows.iter().map(|row| printable(&row.key) + "\n").collect()
    } else {
        table(&workspace, &report, &rows)
    };
    Ok(session.printer.answer(&answer))
}

/// The models in the order of their use: default, fallbacks, image models, the rest of the list.
fn rows(workspace: &Workspace, report: &Report, all: bool) -> Vec<Row> {
    let settings = &report.models;
    let mut rows: Vec<Row> = Vec::new();
    let mut add = |reference: &str, tag: Option<String>| {
        let Some(model) = model_ref::resolve(reference, &settings.aliases).model() else { return };
        let key = model.key();
        let place = rows.iter().position(|row| row.key == key).unwrap_or_else(|| {
            rows.push(Row { key, provider: model.provider, tags: Vec::new() });
            rows.len() - 1
        });
        rows[place].tags.extend(tag);
    };
    add(&report.resolved_default, Some("default".to_owned()));
    for (at, reference) in settings.fallbacks.iter().enumerate() {
        add(reference, Some(format!("fallback#{}", at + 1)));
    }
    if let Some(reference) = &settings.image_primary {
        add(reference, Some("image".to_owned()));
    }
    for (at, reference) in settings.image_fallbacks.iter().enumerate() {
        add(reference, Some(format!("img-fallback#{}", at + 1)));
    }
    for reference in &settings.allowed {
        add(reference, Some("configured".to_owned()));
    }
    for model in MODELS.iter().filter(|_| all) {
        add(model.key, None);
    }
    for (provider, entry) in workspace.config.providers.iter().filter(|_| all) {
        for model in &entry.models {
            add(&format!("{provider}/{}", model.id), None);
        }
    }
    for row in &mut rows {
        let resolves = |key: &String| {
            model_ref::resolve(key, &settings.aliases).model().is_some_and(|model| model.key() == row.key)
        };
        let names = settings.aliases.iter().filter(|(_, key)| resolves(key)).map(|(alias, _)| alias.as_str());
        let names: Vec<_> = names.collect();
        if !names.is_empty() {
            row.tags.push(format!("alias:{}", names.join(",")));
        }
        if is_missing(report, &row.provider) {
            row.tags.push("missing".to_owned());
        }
    }
    rows
}

/// A model is missing only when nobody knows its provider.
fn is_missing(report: &Report, id: &str) -> bool {
    let is_configured = report.configured_providers.iter().any(|known| provider::normalize(known) == id);
    provider::find(id).is_none() && !is_configured
}

fn is_available(report: &Report, id: &str) -> bool {
    report.cli_backends.contains(&id)
        || report.providers.iter().any(|entry| provider::normalize(&entry.id) == id && entry.has_credential())
}

/// Whether the provider runs on this host; `None` for one that nobody knows.
fn is_local(workspace: &Workspace, id: &str) -> Option<bool> {
    let configured = workspace.config.providers.iter().find(|(known, _)| provider::normalize(known) == id);
    match configured {
        Some((_, entry)) => {
            let host = entry.base_url.split("://").nth(1).unwrap_or_default();
            Some(["localhost", "127.", "[::1]"].iter().any(|local| host.starts_with(local)))
        }
        None => provider::find(id).map(|_| false),
    }
}

/// What is known about a model: the config's own words, else the shipped table.
struct Known {
    name: String,
    input: &'static str,
    context_window: Option<u64>,
}

fn known(workspace: &Workspace, row: &Row) -> Known {
    let input = |reads_images: bool| if reads_images { "text+image" } else { "text" };
    let declared = workspace.config.providers.iter().flat_map(|(id, entry)| {
        entry.models.iter().map(move |model| (format!("{}/{}", provider::normalize(id), model.id), model))
    });
    if let Some((_, model)) = declared.into_iter().find(|(key, _)| *key == row.key) {
        let context_window = Some(model.context_window);
        return Known { name: model.name.clone(), input: input(model.reads_images), context_window };
    }
    match models::find(&row.key) {
        Some(model) => Known {
            name: model.name.to_owned(),
            input: input(model.reads_images),
            context_window: Some(model.context_window),
        },
        None => Known { name: row.key.clone(), input: "-", context_window: None },
    }
}

fn describe(workspace: &Workspace, report: &Report, row: &Row) -> Value {
    let known = known(workspace, row);
    let missing = is_missing(report, &row.provider);
    json!({
        "key": row.key,
        "name": known.name,
        "input": known.input,
        "contextWindow": known.context_window,
        "local": is_local(workspace, &row.provider),
        "available": (!missing).then(|| is_available(report, &row.provider)),
        "tags": row.tags,
        "missing": missing,
    })
}

fn table(workspace: &Workspace, report: &Report, rows: &[Row]) -> String {
    if rows.is_empty() {
        return "No models found.\n".to_owned();
    }
    let yes_no = |flag: Option<bool>| flag.map_or("-", |flag| if flag { "yes" } else { "no" });
    let mut text =
        format!("{:<42} {:<10} {:<8} {:<5} {:<5} Tags\n", "Model", "Input", "Ctx", "Local", "Auth");
    for row in rows {
        let known = known(workspace, row);
        let window =
            known.context_window.map_or_else(|| "-".to_owned(), |window| format!("{}k", window / 1024));
        let auth = (!is_missing(report, &row.provider)).then(|| is_available(report, &row.provider));
        let line = format!(
            "{:<42} {:<10} {window:<8} {:<5} {:<5} {}",
            printable(&row.key),
            known.input,
            yes_no(is_local(workspace, &row.provider)),
            yes_no(auth),
            printable(&row.tags.join(","))
        );
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}
