//! Secrets that we make ourselves.

use crate::core::secret::Secret;

/// That many random bytes of the system, as hex digits.
pub fn hex(bytes: usize) -> std::io::Result<Secret> {
    let mut random = vec![0; bytes];
    getrandom::fill(&mut random).map_err(|error| std::io::Error::other(error.to_string()))?;
    let digits = random.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    Ok(Secret::new(digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect::<String>()))
}
