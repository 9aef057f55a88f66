//! `openclaw models scan`.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::Session;
use crate::cli::args::ScanArgs;
use crate::core::provider;
use crate::core::scan::{ListedModel, Wanted, candidates};
use crate::core::secret::Secret;
use crate::exit::{CommandError, ExitStatus};
use crate::format::config_edit::Edit;
use crate::format::config_sections::Config;
use crate::render::printable;
use crate::scan::{PROVIDER, Scan, Tried};
use crate::settings::{self, Slot};
use crate::workspace::Workspace;

/// A candidate and what trying it came to; `None` when it was not tried.
type Candidate = (ListedModel, Option<Tried>);

/// Lists free models, tries them, and makes those that answer the ones to fail over to.
pub(super) fn run(session: &Session<'_>, args: &ScanArgs) -> Result<ExitStatus, CommandError> {
    let may_ask = session.printer.process().stdin_is_terminal() && !args.yes && !args.no_input && !args.json;
    if !(may_ask || args.yes || args.no_input || args.json || args.no_probe) {
        return Err(CommandError::usage(
            "models scan asks before it changes the config, and there is no terminal",
        )
        .hint("add --yes, --no-input or --json"));
    }
    let workspace = session.profiles(true)?;
    let key = key(&workspace).ok_or_else(|| {
        CommandError::refused("Missing OpenRouter API key. Set OPENROUTER_API_KEY to run models scan.")
            .hint("or `openclaw onboard --auth-choice openrouter-api-key`")
    })?;
    let progress = session.printer.progress();
    progress.show("reading the list of models");
    let scan = Scan::new(&workspace, key, Duration::from_millis(args.timeout));
    let models = scan.models().map_err(CommandError::refused)?;
    let wanted =
        Wanted { min_params: args.min_params, max_age_days: args.max_age_days, maker: args.provider.clone() };
    let mut found = candidates(&models, &wanted, session.clock.now().timestamp_millis());
    found.truncate(args.max_candidates);
    progress.show(&format!("trying {} models", found.len()));
    let tried: Vec<_> = if args.no_probe {
        vec![None; found.len()]
    } else {
        scan.try_all(&found, args.concurrency).into_iter().map(Some).collect()
    };
    drop(progress);
    let results: Vec<Candidate> = found.into_iter().zip(tried).collect();
    let chosen = Chosen::of(&results);
    let page = page(models.len(), &results);
    if args.no_probe {
        return Ok(session.printer.answer(&if args.json {
            document(&results, &Chosen::default())
        } else {
            page
        }));
    }
    if chosen.text.is_empty() {
        if args.json {
            session.printer.answer(&document(&results, &chosen));
        } else {
            session.printer.message(page.trim_end());
        }
        return Err(nothing_chosen(&results));
    }
    let replaced = replaced(&workspace.config, &chosen);
    if may_ask {
        session.printer.message(page.trim_end());
        let instead =
            if replaced.is_empty() { String::new() } else { format!(" instead of {}", replaced.join(", ")) };
        let question = format!("Fail over to these {} models{instead}?", chosen.text.len());
        if !session.is_confirmed(&question, replaced.is_empty())? {
            return Err(CommandError::refused("the config was left as it was"));
        }
    } else if !replaced.is_empty() {
        let config = workspace.paths.shown(&workspace.paths.config).short;
        session.printer.message(&format!("note: replaced {}; {config}.bak has them", replaced.join(", ")));
    }
    let edits = |config: &Config| Ok(chosen.edits(config, args.set_default, args.set_image));
    let updated = session.change_config(&workspace, edits)?;
    if args.json {
        session.printer.message(updated.trim_end());
        return Ok(session.printer.answer(&document(&results, &chosen)));
    }
    let shown = if may_ask { String::new() } else { page };
    let mut answer = format!("{shown}{updated}Fallbacks: {}\n", chosen.text.join(", "));
    if !chosen.image.is_empty() {
        let _ = writeln!(answer, "Image fallbacks: {}", chosen.image.join(", "));
    }
    Ok(session.printer.answer(&answer))
}

/// Why no model was chosen, and what to do about it.
fn nothing_chosen(results: &[Candidate]) -> CommandError {
    let is_refused = |(_, tried): &Candidate| *tried == Some(Tried::Refused);
    if results.is_empty() {
        return CommandError::refused("no free model fits; the config was left as it was")
            .hint("ask for less: --min-params, --max-age-days, --provider");
    }
    if results.iter().all(is_refused) {
        return CommandError::refused("openrouter refuses the key; the config was left as it was")
            .hint("`openclaw onboard --auth-choice openrouter-api-key` stores another one");
    }
    CommandError::refused("no free model answers; the config was left as it was").hint("try again later")
}

