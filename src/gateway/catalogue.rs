//! The models that can be asked for, and which of them a text means.

use crate::core::chat_command::{Wanted, short};
use crate::core::model_match::{self, Choice, Meant};
use crate::core::model_ref::{self, ModelRef, Resolved};
use crate::core::models::MODELS;
use crate::core::provider;
use crate::core::session;
use crate::gateway::view::View;

/// What names of models begin with, and whose they are.
const PREFIXES: &[(&str, &str)] = &[
    ("claude-", "anthropic"),
    ("gemini-", "google"),
    ("gpt-", "openai"),
    ("grok-", "xai"),
    ("o1", "openai"),
    ("o3", "openai"),
    ("o4", "openai"),
];

impl View {
    /// The model that the config asks for.
    pub(super) fn default_model(&self) -> Option<ModelRef> {
        let settings = &self.snapshot.models;
        let primary = settings.primary.as_deref().unwrap_or(model_ref::DEFAULT_MODEL);
        model_ref::resolve(primary, &settings.aliases).model()
    }

    /// The model that a request gets, and those to fail over to: what it names, else what was chosen in its session, else
    /// what is configured. The error names what there is.
    pub(super) fn models(
        &self,
        asked: Option<&str>,
        chosen: Option<&ModelRef>,
    ) -> Result<Vec<ModelRef>, String> {
        let settings = &self.snapshot.models;
        let first = match (asked.map(str::trim).filter(|asked| !session::is_ours(asked)), chosen) {
            (Some(asked), _) => Some(self.resolved(asked)?),
            (None, Some(chosen)) => Some(chosen.clone()),
            (None, None) => self.default_model(),
        };
        let first = first.ok_or("no model is configured")?;
        let resolve = |text: &String| model_ref::resolve(text, &settings.aliases).model();
        let mut models = vec![first];
        for fallback in settings.fallbacks.iter().filter_map(resolve) {
            if !models.contains(&fallback) {
                models.push(fallback);
            }
        }
        Ok(models)
    }

    fn resolved(&self, asked: &str) -> Result<ModelRef, String> {
        match model_ref::resolve(asked, &self.snapshot.models.aliases) {
            Resolved::Known(model) => return Ok(model),
            Resolved::Nothing => return Err("`model` is blank".to_owned()),
            Resolved::Assumed(_) => {}
        }
        // A bare id: what the config declares, what ships, and what its name says.
        let declared = self.declared().filter(|model| model.model == asked).map(|model| model.provider);
        let shipped = shipped().filter(|model| model.model == asked).map(|model| model.provider);
        let mut owners: Vec<String> = declared.chain(shipped).collect();
        if owners.is_empty() {
            owners.extend(owner_by_name(asked).map(str::to_owned));
        }
        owners.sort();
        owners.dedup();
        // Of several, those that can be used at all.
        if owners.len() > 1 {
            let usable: Vec<_> = owners.iter().filter(|id| self.has_credential(id)).cloned().collect();
            if !usable.is_empty() {
                owners = usable;
            }
        }
        match owners.as_slice() {
            [owner] => Ok(ModelRef { provider: owner.clone(), model: asked.to_owned() }),
            [] => Err(format!(
                "no provider of the model \"{}\" is known; write provider/model",
                asked.escape_debug()
            )),
            several => {
                let all: Vec<_> = several.iter().map(|id| format!("{id}/{asked}")).collect();
                Err(format!("several providers have this model: {}", all.join(", ")))
            }
        }
    }

    /// Whether anything could be shown to a provider.
    pub(super) fn has_credential(&self, id: &str) -> bool {
        self.snapshot.profiles.iter().any(|record| provider::normalize(&record.credential.provider) == id)
            || self.snapshot.env_credentials.iter().any(|credential| credential.provider == id)
            || self.snapshot.provider_keys.iter().any(|key| provider::normalize(&key.provider) == id)
    }

    /// The models that can be asked for: those of the config and those that ship, of providers with a credential.
    pub(super) fn listed(&self) -> Vec<String> {
        let choices = self.choices(false).into_iter();
        choices.filter(|choice| choice.has_credential).map(|choice| choice.model.key()).collect()
    }

