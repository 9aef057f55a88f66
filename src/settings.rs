//! The model settings of `openclaw.json`: what a wish means as edits of the file.

use serde_json::json;

use crate::core::model_ref::{self, BUILT_IN_ALIASES};
use crate::exit::CommandError;
use crate::format::config_edit::Edit;
use crate::format::config_sections::{Config, ModelSelection};

/// Which of the two model settings is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// `agents.defaults.model`.
    Text,
    /// `agents.defaults.imageModel`.
    Image,
}

impl Slot {
    fn key(self) -> &'static str {
        match self {
            Self::Text => "model",
            Self::Image => "imageModel",
        }
    }

    /// The setting in a config.
    pub fn of(self, config: &Config) -> &ModelSelection {
        match self {
            Self::Text => &config.model,
            Self::Image => &config.image_model,
        }
    }

    /// The models to fail over to.
    pub fn fallbacks(self, config: &Config) -> &[String] {
        self.of(config).fallbacks.as_deref().unwrap_or_default()
    }
}

/// What a reference written by a person means: `provider/model` in normal form.
pub fn resolve(config: &Config, reference: &str) -> Result<String, CommandError> {
    match model_ref::resolve(reference, &config.aliases()).model() {
        Some(model) if !reference.contains(char::is_control) => Ok(model.key()),
        _ => Err(CommandError::usage(format!("\"{reference}\" is no model"))
            .hint("write provider/model, for example anthropic/claude-opus-4-5, or an alias")),
    }
}

/// Makes a model the primary one; fallbacks stay.
pub fn set_primary(config: &Config, slot: Slot, key: &str) -> Vec<Edit> {
    let mut edits = vec![Edit::set(["agents", "defaults", slot.key(), "primary"], key)];
    edits.extend(allow(config, key));
    edits
}

/// Adds a model to the ones to fail over to; nothing when it is there already.
pub fn add_fallback(config: &Config, slot: Slot, key: &str) -> Vec<Edit> {
    if slot.fallbacks(config).iter().any(|known| resolves_to(config, known, key)) {
        return Vec::new();
    }
    let mut edits = vec![Edit::Append(fallbacks_path(slot), json!(key))];
    edits.extend(allow(config, key));
    edits
}

/// Takes a model out of the ones to fail over to.
pub fn remove_fallback(config: &Config, slot: Slot, key: &str) -> Result<Vec<Edit>, CommandError> {
    let list = slot.fallbacks(config);
    let places = places(list, |known| resolves_to(config, known, key));
    if places.is_empty() {
        let word = match slot {
            Slot::Text => "Fallback",
            Slot::Image => "Image fallback",
        };
        return Err(CommandError::refused(format!("{word} not found: {key}")).hint(if list.is_empty() {
            "the list is empty".to_owned()
        } else {
            format!("in the list: {}", list.join(", "))
        }));
    }
    Ok(vec![Edit::Drop(fallbacks_path(slot), places)])
}

/// The places of a list that hold what is meant.
pub fn places(list: &[String], is_meant: impl Fn(&str) -> bool) -> Vec<usize> {
    list.iter().enumerate().filter(|(_, entry)| is_meant(entry)).map(|(place, _)| place).collect()
}

/// Makes models the ones to fail over to, in the place of those that were.
pub fn set_fallbacks(config: &Config, slot: Slot, keys: &[String]) -> Vec<Edit> {
    let allowed = keys.iter().filter_map(|key| allow(config, key));
    std::iter::once(Edit::Set(fallbacks_path(slot), json!(keys))).chain(allowed).collect()
}

/// Empties the list.
pub fn clear_fallbacks(slot: Slot) -> Vec<Edit> {
    vec![Edit::Set(fallbacks_path(slot), json!([]))]
}

/// Gives a model another name.
pub fn add_alias(config: &Config, alias: &str, key: &str) -> Result<Vec<Edit>, CommandError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_.:-".contains(c);
    if alias.is_empty() || !alias.chars().all(is_plain) {
        return Err(CommandError::usage(format!("\"{alias}\" cannot be an alias"))
            .hint("use letters, digits, \"_\", \".\", \":\" and \"-\""));
    }
    let aliases = config.aliases();
    if let Some((known, target)) = aliases.iter().find(|(known, _)| known.eq_ignore_ascii_case(alias)) {
        if resolves_to(config, target, key) && known == alias {
            return Ok(Vec::new());
        }
        if !resolves_to(config, target, key) {
            return Err(CommandError::refused(format!("Alias {known} already points to {target}."))
                .hint(format!("`openclaw models aliases remove {known}` first")));
        }
    }
    Ok(vec![Edit::set(["agents", "defaults", "models", &listed_as(config, key), "alias"], alias)])
}

/// Takes a name away. A built-in name is switched off by an empty one: it would come back otherwise.
pub fn remove_alias(config: &Config, alias: &str) -> Result<Vec<Edit>, CommandError> {
    let aliases = config.aliases();
    let Some((_, key)) = aliases.iter().find(|(known, _)| known.eq_ignore_ascii_case(alias)) else {
        let known: Vec<_> = aliases.iter().map(|(known, _)| known.as_str()).collect();
        let hint = if known.is_empty() {
            "there are none".to_owned()
        } else {
            format!("aliases: {}", known.join(", "))
        };
        return Err(CommandError::refused(format!("Alias not found: {alias}")).hint(hint));
    };
    let path = ["agents", "defaults", "models", key.as_str(), "alias"];
    let has_built_in = BUILT_IN_ALIASES.iter().any(|(_, model)| model == key);
    Ok(vec![if has_built_in { Edit::set(path, "") } else { Edit::remove(path) }])
}

/// Where there is an allow list a model must be on it; none is created for one model.
fn allow(config: &Config, key: &str) -> Option<Edit> {
    let is_listed = config.models.iter().any(|(known, _)| resolves_to(config, known, key));
    (!config.models.is_empty() && !is_listed)
        .then(|| Edit::set(["agents", "defaults", "models", key], json!({})))
}

/// The key under which a model stands in the list, as written there.
fn listed_as(config: &Config, key: &str) -> String {
    let listed = config.models.iter().find(|(known, _)| resolves_to(config, known, key));
    listed.map_or_else(|| key.to_owned(), |(known, _)| known.clone())
}

fn resolves_to(config: &Config, reference: &str, key: &str) -> bool {
    model_ref::resolve(reference, &config.aliases()).model().is_some_and(|model| model.key() == key)
}

fn fallbacks_path(slot: Slot) -> Vec<String> {
    ["agents", "defaults", slot.key(), "fallbacks"].map(str::to_owned).to_vec()
}
