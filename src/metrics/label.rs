//! Label values that nobody can abuse: bounded in length, free of control characters, and still told apart.

use std::borrow::Cow;

use crate::core::secret::Secret;

/// The longest value, in characters, what tells cut ones apart included.
pub const LONGEST: usize = 120;
/// Hex digits that tell cut values apart.
const DIGEST: usize = 8;

/// A value as it is shown. What is too long, or holds control characters other than a line break, is changed and gets the
/// beginning of its SHA-256 behind it, so that two of them stay two.
pub fn bounded(value: &str) -> Cow<'_, str> {
    let is_bad = |c: char| c.is_control() && c != '\n';
    // Bytes are at least as many as characters: the common case is decided by the length alone.
    if value.len() <= LONGEST && !value.chars().any(is_bad) {
        return Cow::Borrowed(value);
    }
    let is_long = value.chars().nth(LONGEST).is_some();
    if !is_long && !value.chars().any(is_bad) {
        return Cow::Borrowed(value);
    }
    let kept: String = value.chars().take(LONGEST - DIGEST - 1).collect();
    let digest: String = Secret::new(value).digest().chars().take(DIGEST).collect();
    Cow::Owned(format!("{}~{digest}", kept.replace(is_bad, "\u{fffd}")))
}

/// A word from outside, in the form of a reason: at most 32 of `a-z0-9_`.
pub fn word(text: &str) -> String {
    let word: String = text
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .take(32)
        .collect();
    if word.is_empty() { "unknown".to_owned() } else { word }
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, bounded, word};

    #[test]
    fn values_are_bounded_and_stay_different() {
        assert_eq!(bounded("anthropic:default"), "anthropic:default");
        assert_eq!(bounded("a\"b\\c\nd"), "a\"b\\c\nd");
        let (long, other) = ("x".repeat(10_000), "x".repeat(10_001));
        assert_eq!(bounded(&long).chars().count(), LONGEST);
        assert_ne!(bounded(&long), bounded(&other));
        assert_ne!(bounded("a\u{1b}b"), bounded("a\u{7}b"));
        assert!(!bounded("a\u{0}b").contains('\u{0}'));
        let wide = "é".repeat(LONGEST);
        assert_eq!(bounded(&wide), wide.as_str());
    }

    #[test]
    fn reasons_are_words() {
        assert_eq!(word("Billing"), "billing");
        assert_eq!(word("no credit\nleft"), "no_credit_left");
        assert_eq!((word("").as_str(), word(&"x".repeat(99)).len()), ("unknown", 32));
    }
}
