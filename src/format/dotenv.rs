//! `.env` files, read by the rules of Node's `dotenv`: the programs that share these files must see the same keys.
//!
//! No `$NAME` is expanded, values may stand in single, double or back quotes over several lines, `export ` is
//! allowed, `#` starts a comment outside of quotes, and the last assignment of a name wins.

use std::collections::HashMap;
use std::fmt::Write;

/// One assignment.
#[derive(Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The variable.
    pub name: String,
    /// Its value, which may be a secret: there is no `Debug`.
    pub value: String,
    /// The line of the name, 1-based.
    pub line: usize,
}

/// What a file says.
#[derive(Default)]
pub struct Dotenv {
    /// One entry a name, in the order of their first lines.
    pub assignments: Vec<Assignment>,
    /// Lines, 1-based, that are neither blank nor comment nor assignment.
    pub malformed: Vec<usize>,
}

/// Reads a file. A byte order mark in front is passed over. Values with NUL are malformed: no variable can hold one.
pub fn parse(text: &str) -> Dotenv {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n").replace('\r', "\n");
    let mut dotenv = Dotenv::default();
    let mut places: HashMap<String, usize> = HashMap::new();
    let (mut rest, mut line) = (text.as_str(), 1);
    while !rest.is_empty() {
        let (name, value, length) = statement(rest);
        let first_line = rest.lines().next().unwrap_or("").trim();
        match name {
            Some(name) if !value.contains('\0') => {
                let place = *places.entry(name.to_owned()).or_insert(dotenv.assignments.len());
                let assignment = Assignment { name: name.to_owned(), value, line };
                match dotenv.assignments.get_mut(place) {
                    Some(known) => *known = assignment,
                    None => dotenv.assignments.push(assignment),
                }
            }
            None if first_line.is_empty() || first_line.starts_with('#') => {}
            _ => dotenv.malformed.push(line),
        }
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    dotenv
}

/// The text with one variable set: its assignment replaced where it stands, `export ` kept, else appended.
pub fn set(text: &str, name: &str, value: &str) -> String {
    let mut written = String::with_capacity(text.len() + name.len() + value.len() + 4);
    let (mut rest, mut found) = (text, false);
    while !rest.is_empty() {
        let (assigned, _, length) = statement(rest);
        let statement = &rest[..length];
        if assigned == Some(name) {
            // Of several assignments the last one counts; one is enough.
            if !found {
                let export = if statement.trim_start().starts_with("export") { "export " } else { "" };
                let _ = writeln!(written, "{export}{name}={}", quoted_value(value));
            }
            found = true;
        } else {
            written.push_str(statement);
        }
        rest = &rest[length..];
    }
    if !found {
        if !written.is_empty() && !written.ends_with('\n') {
            written.push('\n');
        }
        let _ = writeln!(written, "{name}={}", quoted_value(value));
    }
    written
}

/// The value as it must stand to be read back.
fn quoted_value(value: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-.:/+=@%".contains(c);
    match ['\'', '`', '"'].iter().find(|quote| !value.contains(**quote)) {
        _ if value.chars().all(is_plain) => value.to_owned(),
        Some(quote) => format!("{quote}{value}{quote}"),
        None => value.to_owned(),
    }
}

/// The statement at the start of `text`: name, value, and how many bytes it takes with its newline.
fn statement(text: &str) -> (Option<&str>, String, usize) {
    let line_end = text.find('\n').map_or(text.len(), |newline| newline + 1);
    let line = &text[..line_end];
    let nothing = (None, String::new(), line_end);
    let start = line.trim_start();
    let start = match start.strip_prefix("export") {
        Some(rest) if rest.starts_with([' ', '\t']) => rest.trim_start(),
        _ => start,
    };
    let name_end =
        start.find(|c: char| !(c.is_ascii_alphanumeric() || "_.-".contains(c))).unwrap_or(start.len());
    let (name, after) = start.split_at(name_end);
    let after = after.trim_start_matches([' ', '\t']);
    let Some(raw) = after.strip_prefix('=').or_else(|| {
        after.strip_prefix(':').filter(|value| value.starts_with([' ', '\t', '\n']) || value.is_empty())
    }) else {
        return nothing;
    };
    if name.is_empty() {
        return nothing;
    }
    let value_start = raw.trim_start_matches([' ', '\t']);
    let offset = line.len() - value_start.len();
    match value_start.chars().next() {
        Some(quote @ ('\'' | '"' | '`')) => match quoted(&text[offset..], quote) {
            Some((value, length)) => {
                let end = offset + length;
                let tail = text[end..].find('\n').map_or(text.len(), |newline| end + newline + 1);
                (Some(name), value, tail)
            }
            None => (Some(name), unquoted(value_start), line_end),
        },
        _ => (Some(name), unquoted(value_start), line_end),
    }
}

/// A quoted value and its length with both quotes; `None` when the quote is never closed or text follows it.
fn quoted(text: &str, quote: char) -> Option<(String, usize)> {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if c == quote && !escaped {
            let after = text[at + 1..].split('\n').next().unwrap_or("").trim_start();
            if !after.is_empty() && !after.starts_with('#') {
                return None;
            }
            let inner = &text[1..at];
            let value =
                if quote == '"' { inner.replace("\\n", "\n").replace("\\r", "\r") } else { inner.to_owned() };
            return Some((value, at + 1));
        }
        escaped = c == '\\' && !escaped;
    }
    None
}

