//! The login of Claude Code: `.credentials.json`, or the macOS keychain item with the same content.

use crate::core::credential::Material;
use crate::core::json_tree::{JsonNode, JsonObject};
use crate::core::login::VendorLogin;
use crate::core::oauth::Tokens;
use crate::core::snapshot::LoginFacts;
use crate::core::store::expiry_of;
use crate::format::{ParseFailure, json_object, pretty};

/// Reads the login. Without a refresh token it is a plain token that nobody can renew.
pub fn parse(bytes: &[u8]) -> Result<VendorLogin, ParseFailure> {
    let file = json_object(bytes)?;
    let Some(member) = file.get("claudeAiOauth").filter(|member| !member.is_null()) else {
        return Ok(VendorLogin::None);
    };
    let Some(login) = member.to_object() else {
        return Ok(VendorLogin::Incomplete("`claudeAiOauth` is no object"));
    };
    let Some(access) = login.secret("accessToken").filter(|token| !token.is_blank()) else {
        return Ok(VendorLogin::Incomplete("the access token is blank: the login was lost"));
    };
    let expires = expiry_of(&login, "expiresAt");
    if expires.at().is_none() {
        return Ok(VendorLogin::Incomplete("`expiresAt` is not a number of milliseconds"));
    }
    let material = match login.secret("refreshToken") {
        Some(refresh) => {
            Material::OAuth { access: Some(access), refresh: Some(refresh), expires, account_id: None }
        }
        None => Material::Token { token: Some(access), expires },
    };
    Ok(VendorLogin::Present { material, facts: facts(&login) })
}

/// The file with new tokens; everything else in it stays, the login deadline too: no refresh moves that.
pub fn renewed(bytes: &[u8], tokens: &Tokens) -> Result<Vec<u8>, ParseFailure> {
    let mut file = json_object(bytes)?;
    let login = file.object_mut("claudeAiOauth");
    login.set("accessToken", JsonNode::Value(tokens.access.expose().into()));
    if let Some(refresh) = &tokens.refresh {
        login.set("refreshToken", JsonNode::Value(refresh.expose().into()));
    }
    login.set("expiresAt", JsonNode::Value(tokens.expires.into()));
    Ok(pretty(&file))
}

fn facts(login: &JsonObject) -> LoginFacts {
    let scopes = login.value("scopes").and_then(|scopes| scopes.as_array().cloned()).unwrap_or_default();
    LoginFacts {
        deadline: expiry_of(login, "refreshTokenExpiresAt").at(),
        lost: false,
        renewed_by_vendor: false,
        subscription: login.text("subscriptionType"),
        rate_limit_tier: login.text("rateLimitTier"),
        scopes: scopes.iter().filter_map(|scope| scope.as_str()).map(str::to_owned).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::parse;
    use crate::core::credential::Material;
    use crate::core::login::VendorLogin;

    #[test]
    fn both_clocks_and_the_plan_are_read() {
        let file = br#"{"claudeAiOauth":{"accessToken":"a","refreshToken":"r","expiresAt":5.5,
            "refreshTokenExpiresAt":9,"subscriptionType":"max","rateLimitTier":"x20","scopes":["s",1]}}"#;
        let VendorLogin::Present { material, facts } = parse(file).unwrap() else { panic!("no login") };
        assert_eq!(material.expiry().at(), Some(5));
        assert_eq!(facts.deadline, Some(9));
        assert_eq!(facts.subscription.as_deref(), Some("max"));
        assert_eq!(facts.rate_limit_tier.as_deref(), Some("x20"));
        assert_eq!(facts.scopes, ["s"]);
    }

    #[test]
    fn a_login_without_refresh_token_is_a_token() {
        let file = br#"{"claudeAiOauth":{"accessToken":"a","expiresAt":5}}"#;
        let VendorLogin::Present { material, .. } = parse(file).unwrap() else { panic!("no login") };
        assert!(matches!(material, Material::Token { .. }));
    }

    #[test]
    fn blanked_and_odd_logins_are_told_from_no_login() {
        assert_eq!(parse(br#"{"mcpOAuth":{}}"#).unwrap(), VendorLogin::None);
        for file in [
            r#"{"claudeAiOauth":{"accessToken":"","refreshToken":"","expiresAt":0}}"#,
            r#"{"claudeAiOauth":{"accessToken":"a","expiresAt":"2030-01-01"}}"#,
            r#"{"claudeAiOauth":5}"#,
        ] {
            assert!(matches!(parse(file.as_bytes()).unwrap(), VendorLogin::Incomplete(_)), "{file}");
        }
    }
}
