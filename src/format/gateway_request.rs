//! A request to the gateway, looked at as little as is needed: the model, and whether the answer is to be streamed. What
//! is sent on is the client's own text with another model name in it.

use std::ops::Range;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::core::json_tree::{JsonNode, JsonObject};
use crate::format::last_message::Last;

/// What the gateway has to know of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// The model as written; `None` when there is none.
    pub model: Option<String>,
    /// Whether the answer is to come in pieces.
    pub is_streamed: bool,
    /// The user that the client names: `user`, else `metadata.user_id`.
    pub user: Option<String>,
    /// What the user says last, when it begins with a slash.
    pub command: Option<String>,
    /// Where the model's name stands, quotes included; without one, the place behind the first bracket.
    place: Range<usize>,
}

#[derive(Deserialize)]
struct Shallow<'b> {
    #[serde(borrow, default, deserialize_with = "present")]
    model: Option<&'b RawValue>,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(borrow, default)]
    user: Option<&'b RawValue>,
    #[serde(borrow, default)]
    metadata: Option<&'b RawValue>,
    #[serde(borrow, default)]
    messages: Last<'b>,
    #[serde(borrow, default)]
    input: Last<'b>,
}

impl Shallow<'_> {
    /// The user that the client names. What is no text names nobody.
    fn user(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Metadata {
            user_id: Option<String>,
        }
        let named = |raw: &RawValue| serde_json::from_str::<String>(raw.get()).ok();
        let of_metadata = |raw: &RawValue| serde_json::from_str::<Metadata>(raw.get()).ok()?.user_id;
        self.user.and_then(named).or_else(|| self.metadata.and_then(of_metadata))
    }
}

/// Also a `null` has a place that another name can take.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

impl Asked {
    /// Reads a body; the error says what is wrong, and quotes nothing of it.
    pub fn parse(body: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(body).map_err(|_| "the body is not UTF-8".to_owned())?;
        let shallow: Shallow<'_> = serde_json::from_str(text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let what = match error.classify() {
                serde_json::error::Category::Data => "is no object of this API",
                _ => "is no JSON",
            };
            format!("the body {what}: line {line}, column {column}")
        })?;
        // The parser would take a list for the members in their order.
        if !text.trim_ascii_start().starts_with('{') {
            return Err("the body is no object of this API: line 1, column 1".to_owned());
        }
        let is_streamed = shallow.stream.unwrap_or_default();
        let (user, command) =
            (shallow.user(), shallow.messages.command().or_else(|| shallow.input.command()));
        let Some(raw) = shallow.model.map(RawValue::get) else {
            let behind = text.find('{').map_or(0, |at| at + 1);
            return Ok(Self { model: None, is_streamed, user, command, place: behind..behind });
        };
        let model: Option<String> =
            serde_json::from_str(raw).map_err(|_| "`model` must be a text".to_owned())?;
        let start = raw.as_ptr() as usize - text.as_ptr() as usize;
        Ok(Self { model, is_streamed, user, command, place: start..start + raw.len() })
    }

    /// The body with another model, every other byte as it was.
    pub fn with_model(&self, body: &[u8], model: &str) -> Vec<u8> {
        let name = serde_json::Value::from(model).to_string();
        let mut changed = Vec::with_capacity(body.len() + name.len() + 12);
        changed.extend_from_slice(&body[..self.place.start]);
        if self.place.is_empty() {
            changed.extend_from_slice(b"\"model\":");
            changed.extend_from_slice(name.as_bytes());
            let is_last = body[self.place.end..].trim_ascii_start().starts_with(b"}");
            changed.extend_from_slice(if is_last { b"" } else { b"," });
        } else {
            changed.extend_from_slice(name.as_bytes());
        }
        changed.extend_from_slice(&body[self.place.end..]);
        changed
    }
}

