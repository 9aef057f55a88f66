//! Where a credential comes from: every place that has one, which of them counts, and why.

use crate::core::credential::EpochMs;

/// What a place in the order of precedence does to those below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precedence {
    /// The first that has the name decides among its like, even with an empty value.
    Shadowing,
    /// Counts when nothing above it gives a value that is not blank.
    Filling,
}

/// The one of several places, highest first, whose value counts: the first that shadows, unless it is blank, else the
/// first that fills and is not blank.
pub fn winner(places: impl IntoIterator<Item = (Precedence, bool)>) -> Option<usize> {
    let mut is_shadowed = false;
    for (place, (precedence, is_blank)) in places.into_iter().enumerate() {
        let is_out = precedence == Precedence::Shadowing && is_shadowed;
        is_shadowed |= precedence == Precedence::Shadowing;
        if !is_out && !is_blank {
            return Some(place);
        }
    }
    None
}

/// One place that has a credential, or could.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The kind of place, a stable word: `process`, `dotenv`, `config-env`, `unit`, `profile`, …
    pub layer: &'static str,
    /// The place for people: a file with its line, a variable, a profile.
    pub place: String,
    /// The salted fingerprint of the value; `None` when there is none.
    pub fingerprint: Option<String>,
    /// When the place was last written, ms since the epoch.
    pub modified: Option<EpochMs>,
    /// Why it counts, or why it does not.
    pub why: String,
}

/// Every place of one name, highest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provenance {
    /// The variable, the provider or the profile.
    pub name: String,
    /// The places.
    pub origins: Vec<Origin>,
    /// The one that counts.
    pub winner: Option<usize>,
}

impl Provenance {
    /// The place that counts.
    pub fn winning(&self) -> Option<&Origin> {
        self.winner.and_then(|winner| self.origins.get(winner))
    }

    /// The fingerprint of the value that counts.
    pub fn value(&self) -> Option<&str> {
        self.winning().and_then(|origin| origin.fingerprint.as_deref())
    }
}

/// What somebody sees: this shell, the service, a running process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Eyes {
    /// A stable word: `shell`, `service` or `process`.
    pub who: &'static str,
    /// For people: the unit, the process id.
    pub label: String,
    /// What it sees of each name, in the order of the question.
    pub seen: Vec<Provenance>,
}

/// A name that two see differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The name.
    pub name: String,
    /// Who differs from this shell, see [`Eyes::who`].
    pub who: &'static str,
    /// What it means, for people.
    pub message: String,
    /// What to type.
    pub remedy: String,
}

/// The answer of `openclaw where`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whereabouts {
    /// When it was made, ms since the epoch.
    pub generated_at: EpochMs,
    /// Who sees what, this shell first.
    pub eyes: Vec<Eyes>,
    /// What differs from this shell.
    pub differences: Vec<Difference>,
    /// What could not be looked at, for people.
    pub notes: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::Precedence::{Filling, Shadowing};
    use super::winner;

    #[test]
    fn what_shadows_decides_even_when_it_is_blank() {
        for (places, expected) in [
            (&[][..], None),
            (&[(Shadowing, false), (Filling, false)], Some(0)),
            (&[(Shadowing, true), (Shadowing, false), (Filling, false)], Some(2)),
            (&[(Shadowing, true), (Shadowing, false)], None),
            (&[(Filling, true), (Filling, false)], Some(1)),
            (&[(Shadowing, true), (Filling, true)], None),
        ] {
            assert_eq!(winner(places.iter().copied()), expected, "{places:?}");
        }
    }
}
