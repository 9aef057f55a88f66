//! What doctor found, as text and as JSON.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::core::diagnosis::{Diagnosed, Diagnosis, FixState, Mending};
use crate::core::finding::{Code, Finding, Severity};
use crate::core::report::Verdict;
use crate::exit::ExitStatus;
use crate::render::page::{Look, MARGIN, Page, steps};
use crate::render::{name, printable};

/// The page: what is open by severity, what was mended, and the verdict in one line at the end.
pub fn text(diagnosis: &Diagnosis, look: Look) -> String {
    let mut page = Page::new(look);
    for (severity, title) in [
        (Severity::Error, "Broken now"),
        (Severity::Warning, "Will break"),
        (Severity::Advice, "Good to know"),
    ] {
        let found: Vec<_> =
            diagnosis.open().filter(|open| open.finding.code.severity() == severity).collect();
        if !found.is_empty() {
            page.heading(title);
        }
        let mut before = None;
        for open in found {
            told(&mut page, open, before != Some(open.finding.code));
            before = Some(open.finding.code);
        }
    }
    let done: Vec<_> = diagnosis.done().collect();
    if !done.is_empty() {
        page.heading("Mended");
        for (finding, Mending { does, .. }) in done {
            let text = format!("{}: {}", subject(finding), printable(does));
            page.row(MARGIN, Some(("done", Verdict::Ok)), &text);
        }
        page.details(
            &steps(&[format!("`{} doctor --undo` takes it back", diagnosis.program)]).collect::<Vec<_>>(),
        );
    }
    page.gap();
    let verdict = diagnosis.verdict();
    let word = match verdict {
        Verdict::Ok => "OK",
        Verdict::Expiring => "WARNING",
        Verdict::Failing => "FAILING",
    };
    page.row(0, Some((word, verdict)), &summary(diagnosis));
    page.into_text().trim_start_matches('\n').to_owned()
}

fn told(page: &mut Page, open: &Diagnosed, is_first_of_its_kind: bool) {
    let finding = &open.finding;
    let severity = finding.code.severity();
    let entry = finding.code.entry();
    if is_first_of_its_kind {
        let text = format!("{} [{}]", entry.title, entry.name);
        page.row(MARGIN, Some((severity.word(), severity.verdict())), &text);
        page.details(&[entry.why.to_owned()]);
    }
    let mut lines = vec![format!("{}: {}", subject(finding), printable(&finding.message))];
    lines.extend(steps(finding.remedy.as_slice()));
    match &open.fix {
        Some(Mending { does, flags, state: FixState::Possible }) => {
            lines.push(format!("{flags} {}", printable(does)));
        }
        Some(Mending { does, state: FixState::Failed(reason), .. }) => {
            lines.push(format!("failed: {}: {}", printable(does), printable(reason)));
        }
        Some(Mending { state: FixState::Done, .. }) | None => {}
    }
    page.details(&lines);
}

/// A path is shown whole: it is there to be typed.
fn subject(finding: &Finding) -> String {
    let is_path = finding.subject.starts_with(['/', '~']);
    if is_path { printable(&finding.subject) } else { name(&finding.subject) }
}

fn summary(diagnosis: &Diagnosis) -> String {
    let counted = |severity, one: &str, many: &str| match diagnosis.count(severity) {
        0 => None,
        1 => Some(format!("1 {one}")),
        count => Some(format!("{count} {many}")),
    };
    let counts: Vec<_> = [
        counted(Severity::Error, "thing is broken", "things are broken"),
        counted(Severity::Warning, "will break", "will break"),
        counted(Severity::Advice, "piece of advice", "pieces of advice"),
    ]
    .into_iter()
    .flatten()
    .collect();
    if counts.is_empty() && diagnosis.is_partial {
        return "nothing of what was looked for is there; other things were not looked for".to_owned();
    }
    if counts.is_empty() {
        return "nothing is wrong with the credentials of this host".to_owned();
    }
    let is_possible = |open: &&Diagnosed| {
        matches!(&open.fix, Some(Mending { state: FixState::Possible, flags: "--fix", .. }))
    };
    let mendable = diagnosis.open().filter(is_possible).count();
    let fix = match mendable {
        0 => String::new(),
        count => format!("; `{} doctor --fix` mends {count} of it", diagnosis.program),
    };
    counts.join(", ") + &fix
}

/// The document.
pub fn json(diagnosis: &Diagnosis) -> String {
    let findings: Vec<Value> = diagnosis.findings.iter().map(finding).collect();
    let verdict = diagnosis.verdict();
    let document = json!({
        "generatedAt": diagnosis.generated_at,
        "agentId": diagnosis.agent_id,
        "verdict": verdict.word(),
        "exitCode": ExitStatus::from(verdict).code(),
        "counts": {
            "error": diagnosis.count(Severity::Error),
            "warning": diagnosis.count(Severity::Warning),
            "advice": diagnosis.count(Severity::Advice),
        },
        "findings": findings,
    });
    format!("{document:#}\n")
}

fn finding(diagnosed: &Diagnosed) -> Value {
    let finding = &diagnosed.finding;
    let entry = finding.code.entry();
    let fix = diagnosed.fix.as_ref().map(|fix| {
        let (state, reason) = match &fix.state {
            FixState::Done => ("done", None),
            FixState::Failed(reason) => ("failed", Some(reason)),
            FixState::Possible => ("possible", None),
        };
        json!({"does": fix.does, "flags": fix.flags, "state": state, "reason": reason})
    });
    json!({
        "code": entry.name,
        "severity": entry.severity.word(),
        "title": entry.title,
        "why": entry.why,
        "subject": finding.subject,
        "message": finding.message,
        "remedy": finding.remedy,
        "fix": fix,
        "shadowedBy": diagnosed.shadowed_by.map(Code::name),
    })
}

/// A line of the list of everything that can be found.
#[derive(Clone, Copy, Debug)]
pub struct Listed {
    /// What can be found.
    pub code: Code,
    /// The check that finds it.
    pub check: &'static str,
    /// Whether doctor can mend it.
    pub is_mended: bool,
    /// Whether it is looked for with `--deep` only.
    pub is_deep: bool,
}

/// Everything that can be found, sorted by code.
pub fn list(mut all: Vec<Listed>, as_json: bool) -> String {
    all.sort_by_key(|listed| listed.code);
    if as_json {
        let rows: Vec<Value> = all
            .iter()
            .map(|listed| {
                let entry = listed.code.entry();
                json!({
                    "code": entry.name,
                    "severity": entry.severity.word(),
                    "title": entry.title,
                    "why": entry.why,
                    "check": listed.check,
                    "fix": listed.is_mended,
                    "deep": listed.is_deep,
                })
            })
            .collect();
        return format!("{:#}\n", Value::from(rows));
    }
    let longest = all.iter().map(|listed| listed.code.name().len()).max().unwrap_or_default();
    let mut text = String::new();
    for Listed { code, is_mended, is_deep, .. } in all {
        let mark = match (is_mended, is_deep) {
            (true, _) => " (can be mended)",
            (_, true) => " (with --deep)",
            _ => "",
        };
        let (code, word, title) = (code.name(), code.severity().word(), code.title());
        let _ = writeln!(text, "{code:longest$}  {word:7}  {title}{mark}");
    }
    text
}
