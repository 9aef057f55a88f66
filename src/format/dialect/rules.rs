//! What becomes of each field of a request whose model speaks another API: the one table that the code and
//! `docs/gateway-apis.md` go by. A field that is not in it is refused.

use serde_json::{Map, Value};

use super::fields::{At, Refused};
use crate::core::upstream::{ApiKind, Surface};

/// What becomes of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// It is left out, and the answer's header `x-openclaw-dropped` names it.
    Dropped(&'static str),
    /// Only these values, which change nothing, written as JSON; others are refused.
    Only(&'static [&'static str]),
    /// It is refused.
    Refused,
    /// It is said in the words of the other API.
    Translated,
}

/// A field and its rule for each of the kinds of [`kinds`].
pub type Field = (&'static str, [Rule; 4]);

use Rule::{Dropped, Only, Refused as No, Translated as Yes};

/// Reasons for dropping.
const BEST_EFFORT: Rule = Dropped("a wish that no provider guarantees");
const HINT: Rule = Dropped("a hint about caching or speed");
const LABEL: Rule = Dropped("a label for the provider's own pages");
const NO_LIMIT: Rule = Dropped("this API takes no limit");
const NOTHING_KEPT: Rule = Dropped("nothing is kept by this provider in any case");
const SAFE: Rule = Dropped("it names the client's user to the provider");
const WINDOW: Rule = Dropped("what it would clear stays in the prompt");

const fn all(rule: Rule) -> [Rule; 4] {
    [rule; 4]
}

/// The fields of chat completions.
const CHAT: &[Field] = &[
    ("audio", all(No)),
    ("frequency_penalty", [Only(&["0"]), Yes, Only(&["0"]), Only(&["0"])]),
    ("function_call", all(No)),
    ("functions", all(No)),
    ("logit_bias", all(Only(&["{}"]))),
    ("logprobs", all(Only(&["false"]))),
    ("max_completion_tokens", [Yes, Yes, NO_LIMIT, Yes]),
    ("max_tokens", [Yes, Yes, NO_LIMIT, Yes]),
    ("messages", all(Yes)),
    ("metadata", all(LABEL)),
    ("modalities", all(Only(&["[\"text\"]"]))),
    ("model", all(Yes)),
    ("n", all(Only(&["1"]))),
    ("parallel_tool_calls", [Yes, Only(&["true"]), Yes, Yes]),
    ("prediction", all(HINT)),
    ("presence_penalty", [Only(&["0"]), Yes, Only(&["0"]), Only(&["0"])]),
    ("prompt_cache_key", all(HINT)),
    ("prompt_cache_retention", all(HINT)),
    ("reasoning_effort", all(Yes)),
    ("response_format", all(Yes)),
    ("safety_identifier", all(SAFE)),
    ("seed", [BEST_EFFORT, Yes, BEST_EFFORT, BEST_EFFORT]),
    ("service_tier", all(Only(&["\"auto\"", "\"default\""]))),
    ("stop", [Yes, Yes, Only(&["[]"]), Only(&["[]"])]),
    ("store", all(NOTHING_KEPT)),
    ("stream", all(Yes)),
    ("stream_options", all(Yes)),
    ("temperature", [Yes, Yes, Only(&["1"]), Yes]),
    ("tool_choice", all(Yes)),
    ("tools", all(Yes)),
    ("top_logprobs", all(Only(&["0"]))),
    ("top_p", [Yes, Yes, Only(&["1"]), Yes]),
    ("user", [Yes, SAFE, SAFE, Yes]),
    ("verbosity", [Only(&["\"medium\""]), Only(&["\"medium\""]), Yes, Yes]),
    ("web_search_options", all(No)),
];

/// The fields of messages.
const MESSAGES: &[Field] = &[
    ("cache_control", all(HINT)),
    ("container", all(No)),
    ("context_management", all(WINDOW)),
    ("max_tokens", [Yes, NO_LIMIT, Yes, Yes]),
    ("mcp_servers", all(Only(&["[]"]))),
    ("messages", all(Yes)),
    ("metadata", [SAFE, SAFE, Yes, Yes]),
    ("model", all(Yes)),
    ("output_config", all(Yes)),
    ("output_format", all(Yes)),
    ("service_tier", all(Only(&["\"auto\"", "\"standard_only\""]))),
    ("stop_sequences", [Yes, Only(&["[]"]), Yes, Only(&["[]"])]),
    ("stream", all(Yes)),
    ("system", all(Yes)),
    ("temperature", [Yes, Only(&["1"]), Yes, Yes]),
    ("thinking", all(Yes)),
    ("tool_choice", all(Yes)),
    ("tools", all(Yes)),
    ("top_k", [Yes, No, No, No]),
    ("top_p", [Yes, Only(&["1"]), Yes, Yes]),
];

/// The fields of a surface, sorted. Surfaces that are never translated have none.
pub fn fields(surface: Surface) -> &'static [Field] {
    match surface {
        Surface::ChatCompletions => CHAT,
        Surface::Messages => MESSAGES,
        Surface::CountTokens | Surface::Responses => &[],
    }
}

