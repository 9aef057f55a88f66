//! The bodies of token endpoints: what is sent, and what an answer says.

use serde_json::{Map, Value};
use url::form_urlencoded;

use crate::core::credential::EpochMs;
use crate::core::oauth::{Style, Tokens, ends};
use crate::core::secret::Secret;
use crate::core::span;
use crate::format::codex::ASSUMED_LIFE_MS;
use crate::format::jwt;

/// Where the tokens of `OpenAI` tell the account and the person.
const OPENAI_AUTH_CLAIM: &str = "https://api.openai.com/auth";
const OPENAI_PROFILE_CLAIM: &str = "https://api.openai.com/profile";

/// The body of a POST in a provider's style, with its content type.
pub fn body(style: Style, members: &[(&str, &str)]) -> (&'static str, Secret) {
    match style {
        Style::Json => {
            let members: Map<_, _> =
                members.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
            ("application/json", Secret::new(Value::Object(members).to_string()))
        }
        Style::Form | Style::Copilot => {
            let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(members).finish();
            ("application/x-www-form-urlencoded", Secret::new(body))
        }
    }
}

/// The tokens of an answer. Only the access token must be there: the old refresh token may be spent already, so
/// nothing else is worth losing the new one for.
pub fn tokens(answer: &Secret, margin_ms: i64, now: EpochMs) -> Option<Tokens> {
    let answer: Value = serde_json::from_str(answer.expose()).ok()?;
    let text = |member: &str| answer.get(member)?.as_str().filter(|text| !text.trim().is_empty());
    let secret = |member: &str| text(member).map(Secret::new);
    let access = secret("access_token").or_else(|| secret("token"))?;
    if access.expose().chars().any(|c| c.is_whitespace() || c.is_control()) {
        return None;
    }
    let id_token = secret("id_token");
    let claims = jwt::claims(&access);
    let id_claims = id_token.as_ref().and_then(jwt::claims);
    let claim = |claims: &Option<Value>, path: &[&str]| {
        let found = path.iter().try_fold(claims.as_ref()?, |value, key| value.get(key))?;
        Some(found.as_str()?.to_owned())
    };
    let told_life = number(&answer, "expires_in").map(|seconds| seconds.saturating_mul(span::SECOND));
    let told_end = number(&answer, "expires_at").map(|seconds| seconds.saturating_mul(span::SECOND));
    let life = told_life
        .or(told_end.map(|end| end.saturating_sub(now)))
        .or_else(|| Some(jwt::expiry(claims.as_ref()?)?.saturating_sub(now)))
        .filter(|life| *life > 0)
        .unwrap_or(ASSUMED_LIFE_MS);
    Some(Tokens {
        refresh: secret("refresh_token"),
        expires: ends(now, life, margin_ms),
        account_id: claim(&claims, &[OPENAI_AUTH_CLAIM, "chatgpt_account_id"])
            .or_else(|| claim(&id_claims, &[OPENAI_AUTH_CLAIM, "chatgpt_account_id"])),
        email: claim(&id_claims, &["email"]).or_else(|| claim(&claims, &[OPENAI_PROFILE_CLAIM, "email"])),
        resource_url: text("resource_url").map(str::to_owned),
        id_token,
        access,
    })
}

/// The account that an access token of `OpenAI` names.
pub fn account_of(access: &Secret) -> Option<String> {
    let claims = jwt::claims(access)?;
    Some(claims.get(OPENAI_AUTH_CLAIM)?.get("chatgpt_account_id")?.as_str()?.to_owned())
}

/// A number, also one that is written as a text.
fn number(answer: &Value, member: &str) -> Option<i64> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float cast saturates, which is the clamping we want"
    )]
    match answer.get(member)? {
        Value::Number(number) => number.as_f64().map(|number| number as i64),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// The error code of RFC 6749 and RFC 8628 in an answer.
pub fn error_code(answer: &Secret) -> Option<String> {
    let answer: Value = serde_json::from_str(answer.expose()).ok()?;
    Some(answer.get("error")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{body, tokens};
    use crate::core::oauth::Style;
    use crate::core::secret::Secret;

    #[test]
    fn bodies_are_escaped() {
        let members = [("refresh_token", "a+b&c=\"d\"")];
        assert_eq!(body(Style::Form, &members).1.expose(), "refresh_token=a%2Bb%26c%3D%22d%22");
        assert_eq!(body(Style::Json, &members).1.expose(), r#"{"refresh_token":"a+b&c=\"d\""}"#);
    }

    #[test]
    fn no_new_access_token_is_lost_for_a_missing_member() {
        let ends = |text: &str| tokens(&Secret::new(text), 300_000, 0).map(|tokens| tokens.expires);
        for (answer, expires) in [
            (r#"{"access_token":"a","refresh_token":"r","expires_in":28800}"#, Some(28_500_000)),
            (r#"{"access_token":"a","expires_in":"28800"}"#, Some(28_500_000)),
            (r#"{"access_token":"a"}"#, Some(3_300_000)),
            (r#"{"access_token":"a","expires_in":null}"#, Some(3_300_000)),
            (r#"{"access_token":"a","expires_in":-5}"#, Some(3_300_000)),
            (r#"{"access_token":"a","expires_in":0}"#, Some(3_300_000)),
            (r#"{"access_token":"a","expires_in":1e300}"#, Some(365 * 86_400_000 - 300_000)),
            (r#"{"token":"t","expires_at":1800}"#, Some(1_500_000)),
            // {"exp":7200}
            (r#"{"access_token":"e30.eyJleHAiOjcyMDB9.s"}"#, Some(6_900_000)),
            (r#"{"refresh_token":"r","expires_in":28800}"#, None),
            (r#"{"access_token":" "}"#, None),
            (r#"{"access_token":"a b"}"#, None),
            (r#"{"access_token":5}"#, None),
            ("<html>", None),
            ("", None),
            ("[]", None),
        ] {
            assert_eq!(ends(answer), expires, "{answer}");
        }
    }

    #[test]
    fn openai_tells_account_and_person_in_its_tokens() {
        // {"https://api.openai.com/auth":{"chatgpt_account_id":"acc"}} and {"email":"me@x.com"}
        let answer = r#"{"access_token":"e30.eyJodHRwczovL2FwaS5vcGVuYWkuY29tL2F1dGgiOnsiY2hhdGdwdF9hY2NvdW50X2lkIjoiYWNjIn19.s",
            "id_token":"e30.eyJlbWFpbCI6Im1lQHguY29tIn0.s"}"#;
        let tokens = tokens(&Secret::new(answer), 0, 0).unwrap();
        assert_eq!(tokens.account_id.as_deref(), Some("acc"));
        assert_eq!(tokens.email.as_deref(), Some("me@x.com"));
    }
}
