//! Secrets that can be compared, masked and used, but not printed.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// Secrets up to this many characters are masked whole; longer ones keep four at each end.
const FULLY_MASKED_UP_TO: usize = 16;
/// Characters kept at each end of a longer secret.
const KEPT_AT_EACH_END: usize = 4;

/// A secret text. It has no `Display` and no `Serialize`, its `Debug` shows stars, and its memory is wiped on drop.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes ownership of the plain text.
    pub fn new(plain: impl Into<String>) -> Self {
        Self(SecretString::from(plain.into()))
    }

    /// The plain text, for a request header or the store writer.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// True when nothing but white space is there.
    pub fn is_blank(&self) -> bool {
        self.expose().trim().is_empty()
    }

    /// What a person may see of it: `missing` when blank, stars up to 16 characters, else `abcd...wxyz`.
    ///
    /// White space inside means a passphrase or a botched paste; its words would tell too much, so it gets stars too.
    ///
    /// ```
    /// use openclaw::core::secret::Secret;
    /// assert_eq!(Secret::new("0123456789abcdefg").mask(), "0123...defg");
    /// assert_eq!(Secret::new("0123456789abcdef").mask(), "****");
    /// ```
    pub fn mask(&self) -> String {
        let plain = self.expose().trim();
        if plain.is_empty() {
            return "missing".to_owned();
        }
        let length = plain.chars().count();
        if length <= FULLY_MASKED_UP_TO || plain.contains(char::is_whitespace) {
            return "****".to_owned();
        }
        let head: String = plain.chars().take(KEPT_AT_EACH_END).collect();
        let tail: String = plain.chars().skip(length - KEPT_AT_EACH_END).collect();
        format!("{head}...{tail}")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(****)")
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for Secret {}
