//! Which model a person means by a part of its name.
//!
//! Source of the scores: the reference, release 2026.1.24. What differs: models of providers that have a credential come
//! first, and when two are close nobody is taken.

use strsim::levenshtein;

use crate::core::model_ref::ModelRef;

/// The least score of a match; less is enough when the provider was named.
const LEAST: usize = 120;
const LEAST_WITH_PROVIDER: usize = 90;
/// A shorter text is in too many names to mean one.
const SHORTEST: usize = 3;
/// Two that are nearer to each other than this are as good as each other.
const CLOSE: usize = 30;
/// How different a name may be that only has a slip in it.
const FARTHEST: usize = 3;
/// What names of smaller or earlier models have in them (reference list).
const VARIANTS: &[&str] = &["lightning", "preview", "mini", "fast", "turbo", "lite", "beta", "small", "nano"];

/// A model that can be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The model.
    pub model: ModelRef,
    /// Its aliases.
    pub aliases: Vec<String>,
    /// Whether its provider can be asked with anything.
    pub has_credential: bool,
    /// Whether it is the configured one.
    pub is_default: bool,
}

/// What a text means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meant<'c> {
    /// Nothing that is there.
    Nothing,
    /// This one.
    One(&'c Choice),
    /// One of these.
    Several(Vec<&'c Choice>),
}

/// The model of exactly this alias, key or bare id.
pub fn exact<'c>(text: &str, choices: &'c [Choice]) -> Meant<'c> {
    let is_alias = |choice: &&Choice| choice.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(text));
    if let Some(choice) = choices.iter().find(is_alias) {
        return Meant::One(choice);
    }
    if let Some(choice) = choices.iter().find(|choice| choice.model.key().eq_ignore_ascii_case(text)) {
        return Meant::One(choice);
    }
    of(with_credential(
        choices.iter().filter(|choice| choice.model.model.eq_ignore_ascii_case(text)).collect(),
    ))
}

/// The model that is most like a text.
pub fn fuzzy<'c>(text: &str, choices: &'c [Choice]) -> Meant<'c> {
    let text = text.to_lowercase();
    let (provider, fragment) = match text.split_once('/') {
        Some((provider, fragment)) => (Some(provider), fragment),
        None => (None, text.as_str()),
    };
    if fragment.is_empty() || (provider.is_none() && fragment.chars().count() < SHORTEST) {
        return Meant::Nothing;
    }
    let least = if provider.is_some() { LEAST_WITH_PROVIDER } else { LEAST };
    let is_meant = |choice: &&Choice| provider.is_none_or(|provider| choice.model.provider == provider);
    let good = choices.iter().filter(is_meant).filter(|choice| score(&text, fragment, choice) >= least);
    let mut good = with_credential(good.collect());
    good.sort_by_key(|choice| std::cmp::Reverse(score(&text, fragment, choice)));
    let best = good.first().map_or(0, |choice| score(&text, fragment, choice));
    good.retain(|choice| best - score(&text, fragment, choice) < CLOSE);
    of(good)
}

fn of(mut found: Vec<&Choice>) -> Meant<'_> {
    match found.len() {
        0 => Meant::Nothing,
        1 => Meant::One(found.remove(0)),
        _ => Meant::Several(found),
    }
}

/// Those of providers with a credential; all of them when none has one.
fn with_credential(mut choices: Vec<&Choice>) -> Vec<&Choice> {
    if choices.iter().any(|choice| choice.has_credential) {
        choices.retain(|choice| choice.has_credential);
    }
    choices
}

