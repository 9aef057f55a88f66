//! The catalogue of findings: what can be worth telling beside the state of a credential.
//!
//! A finding is declared once, here. Renderers take severity and title from the catalogue and never invent them.

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Good to know.
    Advice,
    /// Likely to hurt later.
    Warning,
    /// The report cannot be trusted without it.
    Error,
}

impl Severity {
    /// The word used in JSON and text.
    pub fn word(self) -> &'static str {
        match self {
            Self::Advice => "advice",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// What was found. The order is that of the table in the interface reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// The clock shows a time before this program existed.
    ClockImplausible,
    /// A key of `openclaw.json` is unknown where we know them all.
    ConfigUnknownKey,
    /// A profile lacks what makes it one, or its fields have wrong types.
    CredentialDamaged,
    /// A profile has a `type` that we do not know.
    CredentialTypeUnknown,
    /// A `.env` file sets a variable that such files may not set.
    DotenvIgnored,
    /// A line of a `.env` file is no assignment.
    DotenvMalformed,
    /// An expiry lies more than a century ahead.
    ExpiresImplausible,
    /// An expiry is neither a number nor `null`.
    ExpiresUnreadable,
    /// The state folder still has a name of an earlier release.
    LegacyStateDir,
    /// A login of a vendor's program has no usable tokens.
    LoginIncomplete,
    /// An expiry looks like seconds, not milliseconds.
    LooksLikeSeconds,
    /// `auth.profiles` gives the Claude Code login the mode `token`.
    ModeMigrated,
    /// The default model names no provider.
    ModelWithoutProvider,
    /// A profile id stands twice in one store.
    ProfileDuplicate,
    /// A login could not be renewed.
    RefreshFailed,
    /// Tokens of a refresh are not yet everywhere where they belong.
    RefreshNotSaved,
    /// A login has a refresh token that this program cannot use.
    RefreshUnsupported,
    /// The login shell gave no environment.
    ShellEnvFailed,
    /// A source of credentials could not be read.
    SourceUnreadable,
    /// Our own memory could not be read.
    StateUnreadable,
    /// What was synced could not be saved.
    SyncNotSaved,
    /// A login of a vendor's program was taken into the store.
    SyncPerformed,
}

impl Code {
    /// Every code, for documents and tests.
    pub const ALL: &'static [Self] = &[
        Self::ClockImplausible,
        Self::ConfigUnknownKey,
        Self::CredentialDamaged,
        Self::CredentialTypeUnknown,
        Self::DotenvIgnored,
        Self::DotenvMalformed,
        Self::ExpiresImplausible,
        Self::ExpiresUnreadable,
        Self::LegacyStateDir,
        Self::LoginIncomplete,
        Self::LooksLikeSeconds,
        Self::ModeMigrated,
        Self::ModelWithoutProvider,
        Self::ProfileDuplicate,
        Self::RefreshFailed,
        Self::RefreshNotSaved,
        Self::RefreshUnsupported,
        Self::ShellEnvFailed,
        Self::SourceUnreadable,
        Self::StateUnreadable,
        Self::SyncNotSaved,
        Self::SyncPerformed,
    ];

    /// Stable name, severity and title.
    pub fn entry(self) -> (&'static str, Severity, &'static str) {
        use Severity::{Advice, Error, Warning};
        match self {
            Self::ClockImplausible => ("clock-implausible", Error, "the clock of this host is wrong"),
            Self::ConfigUnknownKey => ("config-unknown-key", Warning, "unknown key in the config"),
            Self::CredentialDamaged => ("credential-damaged", Warning, "a profile is damaged"),
            Self::CredentialTypeUnknown => {
                ("credential-type-unknown", Advice, "a profile has an unknown type")
            }
            Self::DotenvIgnored => ("dotenv-ignored", Warning, "a variable of a .env file was ignored"),
            Self::DotenvMalformed => ("dotenv-malformed", Warning, "a line of a .env file is no assignment"),
            Self::ExpiresImplausible => ("expires-implausible", Warning, "an expiry lies centuries ahead"),
            Self::ExpiresUnreadable => ("expires-unreadable", Warning, "an expiry is no number"),
            Self::LegacyStateDir => ("legacy-state-dir", Advice, "the state folder has an earlier name"),
            Self::LoginIncomplete => ("login-incomplete", Warning, "a vendor login has no usable tokens"),
            Self::LooksLikeSeconds => ("looks-like-seconds", Warning, "an expiry looks like seconds"),
            Self::ModeMigrated => ("mode-migrated", Advice, "the Claude Code profile has an outdated mode"),
            Self::ModelWithoutProvider => {
                ("model-without-provider", Warning, "the default model names no provider")
            }
            Self::ProfileDuplicate => ("profile-duplicate", Warning, "a profile id stands twice"),
            Self::RefreshFailed => ("refresh-failed", Warning, "a login could not be renewed"),
            Self::RefreshNotSaved => {
                ("refresh-not-saved", Warning, "tokens of a refresh are not yet where they belong")
            }
            Self::RefreshUnsupported => {
                ("refresh-unsupported", Advice, "a login cannot be renewed by this program")
            }
            Self::ShellEnvFailed => ("shell-env-failed", Warning, "the login shell gave no environment"),
            Self::SourceUnreadable => ("source-unreadable", Error, "a source of credentials is unreadable"),
            Self::StateUnreadable => {
                ("state-unreadable", Warning, "the memory of past refreshes is unreadable")
            }
            Self::SyncNotSaved => ("sync-not-saved", Warning, "a synced login could not be saved"),
            Self::SyncPerformed => ("sync-performed", Advice, "a vendor login was synced"),
        }
    }

    /// The stable kebab-case name.
    pub fn name(self) -> &'static str {
        self.entry().0
    }

    /// How bad it is.
    pub fn severity(self) -> Severity {
        self.entry().1
    }

    /// What it is, in a few words.
    pub fn title(self) -> &'static str {
        self.entry().2
    }
}

/// One occurrence of a catalogue entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which entry.
    pub code: Code,
    /// The profile, file, variable or key it is about.
    pub subject: String,
    /// What was seen, without any secret.
    pub message: String,
    /// What to type or do, when there is something.
    pub remedy: Option<String>,
}

impl Finding {
    /// A finding without a remedy.
    pub fn new(code: Code, subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code, subject: subject.into(), message: message.into(), remedy: None }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::Code;

    #[test]
    fn codes_are_unique_sorted_kebab_case_words() {
        let names: Vec<_> = Code::ALL.iter().map(|code| code.name()).collect();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(names, sorted);
        for name in names {
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{name}");
        }
    }
}
