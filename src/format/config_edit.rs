//! Changes to a config that keep everything else as it was written: comments, order, quotes, `${VAR}`, `$include`.

use jsonc_parser::cst::{CstArray, CstInputValue, CstNode, CstObject, CstRootNode};
use serde_json::Value;

use crate::format::ParseFailure;
use crate::format::config::{failure, json5};

/// One change. A path is a list of keys from the top of the file.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    /// Puts a value there, creating the objects on the way.
    Set(Vec<String>, Value),
    /// Removes the key, if it is there.
    Remove(Vec<String>),
    /// Appends to a list, creating it.
    Append(Vec<String>, Value),
    /// Puts something in front of a list, creating it.
    Prepend(Vec<String>, Value),
    /// Drops the items at these places of a list.
    Drop(Vec<String>, Vec<usize>),
}

impl Edit {
    /// Puts a value at a path.
    pub fn set<const N: usize>(path: [&str; N], value: impl Into<Value>) -> Self {
        Self::Set(path.map(str::to_owned).to_vec(), value.into())
    }

    /// Removes what is at a path.
    pub fn remove<const N: usize>(path: [&str; N]) -> Self {
        Self::Remove(path.map(str::to_owned).to_vec())
    }

    /// Where it changes something.
    pub fn path(&self) -> &[String] {
        match self {
            Self::Set(path, _)
            | Self::Remove(path)
            | Self::Append(path, _)
            | Self::Prepend(path, _)
            | Self::Drop(path, _) => path,
        }
    }
}

/// Applies edits to a text; an empty text is an empty config.
pub fn apply(text: &str, edits: &[Edit]) -> Result<String, ParseFailure> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let source = if text.trim().is_empty() { "{\n}\n" } else { text };
    let root = CstRootNode::parse(source, &json5()).map_err(|error| failure(text, &error))?;
    let Some(top) = root.object_value() else { return Err(ParseFailure::at("is not an object", (1, 1))) };
    for edit in edits {
        match edit {
            Edit::Set(path, value) => set(&top, path, value)?,
            Edit::Remove(path) => remove(&top, path),
            Edit::Append(path, value) => {
                list(&top, path)?.append(input(value));
            }
            Edit::Prepend(path, value) => {
                list(&top, path)?.insert(0, input(value));
            }
            Edit::Drop(path, places) => {
                for (at, node) in list(&top, path)?.elements().into_iter().enumerate() {
                    if places.contains(&at) {
                        node.remove();
                    }
                }
            }
        }
    }
    let mut written = root.to_string();
    if !written.ends_with('\n') {
        written.push('\n');
    }
    Ok(written)
}

fn set(object: &CstObject, path: &[String], value: &Value) -> Result<(), ParseFailure> {
    let Some((key, rest)) = path.split_first() else { return Ok(()) };
    if !rest.is_empty() {
        return set(&child(object, key)?, rest, value);
    }
    let Some(property) = find(object, key) else {
        object.append(key, input(value));
        return Ok(());
    };
    match (property.value(), value) {
        (Some(CstNode::Leaf(leaf)), Value::String(text)) => match CstNode::Leaf(leaf).as_string_lit() {
            Some(literal) => literal.set_raw_value(in_quotes_of(&literal.raw_value(), text)),
            None => property.set_value(input(value)),
        },
        _ => property.set_value(input(value)),
    }
    Ok(())
}

/// The list at a path, created empty when nothing is there.
fn list(object: &CstObject, path: &[String]) -> Result<CstArray, ParseFailure> {
    let Some((key, rest)) = path.split_first() else { return Err(ParseFailure::new("is no list")) };
    if !rest.is_empty() {
        return list(&child(object, key)?, rest);
    }
    let found = match find(object, key) {
        Some(property) => property.array_value(),
        None => object.array_value_or_create(key),
    };
    found.ok_or_else(|| ParseFailure::new(format!("`{key}` is no list")))
}

/// The object under a key, created empty when nothing is there.
fn child(object: &CstObject, key: &str) -> Result<CstObject, ParseFailure> {
    let found = match find(object, key) {
        Some(property) => property.object_value(),
        None => object.object_value_or_create(key),
    };
    found.ok_or_else(|| ParseFailure::new(format!("`{key}` is no object")))
}

fn remove(object: &CstObject, path: &[String]) {
    let Some((key, rest)) = path.split_first() else { return };
    let Some(property) = find(object, key) else { return };
    if rest.is_empty() {
        property.remove();
    } else if let Some(child) = property.object_value() {
        remove(&child, rest);
    }
}

/// The member that counts: of duplicate keys the last one.
fn find(object: &CstObject, key: &str) -> Option<jsonc_parser::cst::CstObjectProp> {
    object.properties().into_iter().rev().find(|property| property.decoded_name().as_deref() == Some(key))
}

/// The text as a literal in the quotes that the old literal had.
fn in_quotes_of(old: &str, text: &str) -> String {
    let double = Value::from(text).to_string();
    if !old.starts_with('\'') {
        return double;
    }
    let inner = double[1..double.len() - 1].replace("\\\"", "\"").replace('\'', "\\'");
    format!("'{inner}'")
}

