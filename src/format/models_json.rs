//! `models.json`: the model registry that the Node program generates. We only read keys from it.

use serde_json::Value;

use crate::core::secret::Secret;
use crate::format::{ParseFailure, json_map, secret_member};

/// Provider ids and keys. A key may be the name of a variable; resolving it is the caller's business.
pub fn parse(bytes: &[u8]) -> Result<Vec<(String, Secret)>, ParseFailure> {
    let file = json_map(bytes)?;
    let Some(Value::Object(providers)) = file.get("providers") else { return Ok(Vec::new()) };
    Ok(providers
        .iter()
        .filter_map(|(id, provider)| Some((id.clone(), secret_member(provider.as_object()?, "apiKey")?)))
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
