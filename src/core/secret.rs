//! Secrets that can be compared, masked and used, but not printed.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

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

impl Secret {
    /// The SHA-256.
    pub fn sha256(&self) -> [u8; 32] {
        Sha256::digest(self.expose().as_bytes()).into()
    }

    /// Whether a text shows this secret, white space around either aside. Digests are compared: neither how much of it is
    /// right nor its length can be timed.
    pub fn is_shown_by(&self, text: &str) -> bool {
        let digest = |text: &str| <[u8; 32]>::from(Sha256::digest(text.trim().as_bytes()));
        digest(text).ct_eq(&digest(self.expose())).into()
    }

    /// The SHA-256 as hex digits: tells one long random secret from another, and not what it is.
    pub fn digest(&self) -> String {
        hex(&self.sha256())
    }

    /// The first 16 hex digits of a salted SHA-256: a name for a secret on this host and nowhere else.
    pub fn fingerprint(&self, salt: &str) -> String {
        let mut digest = Sha256::new_with_prefix(salt.as_bytes());
        digest.update([0]);
        digest.update(self.expose().as_bytes());
        hex(&digest.finalize()[..8])
    }
}

/// The token in the value of an `Authorization` header (RFC 6750).
pub fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// Bytes as lower-case hex digits.
pub fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
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