/// Models that are failed over to now, and will not be any more.
fn replaced(config: &Config, chosen: &Chosen) -> Vec<String> {
    let images = if chosen.image.is_empty() { &[][..] } else { Slot::Image.fallbacks(config) };
    let now = Slot::Text.fallbacks(config).iter().chain(images);
    now.filter(|model| !chosen.text.contains(model) && !chosen.image.contains(model)).cloned().collect()
}

/// The key of the environment, of the store, or of the config, in the order in which they are used.
fn key(workspace: &Workspace) -> Option<Secret> {
    let own = workspace.own_store();
    let profiles =
        own.profiles.iter().chain(workspace.main_store().into_iter().flat_map(|main| &main.profiles));
    let stored = profiles
        .filter(|(_, credential)| provider::normalize(&credential.provider) == PROVIDER)
        .find_map(|(_, credential)| credential.material.usable_secret().cloned());
    let variable = provider::find(PROVIDER).and_then(|known| known.env.last());
    let environment =
        variable.and_then(|name| workspace.environment.get(name)).map(|(_, value)| value.clone());
    let config = workspace.config.providers.iter().find(|(id, _)| provider::normalize(id) == PROVIDER);
    let config = config.and_then(|(_, entry)| entry.key.clone());
    stored.or(environment).or(config).filter(|key| !key.is_blank())
}

/// The models to fail over to, as the config writes them.
#[derive(Default)]
struct Chosen {
    text: Vec<String>,
    image: Vec<String>,
}

impl Chosen {
    fn of(results: &[Candidate]) -> Self {
        let works = results.iter().filter(|(_, tried)| *tried == Some(Tried::Works));
        let key = |model: &ListedModel| format!("{PROVIDER}/{}", model.id);
        Self {
            text: works.clone().map(|(model, _)| key(model)).collect(),
            image: works.filter(|(model, _)| model.sees).map(|(model, _)| key(model)).collect(),
        }
    }

    fn edits(&self, config: &Config, set_default: bool, set_image: bool) -> Vec<Edit> {
        let mut edits = settings::set_fallbacks(config, Slot::Text, &self.text);
        if !self.image.is_empty() {
            edits.extend(settings::set_fallbacks(config, Slot::Image, &self.image));
        }
        if let Some(first) = self.text.first().filter(|_| set_default) {
            edits.extend(settings::set_primary(config, Slot::Text, first));
        }
        if let Some(first) = self.image.first().filter(|_| set_image) {
            edits.extend(settings::set_primary(config, Slot::Image, first));
        }
        edits
    }
}

fn page(listed: usize, results: &[Candidate]) -> String {
    let mut page = format!("{listed} models are listed, {} of them free and wanted:\n", results.len());
    for (model, tried) in results {
        let context = model.context.map_or_else(String::new, |tokens| format!(", {}k", tokens / 1024));
        let sees = if model.sees { ", sees images" } else { "" };
        let outcome = match tried {
            Some(Tried::Works) => "answers".to_owned(),
            Some(Tried::Fails(why)) => format!("does not: {}", printable(why)),
            Some(Tried::Refused) => "the key is refused".to_owned(),
            None => "not tried".to_owned(),
        };
        let _ = writeln!(page, "- {PROVIDER}/{}{context}{sees}: {outcome}", printable(&model.id));
    }
    page
}

fn document(results: &[Candidate], chosen: &Chosen) -> String {
    let entries: Vec<Value> = results
        .iter()
        .map(|(model, tried)| {
            let error = match tried {
                Some(Tried::Fails(why)) => Some(why.as_str()),
                Some(Tried::Refused) => Some("the key is refused"),
                Some(Tried::Works) | None => None,
            };
            json!({
                "key": format!("{PROVIDER}/{}", model.id),
                "name": model.name,
                "contextWindow": model.context,
                "params": model.params,
                "image": model.sees,
                "ok": tried.as_ref().map(|tried| *tried == Tried::Works),
                "error": error,
            })
        })
        .collect();
    let document = json!({"selected": chosen.text, "selectedImages": chosen.image, "results": entries});
    serde_json::to_string_pretty(&document).unwrap_or_default() + "\n"
}
