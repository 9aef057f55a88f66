//! The models that ship with the program: names and sizes of the ids that the reference names.
//!
//! Nothing is downloaded. A model of a known provider that is not in this table is fine, its sizes are just unknown.

/// One model of the table.
#[derive(Debug)]
pub struct ShippedModel {
    /// `provider/model` in normal form.
    pub key: &'static str,
    /// The name for people.
    pub name: &'static str,
    /// Whether it reads images beside text.
    pub reads_images: bool,
    /// Context window in tokens.
    pub context_window: u64,
}

const fn model(
    key: &'static str,
    name: &'static str,
    reads_images: bool,
    context_window: u64,
) -> ShippedModel {
    ShippedModel { key, name, reads_images, context_window }
}

/// Sorted by key. Sizes are those of the vendors' model pages.
pub const MODELS: &[ShippedModel] = &[
    model("anthropic/claude-opus-4-5", "Claude Opus 4.5", true, 200_000),
    model("anthropic/claude-sonnet-4-5", "Claude Sonnet 4.5", true, 200_000),
    model("google/gemini-3-flash-preview", "Gemini 3 Flash", true, 1_048_576),
    model("google/gemini-3-pro-preview", "Gemini 3 Pro", true, 1_048_576),
    model("minimax/MiniMax-M2.1", "MiniMax M2.1", false, 200_000),
    model("moonshot/kimi-k2-0905-preview", "Kimi K2", false, 256_000),
    model("openai-codex/gpt-5.2", "GPT-5.2 Codex", true, 400_000),
    model("openai/gpt-5-mini", "GPT-5 mini", true, 400_000),
    model("openai/gpt-5.2", "GPT-5.2", true, 400_000),
    model("zai/glm-4.7", "GLM 4.7", false, 204_800),
];

/// The model of this key, when the table has it.
pub fn find(key: &str) -> Option<&'static ShippedModel> {
    MODELS.iter().find(|model| model.key == key)
}

#[cfg(test)]
mod tests {
    use super::{MODELS, find};
    use crate::core::{model_ref, provider};

    #[test]
    fn the_table_is_sorted_and_of_known_providers() {
        assert!(MODELS.is_sorted_by_key(|model| model.key));
        for model in MODELS {
            let resolved = model_ref::resolve(model.key, &[]).model().unwrap();
            assert_eq!(resolved.key(), model.key);
            assert!(provider::find(&resolved.provider).is_some(), "{}", model.key);
        }
    }

    #[test]
    fn built_in_aliases_lead_into_the_table() {
        for (alias, key) in model_ref::BUILT_IN_ALIASES {
            assert!(find(key).is_some(), "{alias}");
        }
    }
}
