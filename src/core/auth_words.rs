//! The state of Claude Code's login and of the auth store in the few words that people's scripts know.
//!
//! The words are those of the reference's `claude-auth-status.sh`; what it means by them is in `docs/scripts.md`.

use crate::core::credential::EpochMs;
use crate::core::login::Vendor;
use crate::core::provider;
use crate::core::report::{Policy, ProfileReport, Refreshable, Report, Status, Verdict};
use crate::core::snapshot::SourceState;
use crate::core::span::{HOUR, MINUTE};

/// The window of `EXPIRING`: under one hour.
pub const WARN_AFTER_MS: i64 = HOUR - 1;

/// Where a login at Anthropic begins. Source: `claude setup-token`, which sends people there.
pub const SIGN_IN_URL: &str = "https://claude.ai/login";

/// One state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Usable; says for how long in ms.
    Ok(Left),
    /// Ends within the window; the ms that are left.
    Expiring(i64),
    /// Has ended.
    Expired,
    /// Not there, hollow, or not readable.
    Missing,
}

/// What is left of what is usable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// So many ms.
    For(i64),
    /// It renews itself, and no end of that is known.
    Renewed,
    /// It does not end by itself.
    Static,
}

impl State {
    /// What it means for an exit code.
    pub fn verdict(self) -> Verdict {
        match self {
            Self::Ok(_) => Verdict::Ok,
            Self::Expiring(_) => Verdict::Expiring,
            Self::Expired | Self::Missing => Verdict::Failing,
        }
    }

    /// The word of the JSON document: `OK:7h12m`, `OK:static`, `EXPIRING:42m`, `EXPIRED`, `MISSING`.
    pub fn word(self) -> String {
        match self {
            Self::Ok(Left::For(ms)) => format!("OK:{}h{}m", ms / HOUR, ms % HOUR / MINUTE),
            Self::Ok(Left::Renewed) => "OK:renewed".to_owned(),
            Self::Ok(Left::Static) => "OK:static".to_owned(),
            Self::Expiring(ms) => format!("EXPIRING:{}m", ms / MINUTE),
            Self::Expired => "EXPIRED".to_owned(),
            Self::Missing => "MISSING".to_owned(),
        }
    }
}

/// One of the two places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The state.
    pub state: State,
    /// When the stored access token ends, ms since the epoch; `None` when it does not say.
    pub expires: Option<EpochMs>,
    /// The profile that counts.
    pub profile: Option<String>,
    /// Whether it renews itself.
    pub is_renewed: bool,
    /// The subscription and the rate limit tier, as far as a vendor's file tells.
    pub plan: (Option<String>, Option<String>),
    /// Why the place could not be read, with its path.
    pub problem: Option<String>,
}

/// Both places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthWords {
    /// The login of Claude Code, as its own file has it.
    pub claude_code: Entry,
    /// The profile of Anthropic in the auth store that lasts longest.
    pub openclaw: Entry,
}

impl AuthWords {
    /// Reads them from a report, and from the judgement over Claude Code's own login when there is one.
    pub fn of(report: &Report, claude: Option<&ProfileReport>) -> Self {
        let now = report.generated_at;
        let unreadable = |is_meant: &dyn Fn(&str) -> bool| {
            report.sources.iter().find_map(|source| match &source.state {
                SourceState::Unreadable(problem) if is_meant(source.role) => {
                    Some(format!("{}: {}", source.path.short, problem.message))
                }
                _ => None,
            })
        };
        Self {
            claude_code: entry(
                claude,
                &report.policy,
                now,
                unreadable(&|role| role == Vendor::ClaudeCode.role()),
            ),
            openclaw: entry(
                best(report),
                &report.policy,
                now,
                unreadable(&|role| role.starts_with("auth store")),
            ),
        }
    }

    /// The one word for scripts, Claude Code's before ours and what has ended before what will.
    pub fn word(&self) -> &'static str {
        match (self.claude_code.state.verdict(), self.openclaw.state.verdict()) {
            (Verdict::Failing, _) => "CLAUDE_EXPIRED",
            (_, Verdict::Failing) => "OPENCLAW_EXPIRED",
            (Verdict::Expiring, _) => "CLAUDE_EXPIRING",
            (_, Verdict::Expiring) => "OPENCLAW_EXPIRING",
            (Verdict::Ok, Verdict::Ok) => "OK",
        }
    }

    /// What the word means for an exit code.
    pub fn verdict(&self) -> Verdict {
        self.claude_code.state.verdict().max(self.openclaw.state.verdict())
    }
}

