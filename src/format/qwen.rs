//! The login of the Qwen CLI: `oauth_creds.json`.

use crate::core::credential::Material;
use crate::core::json_tree::JsonNode;
use crate::core::login::VendorLogin;
use crate::core::oauth::Tokens;
use crate::core::snapshot::LoginFacts;
use crate::core::store::expiry_of;
use crate::format::{ParseFailure, json_object, pretty};

/// Reads the login; both tokens and the expiry are needed.
pub fn parse(bytes: &[u8]) -> Result<VendorLogin, ParseFailure> {
    let file = json_object(bytes)?;
    let (Some(access), Some(refresh)) = (file.secret("access_token"), file.secret("refresh_token")) else {
        return Ok(VendorLogin::Incomplete("the access token or the refresh token is missing"));
    };
    let expires = expiry_of(&file, "expiry_date");
    if !expires.is_number() {
        return Ok(VendorLogin::Incomplete("`expiry_date` is not a number of milliseconds"));
    }
    let material =
        Material::OAuth { access: Some(access), refresh: Some(refresh), expires, account_id: None };
    Ok(VendorLogin::Present { material, facts: LoginFacts::default() })
}

/// The file with new tokens; everything else in it stays.
pub fn renewed(bytes: &[u8], tokens: &Tokens) -> Result<Vec<u8>, ParseFailure> {
    let mut file = json_object(bytes)?;
    file.set("access_token", JsonNode::Value(tokens.access.expose().into()));
    if let Some(refresh) = &tokens.refresh {
        file.set("refresh_token", JsonNode::Value(refresh.expose().into()));
    }
    file.set("expiry_date", JsonNode::Value(tokens.expires.into()));
    Ok(pretty(&file))
}

#[cfg(test)]
mod tests {
    use super::parse;
    use crate::core::login::VendorLogin;

    #[test]
    fn all_three_members_are_needed() {
        let whole = br#"{"access_token":"a","refresh_token":"r","expiry_date":5}"#;
        assert!(matches!(parse(whole).unwrap(), VendorLogin::Present { .. }));
        for file in [
            r#"{"access_token":"a","refresh_token":"r"}"#,
            r#"{"access_token":"a","expiry_date":5}"#,
            r#"{"access_token":"a","refresh_token":"r","expiry_date":"5"}"#,
        ] {
            assert!(matches!(parse(file.as_bytes()).unwrap(), VendorLogin::Incomplete(_)), "{file}");
        }
    }
}