/// How much a text of small letters is like a model; its `fragment` is what stands behind a provider.
fn score(text: &str, fragment: &str, choice: &Choice) -> usize {
    let (provider, model) = (choice.model.provider.to_lowercase(), choice.model.model.to_lowercase());
    let like = |name: &str, part: &str, [same, begins, has]: [usize; 3]| match name {
        name if name == part => same,
        name if name.starts_with(part) => begins,
        name if name.contains(part) => has,
        _ => 0,
    };
    let names = [
        like(&format!("{provider}/{model}"), text, [220, 140, 110]),
        like(&provider, fragment, [180, 120, 90]),
        like(&model, fragment, [160, 110, 80]),
    ];
    let aliases = choice.aliases.iter().map(|alias| like(&alias.to_lowercase(), fragment, [140, 90, 60]));
    let mut score = names.iter().sum::<usize>() + aliases.sum::<usize>();
    let slips = levenshtein(fragment, &model);
    score += FARTHEST.saturating_sub(slips) * 70;
    score += if model.starts_with(&provider) { 30 } else { 0 };
    score += if choice.is_default { 20 } else { 0 };
    let mut less = 0;
    for variant in VARIANTS {
        match (fragment.contains(variant), model.contains(variant)) {
            (true, true) => score += 40,
            (true, false) => less += 20,
            (false, true) => less += 30,
            (false, false) => {}
        }
    }
    score.saturating_sub(less)
}

#[cfg(test)]
mod tests {
    use super::{Choice, Meant, exact, fuzzy};
    use crate::core::model_ref::resolve;

    fn choices() -> Vec<Choice> {
        let made = |key: &str, alias: Option<&str>, has_credential, is_default| Choice {
            model: resolve(key, &[]).model().unwrap(),
            aliases: alias.into_iter().map(str::to_owned).collect(),
            has_credential,
            is_default,
        };
        vec![
            made("anthropic/claude-opus-4-5", Some("opus"), true, true),
            made("anthropic/claude-sonnet-4-5", Some("Sonny"), true, false),
            made("github-copilot/claude-sonnet-4", None, false, false),
            made("openai/gpt-5-mini", None, true, false),
            made("openai/gpt-5.2", None, true, false),
            made("openai-codex/gpt-5.2", None, false, false),
            made("zai/glm-4.7", None, false, false),
        ]
    }

    fn told(meant: Meant<'_>) -> String {
        match meant {
            Meant::Nothing => "-".to_owned(),
            Meant::One(choice) => choice.model.key(),
            Meant::Several(several) => {
                several.iter().map(|choice| choice.model.key()).collect::<Vec<_>>().join(" ")
            }
        }
    }

    #[test]
    fn an_alias_a_key_and_an_id_mean_one_model() {
        let choices = choices();
        for (text, key) in [
            ("sonny", "anthropic/claude-sonnet-4-5"),
            ("OpenAI/GPT-5.2", "openai/gpt-5.2"),
            ("gpt-5.2", "openai/gpt-5.2"),
            ("glm-4.7", "zai/glm-4.7"),
            ("gpt", "-"),
        ] {
            assert_eq!(told(exact(text, &choices)), key, "{text}");
        }
        let mut both = choices;
        both[5].has_credential = true;
        assert_eq!(told(exact("gpt-5.2", &both)), "openai/gpt-5.2 openai-codex/gpt-5.2");
    }

    #[test]
    fn a_part_of_a_name_means_the_model_that_can_be_used() {
        let choices = choices();
        for (text, key) in [
            ("sonnet", "anthropic/claude-sonnet-4-5"),
            ("openai/gpt", "openai/gpt-5.2"),
            ("openai/mini", "openai/gpt-5-mini"),
            ("claude-opus-4.5", "anthropic/claude-opus-4-5"),
            ("glm-47", "zai/glm-4.7"),
            ("nope", "-"),
            ("x", "-"),
            ("anthropic/", "-"),
            ("", "-"),
        ] {
            assert_eq!(told(fuzzy(text, &choices)), key, "{text}");
        }
    }

    #[test]
    fn two_that_are_close_are_asked_about() {
        let told = told(fuzzy("anthropic/claude", &choices()));
        assert_eq!(told, "anthropic/claude-opus-4-5 anthropic/claude-sonnet-4-5");
    }
}
