//! Choosing free models out of a provider's public list.

use crate::core::credential::EpochMs;
use crate::core::span;

/// A model as a provider lists it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListedModel {
    /// The provider's id of it, for example `meta-llama/llama-3.3-70b-instruct:free`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Context window in tokens.
    pub context: Option<u64>,
    /// When it was listed.
    pub created: Option<EpochMs>,
    /// Whether prompt and answer cost nothing.
    pub is_free: bool,
    /// Whether it takes images.
    pub sees: bool,
    /// Whether it calls tools.
    pub calls_tools: bool,
    /// Billions of parameters, as far as the id or the name tells.
    pub params: Option<f64>,
}

/// What somebody wants of a model.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// At least that many billions of parameters.
    pub min_params: Option<f64>,
    /// Listed within that many days.
    pub max_age_days: Option<f64>,
    /// Only of this maker: the part of the id before the slash.
    pub maker: Option<String>,
}

/// The free models that can do an agent's work and are wanted, the largest context first, then the newest.
pub fn candidates(models: &[ListedModel], wanted: &Wanted, now: EpochMs) -> Vec<ListedModel> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "a float cast saturates, and days are few"
    )]
    let oldest = wanted.max_age_days.map(|days| now.saturating_sub((days * span::DAY as f64) as i64));
    let maker = |model: &ListedModel| model.id.split('/').next().unwrap_or_default().to_lowercase();
    let mut chosen: Vec<_> = models
        .iter()
        .filter(|model| model.is_free && model.calls_tools)
        .filter(|model| wanted.min_params.is_none_or(|min| model.params.is_some_and(|params| params >= min)))
        .filter(|model| oldest.is_none_or(|oldest| model.created.is_some_and(|created| created >= oldest)))
        .filter(|model| wanted.maker.as_ref().is_none_or(|wanted| maker(model) == wanted.to_lowercase()))
        .cloned()
        .collect();
    chosen.sort_by(|a, b| {
        b.context.cmp(&a.context).then(b.created.cmp(&a.created)).then_with(|| a.id.cmp(&b.id))
    });
    chosen
}

/// The size that a name tells: `70b` is 70, `8x7b` is 56, `1.5B` is 1.5.
pub fn params(text: &str) -> Option<f64> {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !(c.is_ascii_alphanumeric() || c == '.'));
    words.filter_map(|word| word.strip_suffix('b')).filter_map(size).max_by(f64::total_cmp)
}

fn size(word: &str) -> Option<f64> {
    let plain = |text: &str| -> Option<f64> {
        let is_number = text.starts_with(|c: char| c.is_ascii_digit())
            && text.chars().all(|c| c.is_ascii_digit() || c == '.');
        is_number.then(|| text.parse().ok()).flatten()
    };
    match word.split_once('x') {
        Some((experts, each)) => Some(plain(experts)? * plain(each)?),
        None => plain(word),
    }
}

#[cfg(test)]
mod tests {
    use super::{ListedModel, Wanted, candidates, params};

    #[test]
    fn names_tell_sizes() {
        for (text, wanted) in [
            ("meta-llama/llama-3.3-70b-instruct:free", Some(70.0)),
            ("mixtral-8x7b", Some(56.0)),
            ("Qwen 1.5B Chat", Some(1.5)),
            ("qwen3-235b-a22b", Some(235.0)),
            ("claude-opus-4-5", None),
            ("b", None),
            ("gpt-oss-120b", Some(120.0)),
        ] {
            assert_eq!(params(text), wanted, "{text}");
        }
    }

    #[test]
    fn only_free_models_with_tools_are_chosen_and_the_roomiest_comes_first() {
        let model = |id: &str, context, day: i64| ListedModel {
            id: id.to_owned(),
            context: Some(context),
            created: Some(day * 86_400_000),
            is_free: true,
            calls_tools: true,
            params: params(id),
            ..ListedModel::default()
        };
        let models = [
            model("a/small-8b", 8_000, 90),
            model("a/large-70b", 128_000, 90),
            model("b/old-70b", 128_000, 10),
            ListedModel { is_free: false, ..model("a/paid-70b", 1_000_000, 90) },
            ListedModel { calls_tools: false, ..model("a/mute-70b", 1_000_000, 90) },
        ];
        let ids = |wanted: &Wanted| -> Vec<String> {
            candidates(&models, wanted, 100 * 86_400_000).into_iter().map(|model| model.id).collect()
        };
        assert_eq!(ids(&Wanted::default()), ["a/large-70b", "b/old-70b", "a/small-8b"]);
        assert_eq!(ids(&Wanted { min_params: Some(9.0), ..Wanted::default() }), ["a/large-70b", "b/old-70b"]);
        assert_eq!(
            ids(&Wanted { max_age_days: Some(30.0), ..Wanted::default() }),
            ["a/large-70b", "a/small-8b"]
        );
        assert_eq!(ids(&Wanted { maker: Some("B".to_owned()), ..Wanted::default() }), ["b/old-70b"]);
    }
}
