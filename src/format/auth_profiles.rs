//! `auth-profiles.json`: the auth store of one agent.

use crate::core::store::AuthStore;
use crate::format::{ParseFailure, json_object, pretty};

/// Reads a store. Entries that are not understood are kept in it; only a text that is no store at all fails.
pub fn parse(bytes: &[u8]) -> Result<AuthStore, ParseFailure> {
    let document = json_object(bytes)?;
    if let Some(node) = document.get("profiles")
        && !(node.is_object() || node.is_array() || node.is_null())
    {
        return Err(ParseFailure::new("`profiles` is no object"));
    }
    Ok(AuthStore::from_document(document))
}

/// Writes a store: 2-space JSON and a newline; untouched members keep their spelling.
pub fn write(store: &AuthStore) -> Vec<u8> {
    pretty(store.document())
}

#[cfg(test)]
mod tests {
    use super::{parse, write};
    use crate::core::credential::{Credential, Expiry, Material};
    use crate::core::secret::Secret;

    const STORE: &str = r#"{
  "version": 7,
  "profiles": {
    "openai:a": {"type":"api_key","provider":"openai","key":"k","note":1.0e2},
    "x": {"type":"weird","big":123456789012345678901234567890}
  },
  "future": {"x": 1}
}
"#;

    fn text(bytes: &[u8]) -> String {
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[test]
    fn an_untouched_store_is_written_as_it_was() {
        assert_eq!(text(&write(&parse(STORE.as_bytes()).unwrap())), STORE);
    }

    #[test]
    fn replacing_a_profile_keeps_members_and_entries_that_we_do_not_know() {
        let mut store = parse(STORE.as_bytes()).unwrap();
        let material = Material::Token { token: Some(Secret::new("t")), expires: Expiry::At(5) };
        store.upsert("openai:a", Credential { provider: "openai".to_owned(), email: None, material });
        assert_eq!(
            text(&write(&store)),
            r#"{
  "version": 7,
  "profiles": {
    "openai:a": {
      "type": "token",
      "provider": "openai",
      "token": "t",
      "expires": 5,
      "note": 1.0e2
    },
    "x": {"type":"weird","big":123456789012345678901234567890}
  },
  "future": {"x": 1}
}
"#
        );
    }

    #[test]
    fn what_is_no_store_fails_with_its_place() {
        for (bytes, message, position) in [
            (&b""[..], "is empty", Some((1, 1))),
            (b"{ broken\n", "key must be a string", Some((1, 3))),
            (b"{\"a\": 1,\n\"b", "EOF while parsing a string", Some((2, 2))),
            (b"[]", "is not a JSON object", Some((1, 1))),
            (b"\"sk-secret\"", "is not a JSON object", Some((1, 11))),
            (b"\xef\xbb\xbf{}", "starts with a byte order mark, which JSON does not allow", Some((1, 1))),
            (b"{\"a\":\n \"\xff\"}", "is not UTF-8", Some((2, 3))),
            (b"{\"profiles\": \"x\"}", "`profiles` is no object", None),
        ] {
            let failure = parse(bytes).err().unwrap();
            assert_eq!(failure.message, message);
            assert_eq!(failure.position, position, "{message}");
        }
    }
}
