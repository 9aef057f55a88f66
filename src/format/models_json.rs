//! `models.json`: the model registry that the Node program generates. We only read keys from it.

use crate::core::json_tree::JsonNode;
use crate::core::secret::Secret;
use crate::format::{ParseFailure, json_object};

/// Provider ids and keys. A key may be the name of a variable; resolving it is the caller's business.
pub fn parse(bytes: &[u8]) -> Result<Vec<(String, Secret)>, ParseFailure> {
    let file = json_object(bytes)?;
    let Some(providers) = file.get("providers").and_then(JsonNode::to_object) else { return Ok(Vec::new()) };
    Ok(providers
        .members()
        .filter_map(|(id, provider)| Some((id.to_owned(), provider.to_object()?.secret("apiKey")?)))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn keys_are_read_and_everything_else_is_passed_over() {
        let file = br#"{"providers":{"p":{"apiKey":"k"},"q":{},"r":5,"s":{"apiKey":""}}}"#;
        let keys = parse(file).unwrap();
        assert_eq!(keys.len(), 1);
        assert_eq!(keys[0].0, "p");
        assert!(parse(b"{}").unwrap().is_empty());
    }
}
