//! The model list of `OpenRouter`, and what its models answer.

use serde_json::Value;

use crate::core::scan::{ListedModel, params};
use crate::core::span;

/// The models of a list; entries without an id are passed over. `None` when it is no list.
pub fn parse(answer: &str) -> Option<Vec<ListedModel>> {
    let answer: Value = serde_json::from_str(answer).ok()?;
    Some(answer.get("data")?.as_array()?.iter().filter_map(model).collect())
}

fn model(entry: &Value) -> Option<ListedModel> {
    let id = entry.get("id")?.as_str().filter(|id| is_plain(id))?;
    let name = entry.get("name").and_then(Value::as_str).unwrap_or(id);
    let costs_nothing = |what: &str| {
        let price = entry.get("pricing").and_then(|pricing| pricing.get(what));
        let price = price.and_then(|price| price.as_f64().or_else(|| price.as_str()?.parse().ok()));
        price.is_some_and(|price: f64| price == 0.0)
    };
    let lists = |path: &[&str], wanted: &str| {
        let found = path.iter().try_fold(entry, |value, key| value.get(key));
        let words = found.and_then(Value::as_array);
        words.is_some_and(|words| words.iter().any(|word| word.as_str() == Some(wanted)))
    };
    Some(ListedModel {
        id: id.to_owned(),
        name: name.to_owned(),
        context: entry.get("context_length").and_then(Value::as_u64),
        created: entry.get("created").and_then(Value::as_i64).map(|at| at.saturating_mul(span::SECOND)),
        is_free: costs_nothing("prompt") && costs_nothing("completion"),
        sees: lists(&["architecture", "input_modalities"], "image"),
        calls_tools: lists(&["supported_parameters"], "tools"),
        params: params(id).or_else(|| params(name)),
    })
}

/// An id goes into the config and into a request: nothing odd may be in it.
fn is_plain(id: &str) -> bool {
    !id.is_empty() && id.len() <= 200 && id.chars().all(|c| c.is_ascii_graphic())
}

/// Whether a completion answers with anything at all.
pub fn answers(answer: &str) -> bool {
    let answer: Option<Value> = serde_json::from_str(answer).ok();
    let Some(answer) = answer.filter(is_fine) else { return false };
    let choices = answer.get("choices").and_then(Value::as_array);
    choices.is_some_and(|choices| {
        choices.iter().any(|choice| is_fine(choice) && choice.get("message").is_some())
    })
}

/// Errors come with a 200 too, in the answer or in a choice.
fn is_fine(value: &Value) -> bool {
    value.get("error").is_none_or(Value::is_null)
}

#[cfg(test)]
mod tests {
    use super::{answers, parse};

    #[test]
    fn a_list_is_read_and_odd_entries_are_passed_over() {
        let list = r#"{"data": [
            {"id": "a/m-7b:free", "name": "M", "context_length": 8000, "created": 10,
             "pricing": {"prompt": "0", "completion": 0}, "supported_parameters": ["tools"],
             "architecture": {"input_modalities": ["text", "image"]}},
            {"id": "a/paid", "pricing": {"prompt": "0.1", "completion": "0"}},
            {"id": "a/odd\u001b[31m"}, {"id": 5}, 7, {}
        ]}"#;
        let models = parse(list).unwrap();
        assert_eq!(models.len(), 2);
        assert!(models[0].is_free && models[0].sees && models[0].calls_tools);
        assert_eq!((models[0].created, models[0].params), (Some(10_000), Some(7.0)));
        assert!(!models[1].is_free && !models[1].calls_tools);
        for other in ["<html>", "{}", "[]", r#"{"data": {}}"#] {
            assert!(parse(other).is_none(), "{other}");
        }
    }

    #[test]
    fn an_answer_has_a_message() {
        assert!(answers(r#"{"choices": [{"message": {"content": ""}}]}"#));
        assert!(!answers(r#"{"error": {"code": 429}, "choices": [{"message": {"content": ""}}]}"#));
        assert!(!answers(r#"{"choices": [{"message": {"content": ""}, "error": {"code": 502}}]}"#));
        assert!(!answers(r#"{"error": {"message": "x"}}"#) && !answers("<html>"));
    }
}
