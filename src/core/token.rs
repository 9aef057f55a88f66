//! What a person may paste as a token.

use crate::core::secret::Secret;

/// How Anthropic's setup tokens begin.
const SETUP_TOKEN_PREFIX: &str = "sk-ant-oat01-";
/// Nothing that is worth declaring lives longer.
const LONGEST_SPAN: i64 = 100 * 365 * crate::core::span::DAY;
/// Shorter setup tokens were cut off on the way (reference rule).
const SETUP_TOKEN_LENGTH: usize = 80;

/// The token without the white space around it, or why it cannot be one.
pub fn checked(pasted: &Secret) -> Result<Secret, &'static str> {
    let token = pasted.expose().trim();
    if token.is_empty() {
        return Err("no token was given");
    }
    if token.chars().any(char::is_whitespace) {
        return Err(
            "there is white space inside: the paste was broken into lines, or is more than the token",
        );
    }
    if token.chars().any(char::is_control) {
        return Err("there are control characters inside");
    }
    if is_setup_token(token) && token.len() < SETUP_TOKEN_LENGTH {
        return Err("Token looks too short; paste the full setup-token");
    }
    Ok(Secret::new(token))
}

/// Whether the text is a setup token of Anthropic, which lives for a year and does not say since when.
pub fn is_setup_token(token: &str) -> bool {
    token.starts_with(SETUP_TOKEN_PREFIX)
}

/// Whether the text is a whole setup token.
pub fn is_whole_setup_token(token: &str) -> bool {
    is_setup_token(token) && token.len() >= SETUP_TOKEN_LENGTH
}

/// A span as the reference writes it: a number and `ms`, `s`, `m`, `h` or `d`, in any case; days without a unit.
/// The result is in ms; zero means no expiry.
pub fn span_ms(text: &str) -> Result<i64, String> {
    let trimmed = text.trim().to_lowercase();
    if trimmed.is_empty() {
        return Err("invalid duration (empty)".to_owned());
    }
    let digits = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(digits);
    let invalid = || format!("invalid duration: {text}");
    let factor = match unit {
        "ms" => 1.0,
        "s" => 1e3,
        "m" => 6e4,
        "h" => 3.6e6,
        "" | "d" => 8.64e7,
        _ => return Err(invalid()),
    };
    let is_number = number.starts_with(|c: char| c.is_ascii_digit()) && !number.ends_with('.');
    let number: f64 = number.parse().ok().filter(|_| is_number).ok_or_else(invalid)?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float cast saturates; a span of that length never ends"
    )]
    let span = (number * factor).round() as i64;
    if span > LONGEST_SPAN {
        return Err(format!("{}: longer than a century", invalid()));
    }
    Ok(span)
}

#[cfg(test)]
mod tests {
    use super::{checked, span_ms};
    use crate::core::secret::Secret;

    #[test]
    fn what_cannot_be_a_token_is_told_why() {
        let whole = format!("sk-ant-oat01-{}", "x".repeat(67));
        for (pasted, wanted) in [
            ("tok", Ok("tok")),
            ("  tok\t", Ok("tok")),
            (whole.as_str(), Ok(whole.as_str())),
            ("", Err("no token")),
            (" \n ", Err("no token")),
            ("a b", Err("white space")),
            ("a\nb", Err("white space")),
            ("a\u{7}b", Err("control")),
            ("sk-ant-oat01-short", Err("too short")),
        ] {
            match (checked(&Secret::new(pasted)), wanted) {
                (Ok(token), Ok(wanted)) => assert_eq!(token.expose(), wanted),
                (Err(why), Err(wanted)) => assert!(why.contains(wanted), "{why}"),
                (found, wanted) => panic!("{pasted:?}: {found:?}, {wanted:?}"),
            }
        }
    }

    #[test]
    fn spans_read_as_the_reference_reads_them() {
        for (text, wanted) in [
            ("30", Ok(30 * 86_400_000)),
            ("1.5H", Ok(5_400_000)),
            ("365d", Ok(365 * 86_400_000)),
            ("250ms", Ok(250)),
            ("90 ", Ok(90 * 86_400_000)),
            ("0", Ok(0)),
            ("36501d", Err("invalid duration: 36501d: longer than a century")),
            ("1y", Err("invalid duration: 1y")),
            ("", Err("invalid duration (empty)")),
            ("-1d", Err("invalid duration: -1d")),
            ("1.d", Err("invalid duration: 1.d")),
            (".5d", Err("invalid duration: .5d")),
            ("1.2.3", Err("invalid duration: 1.2.3")),
        ] {
            assert_eq!(span_ms(text), wanted.map_err(str::to_owned), "{text:?}");
        }
    }
}
