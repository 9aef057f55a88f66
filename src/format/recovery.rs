//! Recovery files: tokens that a provider gave and that are not yet everywhere where they belong.

use serde_json::json;

use crate::core::json_tree::JsonObject;
use crate::core::oauth::{Parked, Tokens};
use crate::core::secret::Secret;
use crate::format::json_object;

/// The content of the file. This is the one place beside the stores where secrets are written.
pub fn write(parked: &Parked) -> Vec<u8> {
    let tokens = &parked.tokens;
    json!({
        "version": 1,
        "provider": parked.provider,
        "spent": parked.spent,
        "access": tokens.access.expose(),
        "refresh": tokens.refresh.as_ref().map(Secret::expose),
        "expires": tokens.expires,
        "accountId": tokens.account_id,
        "email": tokens.email,
        "idToken": tokens.id_token.as_ref().map(Secret::expose),
        "resourceUrl": tokens.resource_url,
    })
    .to_string()
    .into_bytes()
}

/// Reads a recovery file. `None` when nothing is parked in it: it is blank until the answer of the provider comes, and
/// torn when its writer was killed in the one moment that nothing can guard.
pub fn parse(bytes: &[u8]) -> Option<Parked> {
    let file: JsonObject = json_object(bytes).ok()?;
    Some(Parked {
        provider: file.text("provider")?,
        spent: file.text("spent")?,
        tokens: Tokens {
            access: file.secret("access")?,
            refresh: file.secret("refresh"),
            expires: file.value("expires")?.as_i64()?,
            account_id: file.text("accountId"),
            email: file.text("email"),
            id_token: file.secret("idToken"),
            resource_url: file.text("resourceUrl"),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::{parse, write};
    use crate::core::oauth::{Parked, Tokens};
    use crate::core::secret::Secret;

    #[test]
    fn what_is_parked_comes_back_from_a_padded_file_and_nothing_from_a_torn_one() {
        let parked = Parked {
            provider: "anthropic".to_owned(),
            spent: "abc".to_owned(),
            tokens: Tokens {
                access: Secret::new("a"),
                refresh: Some(Secret::new("r")),
                expires: 5,
                account_id: None,
                email: Some("me@x.com".to_owned()),
                id_token: None,
                resource_url: None,
            },
        };
        let mut bytes = write(&parked);
        bytes.extend([b' '; 99]);
        assert_eq!(parse(&bytes), Some(parked));
        assert_eq!(parse(&bytes[..20]), None);
        assert_eq!(parse(&[b' '; 99]), None);
    }
}