fn input(value: &Value) -> CstInputValue {
    match value {
        Value::Null => CstInputValue::Null,
        Value::Bool(flag) => CstInputValue::Bool(*flag),
        Value::Number(number) => CstInputValue::Number(number.to_string()),
        Value::String(text) => CstInputValue::String(text.clone()),
        Value::Array(items) => CstInputValue::Array(items.iter().map(input).collect()),
        Value::Object(members) => {
            CstInputValue::Object(members.iter().map(|(key, value)| (key.clone(), input(value))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Edit, apply};

    fn primary(model: &str) -> Edit {
        Edit::set(["agents", "defaults", "model", "primary"], model)
    }

    fn fallbacks() -> Vec<String> {
        ["agents", "defaults", "model", "fallbacks"].map(str::to_owned).to_vec()
    }

    #[test]
    fn only_what_was_asked_for_changes() {
        for (name, before, edit, after) in [
            (
                "empty",
                "",
                primary("a/b"),
                "{\n  \"agents\": {\n    \"defaults\": {\n      \"model\": {\n        \"primary\": \"a/b\"\n      }\n    }\n  }\n}\n",
            ),
            (
                "comments and trailing commas",
                "// top\n{\n  agents: { // in\n    defaults: { model: { primary: \"x/y\", /* why */ }, },\n  },\n}\n",
                primary("a/b"),
                "// top\n{\n  agents: { // in\n    defaults: { model: { primary: \"a/b\", /* why */ }, },\n  },\n}\n",
            ),
            (
                "single quotes",
                "{'agents': {'defaults': {'model': {'primary': 'x/y'}}}}\n",
                primary("a/it's"),
                "{'agents': {'defaults': {'model': {'primary': 'a/it\\'s'}}}}\n",
            ),
            (
                "include and variables",
                "{\n  $include: './a.json5',\n  env: {K: '${V}', L: '$${V}'},\n  agents: {defaults: {model: {primary: 'x/y'}}}\n}",
                primary("a/b"),
                "{\n  $include: './a.json5',\n  env: {K: '${V}', L: '$${V}'},\n  agents: {defaults: {model: {primary: 'a/b'}}}\n}\n",
            ),
            (
                "unknown keys and odd numbers",
                "{\"future\": [1.50, 0x10, +1],\"agents\":{\"defaults\":{\"model\":{\"primary\":\"x/y\"}}}}\n",
                primary("a/b"),
                "{\"future\": [1.50, 0x10, +1],\"agents\":{\"defaults\":{\"model\":{\"primary\":\"a/b\"}}}}\n",
            ),
            (
                "windows line ends and tabs",
                "{\r\n\t\"agents\": {\r\n\t\t\"defaults\": {}\r\n\t}\r\n}\r\n",
                primary("a/b"),
                "{\r\n\t\"agents\": {\r\n\t\t\"defaults\": {\r\n\t\t\t\"model\": {\r\n\t\t\t\t\"primary\": \"a/b\"\r\n\t\t\t}\r\n\t\t}\r\n\t}\r\n}\r\n",
            ),
            (
                "a number becomes a text",
                "{agents: {defaults: {model: {primary: 5}}}}\n",
                primary("a/b"),
                "{agents: {defaults: {model: {primary: \"a/b\"}}}}\n",
            ),
            (
                "of duplicate keys the last one counts",
                "{agents: {defaults: {model: {primary: 'x', primary: 'y'}}}}\n",
                primary("a/b"),
                "{agents: {defaults: {model: {primary: 'x', primary: 'a/b'}}}}\n",
            ),
            (
                "append to a list",
                "{agents: {defaults: {model: {\n  fallbacks: [\n    'x/y', // first\n  ],\n}}}}\n",
                Edit::Append(fallbacks(), json!("a/b")),
                "{agents: {defaults: {model: {\n  fallbacks: [\n    'x/y', // first\n    \"a/b\",\n  ],\n}}}}\n",
            ),
            (
                "drop from a list",
                "{agents: {defaults: {model: {\n  fallbacks: [\n    'x/y', // first\n    'a/b'\n  ]\n}}}}\n",
                Edit::Drop(fallbacks(), vec![1]),
                "{agents: {defaults: {model: {\n  fallbacks: [\n    'x/y' // first\n  ]\n}}}}\n",
            ),
            (
                "empty a list",
                "{agents: {defaults: {model: {fallbacks: ['x/y', 'a/b'], primary: 'p'}}}}\n",
                Edit::set(["agents", "defaults", "model", "fallbacks"], json!([])),
                "{agents: {defaults: {model: {fallbacks: [], primary: 'p'}}}}\n",
            ),
            (
                "in front of a list",
                "{auth: {order: {a: ['${X}']}}}\n",
                Edit::Prepend(["auth", "order", "a"].map(str::to_owned).to_vec(), json!("n")),
                "{auth: {order: {a: [\"n\", '${X}']}}}\n",
            ),
            (
                "remove a key",
                "{\n  a: 1, // one\n  b: {c: 2, d: 3},\n}\n",
                Edit::remove(["b", "c"]),
                "{\n  a: 1, // one\n  b: { d: 3},\n}\n",
            ),
            ("remove what is not there", "{a: 1}\n", Edit::remove(["b", "c"]), "{a: 1}\n"),
        ] {
            assert_eq!(apply(before, &[edit]).unwrap(), after, "{name}");
        }
    }

    #[test]
    fn what_is_no_object_is_not_overwritten() {
        assert!(apply("[]", &[primary("a/b")]).is_err());
        assert!(apply("{agents: 5}", &[primary("a/b")]).is_err());
        assert!(apply("{ torn", &[primary("a/b")]).is_err());
    }
}
