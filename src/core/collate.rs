//! The order in which names are listed, close to what `localeCompare` gives the reference.

use std::cmp::Reverse;

/// ASCII punctuation in the order of the Unicode collation; it sorts before digits, digits before letters.
const PUNCTUATION: &str = "_-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$";

/// A sort key: punctuation, digits, letters; case only breaks ties, lower case first. Sort with it cached.
pub fn key(text: &str) -> impl Ord + use<> {
    let ranks: Vec<(u8, u32)> = text.chars().map(rank).collect();
    (ranks, Reverse(text.to_owned()))
}

fn rank(c: char) -> (u8, u32) {
    if let Some(place) = PUNCTUATION.bytes().position(|p| char::from(p) == c) {
        return (0, u32::try_from(place).unwrap_or(u32::MAX));
    }
    let folded = c.to_lowercase().next().unwrap_or(c);
    (if c.is_numeric() { 1 } else { 2 }, u32::from(folded))
}

#[cfg(test)]
mod tests {
    use super::key;

    #[test]
    fn case_breaks_ties_only_and_punctuation_comes_first() {
        let mut names = vec!["Zeta", "openai-codex", "openai", "b:1", "B:1", "a_x", "a-x", "ax", "a1"];
        names.sort_by_cached_key(|name| key(name));
        assert_eq!(names, ["a_x", "a-x", "a1", "ax", "b:1", "B:1", "openai", "openai-codex", "Zeta"]);
    }
}
