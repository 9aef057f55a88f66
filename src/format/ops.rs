//! `ops.json`: the settings of this program that must not stand in `openclaw.json`.

use std::cell::RefCell;

use crate::core::report::Refreshable;
use crate::format::config::{Node, Problem};
use crate::format::section::{Notes, Section};

/// Who renews the logins that a vendor's program owns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExternalRefresh {
    /// This program does, under both locks, and writes back.
    #[default]
    Direct,
    /// The vendor's program does; its file is read again.
    Delegate,
    /// Nobody here: such a login is only reported.
    Never,
}

/// Every setting; absent keys are `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ops {
    /// `check.warnAfter` in ms.
    pub warn_after_ms: Option<i64>,
    /// `check.refreshable`.
    pub refreshable: Option<Refreshable>,
    /// `refresh.external`.
    pub external_refresh: ExternalRefresh,
}

/// Types the tree. Unknown keys are problems here: this file is ours alone.
pub fn read(tree: &Node) -> Result<Ops, Vec<Problem>> {
    let notes = RefCell::new(Notes::default());
    let root = Section::root(tree, &notes);
    root.closed(&["check", "refresh"]);
    let check = root.section("check");
    check.closed(&["warnAfter", "refreshable"]);
    let refresh = root.section("refresh");
    refresh.closed(&["external"]);
    let ops = Ops {
        warn_after_ms: check.text("warnAfter").and_then(|text| {
            parse_span(text).map_or_else(|message| check.wrong("warnAfter", &message), Some)
        }),
        refreshable: check.one_of("refreshable", &["strict", "lenient"]).map(|word| match word {
            "lenient" => Refreshable::Lenient,
            _ => Refreshable::Strict,
        }),
        external_refresh: match refresh.one_of("external", &["direct", "delegate", "never"]) {
            Some("delegate") => ExternalRefresh::Delegate,
            Some("never") => ExternalRefresh::Never,
            _ => ExternalRefresh::Direct,
        },
    };
    let mut notes = notes.into_inner();
    notes.problems.append(&mut notes.unknown);
    if notes.problems.is_empty() { Ok(ops) } else { Err(notes.problems) }
}

/// A span such as `24h` or `1h 30m` in ms.
pub fn parse_span(text: &str) -> Result<i64, String> {
    let span = humantime::parse_duration(text.trim())
        .map_err(|_| "expected a span such as \"24h\" or \"90m\"".to_owned())?;
    i64::try_from(span.as_millis()).map_err(|_| "the span is too long".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{ExternalRefresh, Ops, read};
    use crate::core::report::Refreshable;
    use crate::format::config::parse;

    fn ops(text: &str) -> Result<Ops, Vec<String>> {
        read(&parse(text.as_bytes(), 0).unwrap()).map_err(|problems| {
            problems.into_iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect()
        })
    }

    #[test]
    fn every_key_is_optional() {
        assert_eq!(ops("{}").unwrap(), Ops::default());
        let all =
            ops("{check:{warnAfter:'1h 30m',refreshable:'lenient'},refresh:{external:'never'}}").unwrap();
        assert_eq!(all.warn_after_ms, Some(5_400_000));
        assert_eq!(all.refreshable, Some(Refreshable::Lenient));
        assert_eq!(all.external_refresh, ExternalRefresh::Never);
    }

    #[test]
    fn unknown_keys_and_bad_values_are_errors() {
        assert_eq!(
            ops("{check:{warnafter:'1h',refreshable:'x'},chek:{},refresh:{external:5}}").unwrap_err(),
            [
                "check.refreshable: expected one of \"strict\", \"lenient\"",
                "refresh.external: expected string, got number",
                "chek: unknown key; did you mean \"check\"?",
                "check.warnafter: unknown key; did you mean \"warnAfter\"?",
            ]
        );
        assert_eq!(
            ops("{check:{warnAfter:'soon'}}").unwrap_err(),
            ["check.warnAfter: expected a span such as \"24h\" or \"90m\""]
        );
    }
}
