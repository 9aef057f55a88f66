//! The words of people's scripts.

use std::fmt::Write;

use serde_json::json;

use crate::core::auth_words::{AuthWords, Entry, Left, State};
use crate::core::report::{Report, Verdict};
use crate::core::span;
use crate::render::page::{Look, instant_words, styled, until};
use crate::render::{name, printable};

/// One word.
pub fn simple(words: &AuthWords) -> String {
    format!("{}\n", words.word())
}

/// The document: member for member what the scripts of the reference print.
pub fn json(words: &AuthWords) -> String {
    let entry =
        |entry: &Entry| json!({"status": entry.state.word(), "expires_at_ms": entry.expires.unwrap_or(0)});
    let document = json!({
        "claude_code": entry(&words.claude_code),
        "openclaw": entry(&words.openclaw),
        "needs_reauth": words.verdict() != Verdict::Ok,
    });
    serde_json::to_string_pretty(&document).unwrap_or_default() + "\n"
}

/// Two blocks, and what is known of the gateway's service.
pub fn full(words: &AuthWords, report: &Report, claude_path: &str, service: &str, look: Look) -> String {
    let mut text = format!("=== Claude Code Auth Status ===\n\nClaude Code ({}):\n", printable(claude_path));
    let (subscription, tier) = &words.claude_code.plan;
    for (label, value) in [("Subscription", subscription), ("Rate tier", tier)] {
        if let Some(value) = value {
            let _ = writeln!(text, "  {label}: {}", name(value));
        }
    }
    block(&mut text, &words.claude_code, report, look);
    let _ = writeln!(text, "\nOpenClaw Auth ({}):", printable(&report.store_path.short));
    let profile = words.openclaw.profile.as_ref().map_or_else(|| "none".to_owned(), |id| name(id));
    let _ = writeln!(text, "  Profile: {profile}");
    block(&mut text, &words.openclaw, report, look);
    let _ = writeln!(text, "\n=== Service Status ===\nOpenClaw service: {}", printable(service));
    text
}

fn block(text: &mut String, entry: &Entry, report: &Report, look: Look) {
    let verdict = entry.state.verdict();
    let word = match entry.state {
        State::Ok(_) => "OK".to_owned(),
        State::Expiring(left) => format!("EXPIRING SOON ({} remaining)", span::two_units(left)),
        State::Expired => "EXPIRED".to_owned(),
        State::Missing if entry.problem.is_some() => "NOT READABLE".to_owned(),
        State::Missing => "NOT FOUND".to_owned(),
    };
    let _ = writeln!(text, "  Status: {}", styled(&word, verdict, look));
    if let Some(problem) = &entry.problem {
        let _ = writeln!(text, "  Problem: {}", printable(problem));
    }
    if let Some(expires) = entry.expires {
        let label = if expires > report.generated_at { "Expires" } else { "Expired" };
        let _ = writeln!(text, "  {label}: {}", until(expires, report.generated_at));
    }
    match entry.state {
        State::Ok(Left::Static) => text.push_str("  It does not end by itself\n"),
        State::Ok(Left::For(left)) if entry.is_renewed => {
            let end = report.generated_at.saturating_add(left);
            if entry.expires != Some(end) {
                let _ = writeln!(text, "  A person is needed at {}", instant_words(end));
            }
        }
        _ => {}
    }
    if entry.is_renewed {
        text.push_str("  It renews itself when it is used\n");
    }
}
