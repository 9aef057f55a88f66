//! Secrets that we make ourselves.

use crate::core::secret::{self, Secret};

/// That many random bytes of the system, as hex digits.
pub fn hex(bytes: usize) -> std::io::Result<Secret> {
    let mut random = vec![0; bytes];
    getrandom::fill(&mut random).map_err(|error| std::io::Error::other(error.to_string()))?;
    Ok(Secret::new(secret::hex(&random)))
}