fn unquoted(raw: &str) -> String {
    raw.split('#').next().unwrap_or("").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::parse;

    fn pairs(text: &str) -> Vec<(String, String)> {
        parse(text).assignments.into_iter().map(|entry| (entry.name, entry.value)).collect()
    }

    #[test]
    fn values_read_as_node_reads_them() {
        for (text, name, value) in [
            ("A=b", "A", "b"),
            ("export A = b # c", "A", "b"),
            ("A='x # y' # z", "A", "x # y"),
            ("A=\"l1\\nl2\"", "A", "l1\nl2"),
            ("A='l1\\nl2'", "A", "l1\\nl2"),
            ("A=`it's \"q\"`", "A", "it's \"q\""),
            ("A=\"two\nlines\"\nB=1", "A", "two\nlines"),
            ("A=sk$HOME", "A", "sk$HOME"),
            ("A=", "A", ""),
            ("A: b", "A", "b"),
            ("A='open", "A", "'open"),
            ("A=x=y", "A", "x=y"),
            ("\u{feff}A=b\r\nB=c\r\n", "A", "b"),
        ] {
            let found = pairs(text);
            assert_eq!(found[0], (name.to_owned(), value.to_owned()), "{text:?}");
        }
        assert_eq!(pairs("A=1\nB=2\nA=3").len(), 2);
        assert_eq!(pairs("A=1\nA=3")[0].1, "3");
    }

    #[test]
    fn a_variable_is_set_where_it_stands_and_reads_back() {
        for (before, value, after) in [
            ("", "k", "A=k\n"),
            ("X=1", "k", "X=1\nA=k\n"),
            ("# c\nexport A=old\nX=1\n", "k", "# c\nexport A=k\nX=1\n"),
            ("A='two\nlines'\nX=1\nA=again\n", "k", "A=k\nX=1\n"),
            ("A=1\n", "a#b c", "A='a#b c'\n"),
            ("AB=1\n", "it's", "AB=1\nA=`it's`\n"),
        ] {
            let written = super::set(before, "A", value);
            assert_eq!(written, after);
            assert!(pairs(&written).contains(&("A".to_owned(), value.to_owned())));
        }
    }

    #[test]
    fn lines_are_counted_through_quoted_values() {
        let found = parse("# c\n\nA='x\ny'\nB=1\nnonsense\n!=2\nC=a\0b\n");
        let lines: Vec<_> = found.assignments.iter().map(|entry| (entry.name.as_str(), entry.line)).collect();
        assert_eq!(lines, [("A", 3), ("B", 5)]);
        assert_eq!(found.malformed, [6, 7, 8]);
    }
}
