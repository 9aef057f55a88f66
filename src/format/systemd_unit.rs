//! systemd units as far as they decide the environment of a service, by the rules of systemd.unit(5) and
//! systemd.exec(5).

use std::collections::BTreeMap;

/// One `Key=value` of a unit or drop-in.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// The section, without brackets.
    pub section: String,
    /// The key.
    pub key: String,
    /// The value, continued lines joined. It may hold a secret: there is no `Debug`.
    pub value: String,
    /// The line of the key, 1-based.
    pub line: usize,
}

/// One assignment of an environment.
#[derive(Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The variable.
    pub name: String,
    /// Its value, which may be a secret: there is no `Debug`.
    pub value: String,
    /// The line, 1-based.
    pub line: usize,
}

/// Takes a unit apart. What is no entry is passed over, as systemd does.
pub fn parse(text: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut section = String::new();
    let mut lines = text.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            name.clone_into(&mut section);
            continue;
        }
        let mut whole = line.to_owned();
        while let Some(head) = whole.strip_suffix('\\') {
            whole = format!("{head} ");
            // Comments between continued lines are passed over.
            let next = lines.by_ref().map(|(_, line)| line.trim()).find(|line| !line.starts_with(['#', ';']));
            match next {
                Some(next) => whole.push_str(next),
                None => break,
            }
        }
        if let Some((key, value)) = whole.split_once('=') {
            entries.push(Entry {
                section: section.clone(),
                key: key.trim().to_owned(),
                value: value.trim().to_owned(),
                line: at + 1,
            });
        }
    }
    entries
}

/// The assignments of one `Environment=` value: words in quotes or not, each `NAME=value`.
pub fn environment(value: &str, line: usize, specifiers: &BTreeMap<char, String>) -> Vec<Assignment> {
    let assigned = |word: String| {
        let (name, value) = word.split_once('=')?;
        is_name(name).then(|| Assignment { name: name.to_owned(), value: expand(value, specifiers), line })
    };
    words(value).into_iter().filter_map(assigned).collect()
}

/// Replaces `%h` and its like; an unknown one stays as it is.
pub fn expand(text: &str, specifiers: &BTreeMap<char, String>) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match (c, rest.clone().next()) {
            ('%', Some('%')) => {
                rest.next();
                expanded.push('%');
            }
            ('%', Some(letter)) if specifiers.contains_key(&letter) => {
                rest.next();
                expanded.push_str(&specifiers[&letter]);
            }
            _ => expanded.push(c),
        }
    }
    expanded
}

/// Replaces `$NAME`, `${NAME}`, `${NAME:-DEFAULT}` and `${NAME:+OTHER}`, as environment.d(5) does; what is unset is empty.
pub fn with_variables(text: &str, value_of: &dyn Fn(&str) -> Option<String>) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        expanded.push_str(&rest[..at]);
        let behind = &rest[at + 1..];
        let end = || behind.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(behind.len());
        let braced = behind.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        let (inner, after) = braced.unwrap_or_else(|| behind.split_at(end()));
        let (name, other) = inner.split_once(':').map_or((inner, None), |(name, other)| (name, Some(other)));
        if is_name(name) {
            let value = value_of(name).filter(|value| !value.is_empty());
            match (value, other.and_then(|other| other.split_at_checked(1))) {
                (None, Some(("-", default))) => expanded.push_str(default),
                (Some(_), Some(("+", instead))) => expanded.push_str(instead),
                (value, _) => expanded.push_str(&value.unwrap_or_default()),
            }
            rest = after;
        } else {
            expanded.push('$');
            rest = behind;
        }
    }
    expanded + rest
}

/// The assignments of an `EnvironmentFile=`: no specifiers, `#` and `;` start a comment only at the start of a line.
pub fn environment_file(text: &str) -> Vec<Assignment> {
    let mut found = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let Some((name, first)) = line.split_once('=') else { continue };
        let mut value = first.trim_start().to_owned();
        while is_unfinished(&value) {
            let Some((_, next)) = lines.next() else { break };
            let joined = match value.strip_suffix('\\') {
                // In quotes a backslash joins the lines; without it the break is part of the value.
                Some(head) => head.to_owned(),
                None => format!("{value}\n"),
            };
            value = joined + next;
        }
        if is_name(name.trim()) {
            let value = unquoted(value.trim_end());
            found.push(Assignment { name: name.trim().to_owned(), value, line: at + 1 });
        }
    }
    found
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Whether a value goes on on the next line: an open quote, or a backslash at the end.
fn is_unfinished(value: &str) -> bool {
    let (mut quote, mut is_escaped) = (None, false);
    for c in value.chars() {
        match (quote, c) {
            _ if is_escaped => is_escaped = false,
            (None | Some('"'), '\\') => is_escaped = true,
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            _ => {}
        }
    }
    quote.is_some() || is_escaped
}

fn unquoted(value: &str) -> String {
    let mut plain = String::with_capacity(value.len());
    let (mut quote, mut rest) = (None, value.chars());
    while let Some(c) = rest.next() {
        match (quote, c) {
            (None | Some('"'), '\\') => plain.extend(rest.next()),
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            _ => plain.push(c),
        }
    }
    plain
}

