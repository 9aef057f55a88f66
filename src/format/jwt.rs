//! What a JSON Web Token says of itself. Signatures are not our business: the token is ours to use, not to judge.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::core::credential::EpochMs;
use crate::core::secret::Secret;

/// The claims; `None` when the token is opaque.
pub fn claims(token: &Secret) -> Option<Value> {
    let mut parts = token.expose().split('.');
    let (_header, payload, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    let claims = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&claims).ok()
}

/// The `exp` claim in ms.
pub fn expiry(claims: &Value) -> Option<EpochMs> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float cast saturates, which is the clamping we want"
    )]
    let seconds = claims.get("exp")?.as_f64().filter(|seconds| *seconds > 0.0)? as i64;
    Some(seconds.saturating_mul(1000))
}
