//! Stores of earlier releases: `auth.json` of an agent and `credentials/oauth.json` of the state folder.

use std::collections::HashMap;

use serde_json::json;

use crate::core::json_tree::{JsonNode, JsonObject};
use crate::format::{ParseFailure, json_object};

/// Entries to import, as profile id and entry of the current store.
#[derive(Default)]
pub struct LegacyEntries {
    /// What can be imported.
    pub entries: Vec<(String, JsonObject)>,
    /// Whether every member of the file is among the entries, so that the file may go.
    pub complete: bool,
}

/// Reads `auth.json`: provider to credential. A file with `profiles` is of the current format and gives nothing.
pub fn parse_auth_json(bytes: &[u8]) -> Result<LegacyEntries, ParseFailure> {
    let file = json_object(bytes)?;
    if file.get("profiles").is_some() {
        return Ok(LegacyEntries::default());
    }
    Ok(entries(&file, |_| true, None))
}

/// Reads `oauth.json`: provider to the tokens of a login.
pub fn parse_oauth_json(bytes: &[u8]) -> Result<LegacyEntries, ParseFailure> {
    let file = json_object(bytes)?;
    let has_tokens = |entry: &JsonObject| entry.get("access").or_else(|| entry.get("refresh")).is_some();
    Ok(entries(&file, has_tokens, Some("oauth")))
}

fn entries(file: &JsonObject, wanted: impl Fn(&JsonObject) -> bool, kind: Option<&str>) -> LegacyEntries {
    let mut found = LegacyEntries { entries: Vec::new(), complete: true };
    let last: HashMap<_, _> =
        file.members().enumerate().map(|(position, (provider, _))| (provider, position)).collect();
    for (position, (provider, node)) in file.members().enumerate() {
        if last.get(provider) != Some(&position) {
            found.complete = false;
            continue;
        }
        match node.to_object().filter(&wanted) {
            Some(old) => found.entries.push((format!("{provider}:default"), entry(provider, &old, kind))),
            None => found.complete = false,
        }
    }
    found
}

/// The entry with `type` and `provider` in front, everything else as it was.
fn entry(provider: &str, old: &JsonObject, kind: Option<&str>) -> JsonObject {
    let mut entry = JsonObject::default();
    match (kind, old.get("type")) {
        (Some(kind), _) => entry.push("type", JsonNode::Value(json!(kind))),
        (None, Some(kind)) => entry.push("type", kind.clone()),
        (None, None) => {}
    }
    let named = old.get("provider").filter(|node| node.to_value().is_some_and(|value| value.is_string()));
    entry.push("provider", named.cloned().unwrap_or_else(|| JsonNode::Value(json!(provider))));
    for (member, node) in old.members().filter(|(member, _)| *member != "type" && *member != "provider") {
        entry.push(member, node.clone());
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::{parse_auth_json, parse_oauth_json};

    #[test]
    fn entries_become_default_profiles_of_their_provider() {
        let found = parse_auth_json(br#"{"anthropic":{"type":"api_key","key":"k","x":[1]}}"#).unwrap();
        assert!(found.complete);
        assert_eq!(found.entries[0].0, "anthropic:default");
        assert_eq!(
            serde_json::to_string(&found.entries[0].1).unwrap(),
            r#"{"type":"api_key","provider":"anthropic","key":"k","x":[1]}"#
        );
    }

    #[test]
    fn what_cannot_be_imported_makes_the_file_stay() {
        let found = parse_oauth_json(br#"{"a":{"access":"x","refresh":"y","expires":1},"junk":5}"#).unwrap();
        assert!(!found.complete);
        assert_eq!(found.entries.len(), 1);
        assert!(!parse_auth_json(br#"{"profiles":{}}"#).unwrap().complete);
        let twice =
            parse_auth_json(br#"{"a":{"type":"api_key","key":"1"},"a":{"type":"api_key","key":"2"}}"#)
                .unwrap();
        assert!(!twice.complete);
        assert_eq!(twice.entries[0].1.text("key").as_deref(), Some("2"), "the last one counts");
    }
}
