//! The answer of `openclaw where` as text and as JSON.

use serde_json::{Value, json};

use crate::core::provenance::{Difference, Eyes, Origin, Provenance, Whereabouts};
use crate::core::report::Verdict;
use crate::core::span;
use crate::render::page::{Look, MARGIN, Page, steps};
use crate::render::{name, printable};

/// The page.
pub fn text(answer: &Whereabouts, look: Look) -> String {
    let mut page = Page::new(look);
    let (word, verdict) = match answer.differences.len() {
        0 => ("OK", Verdict::Ok),
        _ => ("DIFFERS", Verdict::Failing),
    };
    page.row(0, Some((word, verdict)), &headline(answer));
    for (at, shell) in
        answer.eyes.first().map(|eyes| eyes.seen.as_slice()).unwrap_or_default().iter().enumerate()
    {
        page.heading(&name(&shell.name));
        for eyes in &answer.eyes {
            seen(&mut page, eyes, &eyes.seen[at], answer.generated_at);
        }
        let told = answer.differences.iter().filter(|difference| difference.name == shell.name);
        for Difference { message, remedy, .. } in told {
            page.row(MARGIN, Some(("differs", Verdict::Failing)), &printable(message));
            page.details(&steps(std::slice::from_ref(remedy)).collect::<Vec<_>>());
        }
    }
    if !answer.notes.is_empty() {
        page.heading("Noticed");
        for note in &answer.notes {
            page.row(MARGIN, None, &printable(note));
        }
    }
    page.into_text()
}

fn headline(answer: &Whereabouts) -> String {
    if answer.eyes.first().is_none_or(|eyes| eyes.seen.is_empty()) {
        return "nobody has a credential here; `openclaw onboard` sets one up".to_owned();
    }
    let others: Vec<_> = answer.eyes.iter().skip(1).map(|eyes| name(&eyes.label)).collect();
    match (others.is_empty(), answer.differences.is_empty()) {
        (true, _) => "no gateway service was found to compare with".to_owned(),
        (false, true) => format!("the same in this shell and in {}", others.join(" and ")),
        (false, false) => format!("this shell and {} do not use the same", others.join(" or ")),
    }
}

fn seen(page: &mut Page, eyes: &Eyes, seen: &Provenance, now: i64) {
    if seen.origins.is_empty() {
        page.row(MARGIN, Some((eyes.who, Verdict::Expiring)), "has nothing");
        return;
    }
    for (place, origin) in seen.origins.iter().enumerate() {
        let is_winner = seen.winner == Some(place);
        let verdict = if is_winner { Verdict::Ok } else { Verdict::Expiring };
        let word = if place == 0 { eyes.who } else { "" };
        page.row(MARGIN, Some((word, verdict)), &line(place, origin, is_winner, now));
    }
}

fn line(place: usize, origin: &Origin, is_winner: bool, now: i64) -> String {
    let mark = if is_winner { "->" } else { "  " };
    let print = origin
        .fingerprint
        .as_deref()
        .map_or("-".repeat(FINGERPRINT), |print| print.chars().take(FINGERPRINT).collect());
    let age = origin
        .modified
        .map_or_else(String::new, |at| format!(", written {} ago", span::two_units(now.saturating_sub(at))));
    format!("{mark} {}  {print}  {}: {}{age}", place + 1, printable(&origin.place), printable(&origin.why))
}

/// Digits of a fingerprint that are shown to people; JSON has them all.
const FINGERPRINT: usize = 8;

/// The document.
pub fn json(answer: &Whereabouts) -> String {
    let eyes: Vec<Value> = answer
        .eyes
        .iter()
        .map(|eyes| {
            let seen: Vec<Value> =
                eyes.seen.iter().map(|seen| provenance(seen, answer.generated_at)).collect();
            json!({"who": eyes.who, "label": eyes.label, "names": seen})
        })
        .collect();
    let differences: Vec<Value> = answer
        .differences
        .iter()
        .map(|difference| {
            json!({
                "name": difference.name,
                "who": difference.who,
                "message": difference.message,
                "remedy": difference.remedy,
            })
        })
        .collect();
    let document = json!({
        "generatedAt": answer.generated_at,
        "differs": !answer.differences.is_empty(),
        "exitCode": i32::from(!answer.differences.is_empty()),
        "seenBy": eyes,
        "differences": differences,
        "notes": answer.notes,
    });
    format!("{document:#}\n")
}

fn provenance(seen: &Provenance, now: i64) -> Value {
    let sources: Vec<Value> = seen
        .origins
        .iter()
        .enumerate()
        .map(|(place, origin)| {
            json!({
                "layer": origin.layer,
                "place": origin.place,
                "fingerprint": origin.fingerprint,
                "ageMs": origin.modified.map(|at| now.saturating_sub(at)),
                "wins": seen.winner == Some(place),
                "why": origin.why,
            })
        })
        .collect();
    json!({"name": seen.name, "winner": seen.winner, "sources": sources})
}