/// The profile of Anthropic that lasts longest; a key only where there is no login and no token that says its end.
fn best(report: &Report) -> Option<&ProfileReport> {
    let of_anthropic =
        report.profiles.iter().filter(|profile| provider::normalize(&profile.provider) == "anthropic");
    let rank = |profile: &&ProfileReport| {
        let is_whole = profile.status != Status::Missing;
        (is_whole, profile.expires.at().filter(|_| is_whole), profile.kind != "api_key")
    };
    // Of equals the first one counts.
    of_anthropic.rev().max_by_key(rank)
}

fn entry(profile: Option<&ProfileReport>, policy: &Policy, now: EpochMs, problem: Option<String>) -> Entry {
    // What could not be read may be anything; nothing beside it makes it fine.
    let counted = profile.filter(|_| problem.is_none());
    Entry {
        state: counted.map_or(State::Missing, |profile| state(profile, policy, now)),
        expires: counted.and_then(|profile| profile.expires.at()),
        profile: counted.map(|profile| profile.id.clone()),
        is_renewed: counted.is_some_and(|profile| profile.refreshable),
        plan: counted.map_or((None, None), |profile| {
            (profile.login.subscription.clone(), profile.login.rate_limit_tier.clone())
        }),
        problem,
    }
}

fn state(profile: &ProfileReport, policy: &Policy, now: EpochMs) -> State {
    let end = match policy.refreshable {
        Refreshable::Strict => profile.expires.at(),
        Refreshable::Lenient => profile.human_needed_by,
    };
    let left = end.map(|end| end.saturating_sub(now));
    match profile.verdict {
        Verdict::Failing if profile.status == Status::Missing => State::Missing,
        Verdict::Failing => State::Expired,
        Verdict::Expiring => State::Expiring(left.unwrap_or_default()),
        Verdict::Ok => State::Ok(match left {
            Some(left) => Left::For(left),
            None if profile.refreshable => Left::Renewed,
            None => Left::Static,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::{AuthWords, Entry, Left, State};
    use crate::core::report::Verdict;
    use crate::core::span::{HOUR, MINUTE};

    fn words(claude: State, ours: State) -> (&'static str, Verdict) {
        let entry = |state| Entry {
            state,
            expires: None,
            profile: None,
            is_renewed: false,
            plan: (None, None),
            problem: None,
        };
        let words = AuthWords { claude_code: entry(claude), openclaw: entry(ours) };
        (words.word(), words.verdict())
    }

    #[test]
    fn claude_code_comes_first_and_what_has_ended_before_what_will() {
        let (fine, soon, gone) = (State::Ok(Left::Static), State::Expiring(MINUTE), State::Expired);
        for (claude, ours, word, verdict) in [
            (fine, fine, "OK", Verdict::Ok),
            (soon, fine, "CLAUDE_EXPIRING", Verdict::Expiring),
            (fine, soon, "OPENCLAW_EXPIRING", Verdict::Expiring),
            (soon, soon, "CLAUDE_EXPIRING", Verdict::Expiring),
            (gone, fine, "CLAUDE_EXPIRED", Verdict::Failing),
            (fine, gone, "OPENCLAW_EXPIRED", Verdict::Failing),
            (soon, gone, "OPENCLAW_EXPIRED", Verdict::Failing),
            (gone, soon, "CLAUDE_EXPIRED", Verdict::Failing),
            (gone, gone, "CLAUDE_EXPIRED", Verdict::Failing),
            (State::Missing, fine, "CLAUDE_EXPIRED", Verdict::Failing),
            (fine, State::Missing, "OPENCLAW_EXPIRED", Verdict::Failing),
        ] {
            assert_eq!(words(claude, ours), (word, verdict), "{claude:?} {ours:?}");
        }
    }

    #[test]
    fn what_is_left_is_cut_off_and_never_rounded_up() {
        for (state, word) in [
            (State::Ok(Left::For(7 * HOUR + 13 * MINUTE - 1)), "OK:7h12m"),
            (State::Ok(Left::For(HOUR)), "OK:1h0m"),
            (State::Ok(Left::Static), "OK:static"),
            (State::Ok(Left::Renewed), "OK:renewed"),
            (State::Expiring(HOUR - 1), "EXPIRING:59m"),
            (State::Expiring(1), "EXPIRING:0m"),
            (State::Expired, "EXPIRED"),
            (State::Missing, "MISSING"),
        ] {
            assert_eq!(state.word(), word, "{state:?}");
        }
    }
}