    /// Every model that a person may choose, sorted. Where the config lists models (`agents.defaults.models`) and the list
    /// counts, those and the configured ones.
    pub(super) fn choices(&self, list_counts: bool) -> Vec<Choice> {
        let settings = &self.snapshot.models;
        let resolve = |text: &String| model_ref::resolve(text, &settings.aliases).model();
        let written = settings.primary.iter().chain(&settings.fallbacks).chain(&settings.allowed);
        let mut models: Vec<_> = written.filter_map(resolve).chain(self.default_model()).collect();
        if !list_counts || settings.allowed.is_empty() {
            models.extend(self.declared().chain(shipped()));
        }
        models.sort_by_key(ModelRef::key);
        models.dedup();
        let default = self.default_model();
        let aliases: Vec<_> = settings
            .aliases
            .iter()
            .filter_map(|(alias, key)| Some((alias, model_ref::resolve(key, &[]).model()?)))
            .collect();
        models
            .into_iter()
            .map(|model| Choice {
                aliases: aliases
                    .iter()
                    .filter(|(_, of)| *of == model)
                    .map(|(alias, _)| (*alias).clone())
                    .collect(),
                has_credential: self.has_credential(&model.provider),
                is_default: default.as_ref() == Some(&model),
                model,
            })
            .collect()
    }

    /// Whether a text is an alias of the config.
    pub(super) fn is_alias(&self, text: &str) -> bool {
        self.snapshot.models.aliases.iter().any(|(alias, _)| alias.eq_ignore_ascii_case(text))
    }

    /// The model and the profile that a person means. The error says what there is instead.
    pub(super) fn meant(&self, wanted: &Wanted) -> Result<(ModelRef, Option<String>), String> {
        let choices = self.choices(true);
        let readings = wanted.readings();
        let owned = |profile: Option<&str>| profile.map(str::to_owned);
        // The longest beginning that is a model counts: a model may have an @ in its name, and so may a profile.
        let whole = readings.iter().take(1);
        for (text, profile) in whole.chain(readings.iter().skip(1).rev()) {
            if let Meant::One(choice) = model_match::exact(text, &choices) {
                return Ok((choice.model.clone(), owned(*profile)));
            }
        }
        let &(text, profile) = readings.get(1).unwrap_or(&readings[0]);
        Ok((self.guessed(text, &choices)?, owned(profile)))
    }

    fn guessed(&self, text: &str, choices: &[Choice]) -> Result<ModelRef, String> {
        let shown = short(text);
        let several = |choices: Vec<&Choice>| {
            let all: Vec<_> = choices.iter().take(8).map(|choice| choice.model.key()).collect();
            Err(format!("\"{shown}\" could be {}; write which one.", all.join(" or ")))
        };
        if let Meant::Several(same) = model_match::exact(text, choices) {
            return several(same);
        }
        let is_free = self.snapshot.models.allowed.is_empty();
        // Where no list says what is allowed, a whole name is taken at its word: nobody knows every model.
        if let Some(model) = model_ref::resolve(text, &[]).model().filter(|_| is_free && text.contains('/')) {
            let is_known = provider::find(&model.provider).is_some()
                || self
                    .snapshot
                    .configured_providers
                    .iter()
                    .any(|id| provider::normalize(id) == model.provider);
            if is_known {
                return Ok(model);
            }
        }
        match model_match::fuzzy(text, choices) {
            Meant::One(choice) => Ok(choice.model.clone()),
            Meant::Several(close) => several(close),
            Meant::Nothing => match owner_by_name(text).filter(|_| is_free) {
                Some(owner) => Ok(ModelRef { provider: owner.to_owned(), model: text.to_owned() }),
                None if is_free => Err(format!(
                    "Model \"{shown}\" is not known. Use /model list to see what is, or write provider/model."
                )),
                None => Err(format!(
                    "Model \"{shown}\" is not allowed. Use /model list to see what is: agents.defaults.models of the \
                     config lists them."
                )),
            },
        }
    }

    fn declared(&self) -> impl Iterator<Item = ModelRef> {
        self.workspace.config.providers.iter().flat_map(|(id, entry)| {
            let provider = provider::normalize(id);
            let made = move |id: &String| ModelRef { provider: provider.clone(), model: id.clone() };
            entry.models.iter().map(move |model| made(&model.id))
        })
    }
}

fn shipped() -> impl Iterator<Item = ModelRef> {
    MODELS.iter().filter_map(|model| {
        let (provider, id) = model.key.split_once('/')?;
        Some(ModelRef { provider: provider.to_owned(), model: id.to_owned() })
    })
}

fn owner_by_name(model: &str) -> Option<&'static str> {
    PREFIXES.iter().find(|(prefix, _)| model.starts_with(prefix)).map(|(_, id)| *id)
}