/// The kinds that a surface is translated to, in the order of the rules of [`fields`].
pub fn kinds(surface: Surface) -> [ApiKind; 4] {
    let other = if surface.is_anthropic() { ApiKind::OpenaiCompletions } else { ApiKind::AnthropicMessages };
    let mut kinds =
        [other, ApiKind::OpenaiCodexResponses, ApiKind::GoogleGenerativeAi, ApiKind::OpenaiResponses];
    kinds.sort();
    kinds
}

/// Checks the top-level fields of a request, and gives those that are left out.
pub(super) fn check(
    surface: Surface,
    kind: ApiKind,
    body: &Map<String, Value>,
) -> Result<Vec<&'static str>, Refused> {
    let column = kinds(surface).iter().position(|known| *known == kind).unwrap_or_default();
    let mut dropped = Vec::new();
    for (name, value) in body.iter().filter(|(_, value)| !value.is_null()) {
        let top = At::Top;
        let at = top.member(name);
        let known = fields(surface).iter().find(|(known, _)| known == name);
        let Some((name, rules)) = known else {
            return Err(at.refused("is not known here, and cannot be translated"));
        };
        match rules[column] {
            Rule::Translated => {}
            Rule::Dropped(_) => dropped.push(*name),
            Rule::Refused => {
                return Err(at.refused(format!("cannot be asked of a model that speaks {}", kind.name())));
            }
            Rule::Only(values) if values.iter().any(|allowed| is_same(value, allowed)) => {}
            Rule::Only(values) => {
                let reason =
                    format!("must be {} for a model that speaks {}", values.join(" or "), kind.name());
                return Err(at.refused(reason));
            }
        }
    }
    Ok(dropped)
}

fn is_same(value: &Value, allowed: &str) -> bool {
    let Ok(allowed) = serde_json::from_str::<Value>(allowed) else { return false };
    match (value.as_f64(), allowed.as_f64()) {
        // 0.0 is 0.
        (Some(value), Some(allowed)) => value.total_cmp(&allowed).is_eq(),
        _ => *value == allowed,
    }
}

#[cfg(test)]
mod tests {
    use super::{CHAT, MESSAGES, Rule, fields, kinds};
    use crate::core::upstream::{ApiKind, Surface};

    #[test]
    fn the_table_is_sorted_and_its_values_are_json() {
        for table in [CHAT, MESSAGES] {
            assert!(table.is_sorted_by_key(|(name, _)| *name));
            for rule in table.iter().flat_map(|(_, rules)| rules) {
                if let Rule::Only(values) = rule {
                    assert!(
                        values.iter().all(|text| serde_json::from_str::<serde_json::Value>(text).is_ok())
                    );
                }
            }
        }
        assert!(fields(Surface::Responses).is_empty());
        assert_eq!(
            kinds(Surface::Messages).map(ApiKind::name),
            ["google-generative-ai", "openai-codex-responses", "openai-completions", "openai-responses"]
        );
    }
}