/// Splits at blanks outside of quotes and takes the quotes and C escapes away.
pub fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut quote, mut is_open) = (String::new(), None, false);
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match (quote, c) {
            (_, '\\') => {
                is_open = true;
                match rest.next() {
                    Some('n') => word.push('\n'),
                    Some('t') => word.push('\t'),
                    Some('s') => word.push(' '),
                    other => word.extend(other),
                }
            }
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => {
                (quote, is_open) = (Some(c), true);
            }
            (None, c) if c.is_whitespace() => {
                if is_open {
                    words.push(std::mem::take(&mut word));
                }
                is_open = false;
            }
            _ => {
                is_open = true;
                word.push(c);
            }
        }
    }
    if is_open {
        words.push(word);
    }
    words
}

/// A word for a unit, in quotes where it must be. `%` is doubled: it would start a specifier.
pub fn word(text: &str) -> String {
    let text = text.replace('%', "%%");
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+=:,@%$~".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text;
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A word behind the program of a command line. `$` is doubled: it would start a variable.
pub fn argument(text: &str) -> String {
    word(&text.replace('$', "$$"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::{ProptestConfig, prop_assert_eq, proptest};

    use super::{
        Assignment, argument, environment, environment_file, expand, parse, with_variables, word, words,
    };

    fn pairs(found: Vec<Assignment>) -> Vec<(String, String, usize)> {
        found.into_iter().map(|entry| (entry.name, entry.value, entry.line)).collect()
    }

    fn pair(name: &str, value: &str, line: usize) -> (String, String, usize) {
        (name.to_owned(), value.to_owned(), line)
    }

    #[test]
    fn units_are_read_as_systemd_reads_them() {
        let unit = "# c\n[Service]\nEnvironment=A=1 \\\n; in between\n  B=2\nExecStart=x\n\n[Install]\nWantedBy=default.target\nnonsense\n";
        let found: Vec<_> = parse(unit)
            .into_iter()
            .map(|entry| (entry.section, entry.key, entry.value, entry.line))
            .collect();
        let expected = [
            ("Service", "Environment", "A=1  B=2", 3),
            ("Service", "ExecStart", "x", 6),
            ("Install", "WantedBy", "default.target", 9),
        ];
        let expected = expected
            .map(|(section, key, value, line)| (section.to_owned(), key.to_owned(), value.to_owned(), line));
        assert_eq!(found, expected);
    }

    #[test]
    fn assignments_may_be_quoted_whole_or_in_part() {
        let specifiers = BTreeMap::from([('h', "/home/me".to_owned())]);
        let found = environment(r#"A=1 "B=two words" C='x "y"' D=%h/%% 9=no E=a\sb F="#, 7, &specifiers);
        let expected = [
            pair("A", "1", 7),
            pair("B", "two words", 7),
            pair("C", "x \"y\"", 7),
            pair("D", "/home/me/%", 7),
            pair("E", "a b", 7),
            pair("F", "", 7),
        ];
        assert_eq!(pairs(found), expected);
    }

    #[test]
    fn environment_files_have_their_own_rules() {
        let text = "# c\nA=1 # not a comment\nB=\"two\nlines\"\nC=a\\\nb\nexport D=1\nE='x'\"y\"\n; c\nF=\n";
        let expected = [
            pair("A", "1 # not a comment", 2),
            pair("B", "two\nlines", 3),
            pair("C", "ab", 5),
            pair("E", "xy", 8),
            pair("F", "", 10),
        ];
        assert_eq!(pairs(environment_file(text)), expected);
    }

    #[test]
    fn variables_of_the_manager_build_on_each_other() {
        let value_of = |name: &str| (name == "HOME").then(|| "/home/me".to_owned());
        for (text, expected) in [
            ("${HOME}/bin:$HOME/x", "/home/me/bin:/home/me/x"),
            ("${NO:-sk-x}/${HOME:+y}", "sk-x/y"),
            ("a$NO.b$", "a.b$"),
            ("cost: 5$ ${", "cost: 5$ ${"),
        ] {
            assert_eq!(with_variables(text, &value_of), expected, "{text}");
        }
    }

    #[test]
    fn words_are_quoted_where_systemd_would_split_or_replace_them() {
        for (text, expected) in [
            ("/usr/bin/openclaw", "/usr/bin/openclaw"),
            ("/home/my files/100%/openclaw", r#""/home/my files/100%%/openclaw""#),
            ("a\"b\\c", r#""a\"b\\c""#),
            ("", r#""""#),
            ("NAME=v;w", r#""NAME=v;w""#),
        ] {
            assert_eq!(word(text), expected);
        }
        assert_eq!(argument("$HOME"), "$$HOME");
    }

    proptest! {
        #[test]
        fn a_word_comes_back_as_it_was(text in "[^\\p{C}]{0,60}") {
            let read = words(&word(&text)).into_iter().map(|word| expand(&word, &BTreeMap::new()));
            prop_assert_eq!(read.collect::<Vec<_>>(), vec![text]);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: if cfg!(debug_assertions) { 256 } else { 20_000 }, ..ProptestConfig::default() })]
        #[test]
        fn no_text_is_too_odd(text in "(.|\n|\\\\|[\"'=%#]){0,200}") {
            let entries = parse(&text);
            for entry in &entries {
                environment(&entry.value, entry.line, &BTreeMap::new());
            }
            environment_file(&text);
            with_variables(&text, &|_| None);
        }
    }
}
