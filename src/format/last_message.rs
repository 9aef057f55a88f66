//! The last message of a request, found while the request is looked through anyway, and read only when it is short enough
//! to be a command.

use std::borrow::Cow;
use std::fmt;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// The longest message that may be a command, in bytes as it was sent. No name of a model is nearly that long.
const LONGEST: usize = 64 * 1024;

/// The last item of a list of messages, or a text in the place of the list.
#[derive(Debug, Default)]
pub(super) enum Last<'b> {
    Item(&'b RawValue),
    #[default]
    Nothing,
    Text(Cow<'b, str>),
}

#[derive(Deserialize)]
struct Message<'b> {
    #[serde(borrow, default)]
    role: Option<Cow<'b, str>>,
    #[serde(borrow, default)]
    content: Option<Content<'b>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Content<'b> {
    Parts(#[serde(borrow)] Vec<Part<'b>>),
    Text(#[serde(borrow)] Cow<'b, str>),
}

#[derive(Deserialize)]
struct Part<'b> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<Cow<'b, str>>,
    #[serde(borrow, default)]
    text: Option<Cow<'b, str>>,
}

impl Last<'_> {
    /// What the user says last, when that may be a command: a text that begins with a slash, and nothing beside it.
    pub(super) fn command(&self) -> Option<String> {
        let text = match self {
            Self::Item(raw) if raw.get().len() <= LONGEST => said(serde_json::from_str(raw.get()).ok()?)?,
            Self::Text(text) if text.len() <= LONGEST => text.to_string(),
            Self::Item(_) | Self::Nothing | Self::Text(_) => return None,
        };
        text.trim_start().starts_with('/').then_some(text)
    }
}

fn said(message: Message<'_>) -> Option<String> {
    if message.role.as_deref() != Some("user") {
        return None;
    }
    match message.content? {
        Content::Text(text) => Some(text.into_owned()),
        Content::Parts(parts) => {
            let text = |part: Part<'_>| {
                let is_text = ["text", "input_text"].contains(&part.kind.as_deref()?);
                part.text.filter(|_| is_text).map(Cow::into_owned)
            };
            Some(parts.into_iter().map(text).collect::<Option<Vec<_>>>()?.join("\n"))
        }
    }
}

impl<'de: 'b, 'b> Deserialize<'de> for Last<'b> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Looking;
        impl<'de> Visitor<'de> for Looking {
            type Value = Last<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("messages")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                let mut last = Last::Nothing;
                while let Some(raw) = items.next_element::<&'de RawValue>()? {
                    last = Last::Item(raw);
                }
                Ok(last)
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Last::Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Last::Text(Cow::Owned(text.to_owned())))
            }

            // Whatever else stands there is for the provider to refuse.
            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
                while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Last::Nothing)
            }

            fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
                Ok(Last::Nothing)
            }

            fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
                Ok(Last::Nothing)
            }

            fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
                Ok(Last::Nothing)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
                Ok(Last::Nothing)
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Last::Nothing)
            }
        }
        deserializer.deserialize_any(Looking)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::Last;

    #[derive(Deserialize)]
    struct Request<'b> {
        #[serde(borrow)]
        m: Last<'b>,
    }

    fn command(messages: &str) -> Option<String> {
        let text = format!("{{\"m\":{messages}}}");
        let request: Request<'_> = serde_json::from_str(&text).unwrap();
        request.m.command()
    }

    #[test]
    fn only_the_users_last_words_may_be_a_command() {
        for messages in [
            r#"[{"role":"user","content":"/status"}]"#,
            r#"[{"role":"user","content":"hi"},{"content":"\/status","role":"user"}]"#,
            r#"[{"role":"user","content":[{"type":"text","text":"/status"}]}]"#,
            r#"[{"type":"message","role":"user","content":[{"type":"input_text","text":"/status"}]}]"#,
            r#""/status""#,
            "\"\\u002fstatus\"",
        ] {
            assert_eq!(command(messages).as_deref(), Some("/status"), "{messages}");
        }
        for messages in [
            "[]",
            "{}",
            "5",
            "-5",
            "1.5",
            "null",
            "true",
            "\"hello\"",
            r#"["/status"]"#,
            r#"[{"role":"user","content":"/status"},{"role":"assistant","content":"ok"}]"#,
            r#"[{"role":"system","content":"/status"}]"#,
            r#"[{"role":"user","content":"say /status"}]"#,
            r#"[{"role":"user"}]"#,
            r#"[{"role":5,"content":"/status"}]"#,
            r#"[{"role":"user","content":{"text":"/status"}}]"#,
            r#"[{"role":"user","content":[{"type":"text","text":"/status"},{"type":"image","source":{}}]}]"#,
            r#"[{"role":"user","content":[{"type":"tool_result","text":"/status"}]}]"#,
        ] {
            assert_eq!(command(messages), None, "{messages}");
        }
        let two =
            r#"[{"role":"user","content":[{"type":"text","text":"/status"},{"type":"text","text":"x"}]}]"#;
        assert_eq!(command(two).as_deref(), Some("/status\nx"));
        let long = format!("\"/{}\"", "x".repeat(70_000));
        assert_eq!(command(&long), None);
    }
}
