//! `provider/model` references: aliases, normal forms, the default model.

use crate::core::provider;

/// What runs when nothing is configured.
pub const DEFAULT_MODEL: &str = "anthropic/claude-opus-4-5";
/// The provider of a name without a slash.
const DEFAULT_PROVIDER: &str = "anthropic";

/// Aliases that listed models get when they name none themselves (reference defaults).
pub const BUILT_IN_ALIASES: &[(&str, &str)] = &[
    ("opus", "anthropic/claude-opus-4-5"),
    ("sonnet", "anthropic/claude-sonnet-4-5"),
    ("gpt", "openai/gpt-5.2"),
    ("gpt-mini", "openai/gpt-5-mini"),
    ("gemini", "google/gemini-3-pro-preview"),
    ("gemini-flash", "google/gemini-3-flash-preview"),
];

/// A model of a provider, both in normal form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelRef {
    /// Normalised provider id.
    pub provider: String,
    /// The provider's model id.
    pub model: String,
}

impl ModelRef {
    /// `provider/model`.
    pub fn key(&self) -> String {
        format!("{}/{}", self.provider, self.model)
    }
}

/// How a reference was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// An alias or a `provider/model`.
    Known(ModelRef),
    /// A bare name that is no alias; taken for a model of Anthropic.
    Assumed(ModelRef),
    /// Blank, or an empty part beside the slash.
    Nothing,
}

impl Resolved {
    /// The model, however it was understood.
    pub fn model(self) -> Option<ModelRef> {
        match self {
            Self::Known(model) | Self::Assumed(model) => Some(model),
            Self::Nothing => None,
        }
    }
}

/// Resolves a reference; `aliases` are pairs of alias and model key.
pub fn resolve(text: &str, aliases: &[(String, String)]) -> Resolved {
    let text = text.trim();
    if text.is_empty() {
        return Resolved::Nothing;
    }
    if text.contains('/') {
        return split(text).map_or(Resolved::Nothing, Resolved::Known);
    }
    let alias = aliases.iter().find(|(alias, _)| alias.to_lowercase() == text.to_lowercase());
    match alias.and_then(|(_, key)| split(key)) {
        Some(model) => Resolved::Known(model),
        None => Resolved::Assumed(normal(DEFAULT_PROVIDER, text)),
    }
}

fn split(text: &str) -> Option<ModelRef> {
    let (provider, model) = text.split_once('/')?;
    let (provider, model) = (provider.trim(), model.trim());
    (!provider.is_empty() && !model.is_empty()).then(|| normal(provider, model))
}

fn normal(provider: &str, model: &str) -> ModelRef {
    let provider = provider::normalize(provider);
    let model = match (provider.as_str(), model.to_lowercase().as_str()) {
        ("anthropic", "opus-4.5") => "claude-opus-4-5".to_owned(),
        ("anthropic", "sonnet-4.5") => "claude-sonnet-4-5".to_owned(),
        ("google", "gemini-3-pro") => "gemini-3-pro-preview".to_owned(),
        ("google", "gemini-3-flash") => "gemini-3-flash-preview".to_owned(),
        _ => model.to_owned(),
    };
    ModelRef { provider, model }
}

#[cfg(test)]
mod tests {
    use super::{Resolved, resolve};

    fn key(text: &str) -> Option<String> {
        let aliases = [("G52".to_owned(), "openai/gpt-5.2".to_owned())];
        resolve(text, &aliases).model().map(|model| model.key())
    }

    #[test]
    fn references_resolve_to_their_normal_form() {
        for (text, expected) in [
            ("Z.AI/glm-4.7", "zai/glm-4.7"),
            ("g52", "openai/gpt-5.2"),
            ("anthropic/opus-4.5", "anthropic/claude-opus-4-5"),
            ("google/gemini-3-pro", "google/gemini-3-pro-preview"),
            ("openrouter/meta/llama", "openrouter/meta/llama"),
            ("bare-name", "anthropic/bare-name"),
        ] {
            assert_eq!(key(text).as_deref(), Some(expected), "{text}");
        }
        for text in ["", "  ", "/x", "x/", "/"] {
            assert_eq!(key(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_bare_name_that_is_no_alias_is_only_assumed() {
        assert!(matches!(resolve("nope", &[]), Resolved::Assumed(_)));
        assert!(matches!(resolve("a/b", &[]), Resolved::Known(_)));
    }
}