/// A request to Codex, which answers in pieces and keeps nothing, and refuses what says otherwise by saying nothing.
pub fn for_codex(body: &[u8]) -> Vec<u8> {
    let Ok(mut members) = serde_json::from_slice::<JsonObject>(body) else { return body.to_vec() };
    members.set("stream", JsonNode::Value(Value::Bool(true)));
    if members.get("store").is_none() {
        members.set("store", JsonNode::Value(Value::Bool(false)));
    }
    serde_json::to_vec(&members).unwrap_or_else(|_| body.to_vec())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::Asked;

    fn changed(body: &str) -> (Asked, String) {
        let asked = Asked::parse(body.as_bytes()).unwrap();
        let changed = asked.with_model(body.as_bytes(), "m\"2");
        (asked, String::from_utf8(changed).unwrap())
    }

    #[test]
    fn only_the_models_name_changes() {
        let (asked, text) = changed(r#" {"n": 1.50, "model" : "a\/b", "x":{"model":"no"}, "stream":true }"#);
        assert_eq!((asked.model.as_deref(), asked.is_streamed), (Some("a/b"), true));
        assert_eq!(text, r#" {"n": 1.50, "model" : "m\"2", "x":{"model":"no"}, "stream":true }"#);
        assert_eq!(changed(r#"{"messages":[]}"#).1, r#"{"model":"m\"2","messages":[]}"#);
        assert_eq!(changed("{ }").1, r#"{"model":"m\"2" }"#);
        let (asked, text) = changed(r#"{"model": null}"#);
        assert_eq!((asked.model, text.as_str()), (None, r#"{"model": "m\"2"}"#));
    }

    #[test]
    fn the_user_and_a_command_are_seen_on_the_way() {
        let asked = |body: &str| Asked::parse(body.as_bytes()).unwrap();
        let both = asked(
            r#"{"user":"Ann","metadata":{"user_id":"no"},"messages":[{"role":"user","content":"/status"}]}"#,
        );
        assert_eq!((both.user.as_deref(), both.command.as_deref()), (Some("Ann"), Some("/status")));
        let other = asked(r#"{"metadata":{"user_id":"bob","n":1},"input":"/new","messages":7}"#);
        assert_eq!((other.user.as_deref(), other.command.as_deref()), (Some("bob"), Some("/new")));
        for odd in [r#"{"user":5,"metadata":"x"}"#, r#"{"user":null,"metadata":{"user_id":5}}"#, "{}"] {
            assert_eq!((asked(odd).user, asked(odd).command), (None, None), "{odd}");
        }
    }

    #[test]
    fn codex_is_asked_as_it_wants_to_be() {
        let codex = |body: &str| String::from_utf8(super::for_codex(body.as_bytes())).unwrap();
        assert_eq!(
            codex(r#"{"model":"m","stream":false,"n":1.50}"#),
            r#"{"model":"m","stream":true,"n":1.50,"store":false}"#
        );
        assert_eq!(codex(r#"{"store":true}"#), r#"{"store":true,"stream":true}"#);
    }

    #[test]
    fn what_is_no_request_is_told_without_quoting_it() {
        for (body, told) in [
            ("", "is no JSON"),
            ("{\"sk-secret\"", "is no JSON"),
            ("[1]", "is no object"),
            (r#"{"model": 5}"#, "must be a text"),
            (r#"{"stream": "no"}"#, "is no object"),
            (r#"{"model": "a", "model": "b"}"#, "is no object"),
        ] {
            let error = Asked::parse(body.as_bytes()).unwrap_err();
            assert!(error.contains(told) && !error.contains("secret"), "{body}: {error}");
        }
        assert!(Asked::parse(b"\xff").is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: if cfg!(debug_assertions) { 256 } else { 20_000 }, ..ProptestConfig::default() })]
        #[test]
        fn the_rest_of_a_request_survives(text in "\\PC{0,20}", number in any::<f64>(), has_model in any::<bool>()) {
            let mut body = json!({"messages": [{"content": text.clone()}], "n": number});
            if has_model {
                body["model"] = json!(text);
            }
            let bytes = body.to_string();
            let asked = Asked::parse(bytes.as_bytes()).unwrap();
            let after: Value = serde_json::from_slice(&asked.with_model(bytes.as_bytes(), "new")).unwrap();
            body["model"] = json!("new");
            prop_assert_eq!(after, body);
        }

        #[test]
        fn no_body_is_too_odd(body in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(asked) = Asked::parse(&body) {
                asked.with_model(&body, "x");
            }
        }
    }
}
