//! The next thirty days, with every instant at which something ends.

use crate::core::credential::EpochMs;
use crate::core::report::ProfileReport;
use crate::core::span::DAY;
use crate::render::name;
use crate::render::page::until;

/// How far it looks.
const DAYS: i64 = 30;
/// So many profiles have a line; those whose end comes first.
const LINES: usize = 20;
/// The width of the drawing and of its left margin, in units of its own.
const WIDTH: i64 = 900;
const MARGIN: i64 = 10;
/// The height of a line.
const LINE: usize = 32;
/// Where the first line stands, below the dates.
const TOP: usize = 34;

/// The drawing.
pub(super) struct Timeline {
    pub(super) height: usize,
    pub(super) days: Vec<Day>,
    pub(super) lines: Vec<Line>,
    pub(super) left_out: usize,
}

/// A day with a name under the axis.
pub(super) struct Day {
    pub(super) x: i64,
    pub(super) label: String,
}

/// One profile.
pub(super) struct Line {
    pub(super) y: usize,
    pub(super) id: String,
    /// In words, for whoever cannot see it.
    pub(super) words: String,
    pub(super) marks: Vec<Mark>,
}

/// One instant of it.
pub(super) struct Mark {
    pub(super) x: i64,
    /// Whether a person is needed then; else a token ends that renews itself.
    pub(super) is_human: bool,
    pub(super) title: String,
}

impl Timeline {
    /// The time line of profiles.
    pub(super) fn of(profiles: &[&ProfileReport], now: EpochMs) -> Self {
        let mut lines: Vec<_> = profiles.iter().filter_map(|profile| line(profile, now)).collect();
        lines.sort_by_key(|(first, _)| *first);
        let left_out = lines.len().saturating_sub(LINES);
        let mut lines: Vec<_> = lines.into_iter().take(LINES).map(|(_, line)| line).collect();
        for (at, line) in lines.iter_mut().enumerate() {
            line.y = TOP + at * LINE;
        }
        let days = (0..=DAYS).step_by(5).map(|day| {
            let at = chrono::DateTime::from_timestamp_millis(now + day * DAY).unwrap_or_default();
            Day { x: x(now + day * DAY, now), label: at.format("%-d %b").to_string() }
        });
        Self { height: TOP + lines.len() * LINE, days: days.collect(), lines, left_out }
    }
}

fn line(profile: &ProfileReport, now: EpochMs) -> Option<(EpochMs, Line)> {
    let is_shown = |at: &EpochMs| (now..=now + DAYS * DAY).contains(at);
    let human = profile.human_needed_by.map(|at| at.max(now)).filter(is_shown);
    let token = profile.expires.at().filter(is_shown).filter(|at| Some(*at) != human);
    let id = name(&profile.id);
    let mark = |at: EpochMs, is_human: bool, what: &str| Mark {
        x: x(at, now),
        is_human,
        title: format!("{id}: {what} {}", until(at, now)),
    };
    let token_words = if profile.refreshable { "the token ends and is renewed" } else { "the token ends" };
    let marks: Vec<_> = token
        .map(|at| mark(at, false, token_words))
        .into_iter()
        .chain(human.map(|at| mark(at, true, "a person is needed")))
        .collect();
    let first = human.or(token)?;
    let words = marks.iter().map(|mark| mark.title.clone()).collect::<Vec<_>>().join("; ");
    Some((first, Line { y: 0, id, words, marks }))
}

fn x(at: EpochMs, now: EpochMs) -> i64 {
    MARGIN + (at - now) * (WIDTH - 2 * MARGIN) / (DAYS * DAY)
}
