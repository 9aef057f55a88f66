//! A JSON object that is taken apart only where we look and written back as it was everywhere else.
//!
//! The shared stores hold fields of programs that we do not know. Members that nobody touched keep their spelling:
//! order, duplicate keys, number formats, nested content of any depth.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::core::secret::Secret;

/// An object as a list of members. Of duplicate keys the last one counts, and all survive a rewrite.
///
/// There is deliberately no `Debug`: members may be secrets.
#[derive(Clone, Default)]
pub struct JsonObject(Vec<(String, JsonNode)>);

/// One member's value.
#[derive(Clone)]
pub enum JsonNode {
    /// As it stands in the file.
    Raw(Box<RawValue>),
    /// An object that was opened.
    Object(JsonObject),
    /// A value of ours.
    Value(Value),
}

impl JsonNode {
    /// The value as plain JSON; `None` when it is nested too deep or a number does not fit.
    pub fn to_value(&self) -> Option<Value> {
        match self {
            Self::Raw(raw) => serde_json::from_str(raw.get()).ok(),
            Self::Object(object) => serde_json::to_value(object).ok(),
            Self::Value(value) => Some(value.clone()),
        }
    }

    /// The value opened as an object; `None` when it is something else.
    pub fn to_object(&self) -> Option<JsonObject> {
        match self {
            Self::Raw(raw) => serde_json::from_str(raw.get()).ok(),
            Self::Object(object) => Some(object.clone()),
            Self::Value(value) => serde_json::from_value(value.clone()).ok(),
        }
    }

    /// The first character of the value, which tells its JSON type.
    fn starts_with(&self) -> Option<char> {
        match self {
            Self::Raw(raw) => raw.get().chars().next(),
            Self::Object(_) => Some('{'),
            Self::Value(value) => value.to_string().chars().next(),
        }
    }

    /// Whether the value is `null`.
    pub fn is_null(&self) -> bool {
        self.starts_with() == Some('n')
    }

    /// Whether the value is an array.
    pub fn is_array(&self) -> bool {
        self.starts_with() == Some('[')
    }

    /// Whether the value is an object.
    pub fn is_object(&self) -> bool {
        self.starts_with() == Some('{')
    }
}

impl JsonObject {
    /// The members in file order, duplicates included.
    pub fn members(&self) -> impl Iterator<Item = (&str, &JsonNode)> {
        self.0.iter().map(|(key, node)| (key.as_str(), node))
    }

    /// The member that counts under this key.
    pub fn get(&self, key: &str) -> Option<&JsonNode> {
        self.0.iter().rev().find(|(name, _)| name == key).map(|(_, node)| node)
    }

    /// The member as plain JSON; `None` when it is absent or cannot be represented.
    pub fn value(&self, key: &str) -> Option<Value> {
        self.get(key)?.to_value()
    }

    /// The member as a text; `None` when it is absent or something else.
    pub fn text(&self, key: &str) -> Option<String> {
        match self.value(key)? {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The member as a secret; `None` when it is absent, empty or no text.
    pub fn secret(&self, key: &str) -> Option<Secret> {
        self.text(key).filter(|text| !text.is_empty()).map(Secret::new)
    }

    /// Replaces the member that counts, or appends one.
    pub fn set(&mut self, key: &str, node: JsonNode) {
        match self.0.iter_mut().rev().find(|(name, _)| name == key) {
            Some((_, old)) => *old = node,
            None => self.0.push((key.to_owned(), node)),
        }
    }

    /// Appends a member without looking for one of the same key.
    pub fn push(&mut self, key: &str, node: JsonNode) {
        self.0.push((key.to_owned(), node));
    }

    /// Puts a member in front of all others.
    pub fn set_first(&mut self, key: &str, node: JsonNode) {
        self.0.insert(0, (key.to_owned(), node));
    }

    /// Removes every member of this key.
    pub fn remove(&mut self, key: &str) {
        self.0.retain(|(name, _)| name != key);
    }

    /// The member opened as an object for editing; created empty when it is absent or no object.
    pub fn object_mut(&mut self, key: &str) -> &mut Self {
        let opened = self.get(key).and_then(JsonNode::to_object).unwrap_or_default();
        self.set(key, JsonNode::Object(opened));
        match self.0.iter_mut().rev().find(|(name, _)| name == key) {
            Some((_, JsonNode::Object(object))) => object,
            _ => unreachable!("the member was set to an object above"),
        }
    }
}

impl Serialize for JsonNode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Raw(raw) => raw.serialize(serializer),
            Self::Object(object) => object.serialize(serializer),
            Self::Value(value) => value.serialize(serializer),
        }
    }
}

impl Serialize for JsonObject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, node) in &self.0 {
            map.serialize_entry(key, node)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for JsonObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = JsonObject;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<JsonObject, A::Error> {
                let mut members = Vec::new();
                while let Some((key, raw)) = map.next_entry::<String, Box<RawValue>>()? {
                    members.push((key, JsonNode::Raw(raw)));
                }
                Ok(JsonObject(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}
