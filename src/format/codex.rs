//! The login of the Codex CLI: `auth.json` in its home, or its keychain item.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value;

use crate::core::credential::{EpochMs, Expiry, Material};
use crate::core::json_tree::JsonNode;
use crate::core::login::VendorLogin;
use crate::core::oauth::Tokens;
use crate::core::snapshot::LoginFacts;
use crate::core::span;
use crate::format::{ParseFailure, json_object, jwt, pretty};

/// From when an opaque token's life is counted: the file says nothing about its end.
#[derive(Clone, Copy, Debug)]
pub enum IssuedAt {
    /// The file was last written then.
    FileWritten(EpochMs),
    /// `last_refresh` counts, else this instant.
    LastRefreshOr(EpochMs),
}

/// The life that the reference assumes for an opaque token.
pub const ASSUMED_LIFE_MS: i64 = span::HOUR;

/// Reads the login. A file that holds only an API key is no login.
pub fn parse(bytes: &[u8], issued_at: IssuedAt) -> Result<VendorLogin, ParseFailure> {
    let file = json_object(bytes)?;
    let Some(member) = file.get("tokens").filter(|member| !member.is_null()) else {
        return Ok(VendorLogin::None);
    };
    let Some(tokens) = member.to_object() else {
        return Ok(VendorLogin::Incomplete("`tokens` is no object"));
    };
    let (Some(access), Some(refresh)) = (tokens.secret("access_token"), tokens.secret("refresh_token"))
    else {
        return Ok(VendorLogin::Incomplete("the access token or the refresh token is missing"));
    };
    let issued = match issued_at {
        IssuedAt::FileWritten(written) => written,
        IssuedAt::LastRefreshOr(now) => last_refresh(file.value("last_refresh").as_ref()).unwrap_or(now),
    };
    let expires = jwt::claims(&access)
        .as_ref()
        .and_then(jwt::expiry)
        .unwrap_or_else(|| issued.saturating_add(ASSUMED_LIFE_MS));
    let account_id = tokens.text("account_id");
    let material = Material::OAuth {
        access: Some(access),
        refresh: Some(refresh),
        expires: Expiry::At(expires),
        account_id,
    };
    Ok(VendorLogin::Present { material, facts: LoginFacts::default() })
}

/// The file with new tokens; everything else in it stays.
pub fn renewed(bytes: &[u8], tokens: &Tokens, now: DateTime<Utc>) -> Result<Vec<u8>, ParseFailure> {
    let mut file = json_object(bytes)?;
    let members = file.object_mut("tokens");
    let secrets = [
        ("access_token", Some(&tokens.access)),
        ("refresh_token", tokens.refresh.as_ref()),
        ("id_token", tokens.id_token.as_ref()),
    ];
    for (member, secret) in secrets {
        if let Some(secret) = secret {
            members.set(member, JsonNode::Value(secret.expose().into()));
        }
    }
    if let Some(account_id) = &tokens.account_id {
        members.set("account_id", JsonNode::Value(account_id.as_str().into()));
    }
    let now = now.to_rfc3339_opts(SecondsFormat::Micros, true);
    file.set("last_refresh", JsonNode::Value(now.into()));
    Ok(pretty(&file))
}

fn last_refresh(member: Option<&Value>) -> Option<EpochMs> {
    match member? {
        Value::String(text) => Some(DateTime::parse_from_rfc3339(text).ok()?.timestamp_millis()),
        Value::Number(number) => number.as_i64(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{IssuedAt, parse};
    use crate::core::login::VendorLogin;

    fn expires(file: &str, issued_at: IssuedAt) -> Option<i64> {
        match parse(file.as_bytes(), issued_at).unwrap() {
            VendorLogin::Present { material, .. } => material.expiry().at(),
            _ => None,
        }
    }

    #[test]
    fn an_opaque_token_lives_an_hour_from_its_writing_or_last_refresh() {
        let file =
            r#"{"tokens":{"access_token":"a","refresh_token":"r"},"last_refresh":"1970-01-01T00:00:10Z"}"#;
        assert_eq!(expires(file, IssuedAt::FileWritten(5)), Some(3_600_005));
        assert_eq!(expires(file, IssuedAt::LastRefreshOr(5)), Some(3_610_000));
        let file = r#"{"tokens":{"access_token":"a.b.c","refresh_token":"r"}}"#;
        assert_eq!(expires(file, IssuedAt::LastRefreshOr(7)), Some(3_600_007));
    }

    #[test]
    fn the_token_itself_knows_better() {
        // {"exp":1900000000}
        let file = r#"{"tokens":{"access_token":"e30.eyJleHAiOjE5MDAwMDAwMDB9.s","refresh_token":"r"}}"#;
        assert_eq!(expires(file, IssuedAt::FileWritten(5)), Some(1_900_000_000_000));
    }

    #[test]
    fn an_api_key_alone_is_no_login_and_half_a_login_is_incomplete() {
        let at = IssuedAt::FileWritten(0);
        assert_eq!(parse(br#"{"OPENAI_API_KEY":"sk-x"}"#, at).unwrap(), VendorLogin::None);
        let half = br#"{"tokens":{"access_token":"a"}}"#;
        assert!(matches!(parse(half, at).unwrap(), VendorLogin::Incomplete(_)));
    }
}
