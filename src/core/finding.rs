//! The catalogue of findings: what can be worth telling beside the state of a credential.
//!
//! A finding is declared once, here. Renderers take severity, title and reason from the catalogue and never invent
//! them.

use crate::core::report::Verdict;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Good to know.
    Advice,
    /// Will hurt later.
    Warning,
    /// Is broken now, or the report cannot be trusted without it.
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

    /// What a finding of this severity does to the verdict of `openclaw doctor`.
    pub fn verdict(self) -> Verdict {
        match self {
            Self::Advice => Verdict::Ok,
            Self::Warning => Verdict::Expiring,
            Self::Error => Verdict::Failing,
        }
    }
}

/// What the catalogue says of a code.
#[derive(Debug)]
pub struct Entry {
    /// The stable kebab-case name.
    pub name: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What it is, in a few words.
    pub title: &'static str,
    /// Why it matters.
    pub why: &'static str,
    /// The causes of which it is a mere consequence: when one of them is found too, this one is not told.
    pub shadowed_by: &'static [Code],
}

macro_rules! catalogue {
    ($($code:ident, $name:literal, $severity:ident, $title:literal, $why:literal, [$($cause:ident),*];)*) => {
        /// What was found. Declared in the order of the names.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $title] $code,)*
        }

        impl Code {
            /// Every code, for documents and tests.
            pub const ALL: &'static [Self] = &[$(Self::$code),*];

            /// What the catalogue says.
            pub fn entry(self) -> &'static Entry {
                match self {
                    $(Self::$code => &Entry {
                        name: $name,
                        severity: Severity::$severity,
                        title: $title,
                        why: $why,
                        shadowed_by: &[$(Self::$cause),*],
                    },)*
                }
            }
        }
    };
}

catalogue! {
    AgentDirLegacy, "agent-dir-legacy", Warning, "an agent folder lies where earlier releases had it",
        "Nothing reads it there: credentials in it are not found.", [];
    ChannelFailing, "channel-failing", Warning, "a channel of the monitor does not deliver",
        "What is told does not arrive there; it waits and is tried again.", [];
    ChannelMissing, "channel-missing", Warning, "the monitor has no way to people",
        "What it sees stands in the journal, where nobody looks.", [];
    CheckTimeout, "check-timeout", Warning, "a check did not end in time",
        "A mount or a name server hangs; what the check would have found is not known.", [];
    ClockImplausible, "clock-implausible", Error, "the clock of this host is wrong",
        "Every expiry is judged by it.", [];
    ClockSkewed, "clock-skewed", Warning, "the clock of this host differs from that of a provider",
        "Tokens are judged too early or too late, and logins may be refused.", [];
    ConfigInvalid, "config-invalid", Error, "the config is invalid",
        "Nothing that needs the config works, the gateway neither.", [];
    ConfigLegacyKey, "config-legacy-key", Warning, "a key of the config has moved",
        "Under its earlier name it has no effect, and earlier programs refuse the whole config for it.", [];
    ConfigUnknownKey, "config-unknown-key", Warning, "unknown key in the config",
        "What is misspelt has no effect.", [];
    CredentialBackup, "credential-backup", Advice, "a backup holds a live secret",
        "It is private, and lives on when the secret is rotated.", [];
    CredentialCooldown, "credential-cooldown", Advice, "a profile rests after failures",
        "It is left alone until then; the other profiles of the provider carry the load.", [];
    CredentialCopy, "credential-copy", Warning, "a live secret has a copy in another file",
        "A copy is forgotten when the secret is guarded or rotated, and is read by whoever finds it.", [];
    CredentialDamaged, "credential-damaged", Warning, "a profile is damaged",
        "It is kept as it is and cannot be used.", [];
    CredentialDisabled, "credential-disabled", Warning, "a profile is disabled",
        "It is not used until then; a person has to mend its account.", [];
    CredentialExpired, "credential-expired", Error, "a credential has ended",
        "Requests with it fail.", [ClockImplausible];
    CredentialExpiring, "credential-expiring", Warning, "a credential is about to end",
        "Requests with it will fail.", [ClockImplausible];
    CredentialTypeUnknown, "credential-type-unknown", Advice, "a profile has an unknown type",
        "A newer program may understand it; this one leaves it alone.", [];
    CredentialUnusable, "credential-unusable", Error, "a profile holds nothing that could be used",
        "Requests with it fail.", [];
    DesktopUnreachable, "desktop-unreachable", Warning, "the monitor finds no desktop to tell on",
        "Its notices wait until there is a session bus.", [];
    DiskFull, "disk-full", Error, "the disk is full",
        "No renewed login can be saved, and a login that cannot be saved is lost.", [];
    DiskLow, "disk-low", Warning, "the disk is almost full",
        "When it is full, no renewed login can be saved.", [];
    DotenvIgnored, "dotenv-ignored", Warning, "a variable of a .env file was ignored",
        "It has no effect where it stands.", [];
    DotenvMalformed, "dotenv-malformed", Warning, "a line of a .env file is no assignment",
        "It has no effect.", [];
    EnvLayersDisagree, "env-layers-disagree", Warning, "a variable has different values in two places",
        "The lower one has no effect; programs that are started elsewhere use it.", [];
    ExpiresImplausible, "expires-implausible", Warning, "an expiry lies centuries ahead",
        "It will not warn of anything.", [];
    ExpiresUnreadable, "expires-unreadable", Warning, "an expiry is no number",
        "It cannot warn of anything.", [];
    ExporterStopped, "exporter-stopped", Warning, "the exporter does not run",
        "Prometheus hears nothing of this host.", [UnitProgramGone];
    GatewayApiUnsupported, "gateway-api-unsupported", Advice, "the gateway cannot ask a model that is in use",
        "Its provider speaks an API that the gateway does not: such a request is answered with 501.", [];
    GatewayBindOpen, "gateway-bind-open", Error, "the gateway listens beyond this host without a token",
        "Whoever reaches the port uses your credentials; the gateway refuses to start like that.", [];
    GatewayModeUnset, "gateway-mode-unset", Advice, "the gateway is not set up",
        "It does not start before `gateway.mode` is set.", [ConfigInvalid];
    GatewayTokenMissing, "gateway-token-missing", Advice, "the gateway has no token",
        "Every program on this host may use it.", [ConfigInvalid, GatewayBindOpen];
    GatewayTokenWeak, "gateway-token-weak", Warning, "the token of the gateway is short",
        "It can be guessed.", [];
    LegacyStateDir, "legacy-state-dir", Advice, "the state folder has an earlier name",
        "It works; other programs of this name may look for the current one.", [];
    LingerOff, "linger-off", Warning, "the services of this user end with the last login",
        "The gateway stops when you log out, and does not start with the machine.", [];
    LockStale, "lock-stale", Warning, "a lock was left behind",
        "Who wants to write waits for it, and the vendor's own program may wait for ever.", [];
    LoginEndsSoon, "login-ends-soon", Warning, "a login ends in a few days",
        "No refresh extends it: a person has to log in again.", [ClockImplausible];
    LoginIncomplete, "login-incomplete", Warning, "a vendor login has no usable tokens",
        "The login was lost; only a person can make a new one.", [];
    LooksLikeSeconds, "looks-like-seconds", Warning, "an expiry looks like seconds",
        "Read as milliseconds it lies in 1970.", [];
    ModeMigrated, "mode-migrated", Advice, "the Claude Code profile has an outdated mode",
        "Earlier programs skip the login for it.", [];
    ModelWithoutProvider, "model-without-provider", Warning, "the default model names no provider",
        "It is taken for one of Anthropic.", [ConfigInvalid];
    MonitorFailing, "monitor-failing", Error, "the monitor fails",
        "Nobody watches the credentials.", [UnitProgramGone];
    MonitorOff, "monitor-off", Warning, "the monitor is installed and does not look",
        "Nobody watches the credentials.", [];
    MonitorOverdue, "monitor-overdue", Warning, "the monitor has not looked for too long",
        "What has ended since then was told nobody.", [MonitorFailing, MonitorOff, UnitProgramGone];
    MountReplaced, "mount-replaced", Error, "a mounted file was replaced where it comes from",
        "This host still sees the old file, and what it writes there is lost.", [];
    OpsInvalid, "ops-invalid", Error, "the settings of this program are invalid",
        "None of them is in force.", [];
    OwnerForeign, "owner-foreign", Warning, "a file belongs to another user",
        "It cannot be written, or not be read, as soon as modes are tightened.", [];
    PermissionsOpen, "permissions-open", Warning, "other users can read secrets",
        "Every account and every program on this host can take them.", [];
    PortTaken, "port-taken", Warning, "another program listens on the port of the gateway",
        "The gateway cannot start.", [];
    ProfileDuplicate, "profile-duplicate", Warning, "a profile id stands twice",
        "Only the last one counts.", [];
    ProfileIdOutdated, "profile-id-outdated", Warning, "the config names a profile that the store does not have",
        "The login is passed over when the gateway chooses.", [];
    ProgramShadowed, "program-shadowed", Warning, "another openclaw comes first on the PATH",
        "What you type and what timers run are not the same program.", [];
    ProviderMissing, "provider-missing", Error, "a provider in use has no credential",
        "Requests to its models fail.", [ConfigInvalid, SourceUnreadable];
    ProviderUnreachable, "provider-unreachable", Error, "a provider in use cannot be reached",
        "Requests to its models fail, and its logins cannot be renewed.", [];
    RefreshFailed, "refresh-failed", Warning, "a login could not be renewed",
        "It ends at its expiry.", [];
    RefreshNotSaved, "refresh-not-saved", Warning, "tokens of a refresh are not yet where they belong",
        "Until then the old ones are spent.", [];
    RefreshUnsupported, "refresh-unsupported", Advice, "a login cannot be renewed by this program",
        "It ends at its expiry unless the program that made it renews it.", [];
    SearchIncomplete, "search-incomplete", Advice, "large files were not searched for copies of secrets",
        "A copy in them is not found.", [];
    ServiceAbsent, "service-absent", Advice, "no gateway service is installed",
        "Nothing starts the gateway when the machine starts.", [];
    ServiceDisabled, "service-disabled", Warning, "the gateway service is not enabled",
        "It does not start with the machine.", [];
    ServiceEnvDiffers, "service-env-differs", Warning, "the gateway service uses another key than this shell",
        "What is judged here is not what the gateway uses.", [ServiceHomeDiffers];
    ServiceEnvFileMissing, "service-env-file-missing", Error, "a file that the gateway service needs is missing",
        "systemd does not start it.", [];
    ServiceHomeDiffers, "service-home-differs", Warning, "the gateway service has another home or state folder",
        "It reads other credentials than this shell.", [];
    ServiceManagerUnreachable, "service-manager-unreachable", Advice, "systemd cannot be asked from here",
        "Whether the service runs is not known.", [];
    ServicePathLacks, "service-path-lacks", Warning, "the gateway service does not find a program that it needs",
        "What it starts by name fails.", [];
    ServiceProcessOlder, "service-process-older", Advice, "a file was changed after the gateway was started",
        "A gateway that reads it only at its start still has what stood there before.", [ServiceProcessStale];
    ServiceProcessStale, "service-process-stale", Warning, "the running gateway has an older value",
        "It read its environment when it was started.", [];
    ServiceSecretReadable, "service-secret-readable", Warning, "the unit of the gateway holds a secret",
        "Units are readable by every user, and `systemctl show` prints them.", [];
    ServiceStopped, "service-stopped", Error, "the gateway service does not run",
        "Agents get no answer.", [ServiceEnvFileMissing];
    SharedLineage, "shared-lineage", Warning, "two stores hold the same login",
        "A refresh token works once: the first to renew logs the other out.", [];
    ShellEnvFailed, "shell-env-failed", Warning, "the login shell gave no environment",
        "Keys that only it has are not found.", [];
    SourceUnreadable, "source-unreadable", Error, "a source of credentials is unreadable",
        "What is in it cannot be judged.", [];
    StateDirUnwritable, "state-dir-unwritable", Error, "a folder of the state cannot be written",
        "A renewed login cannot be saved, and is lost.", [];
    StateDirsSeveral, "state-dirs-several", Advice, "there is more than one state folder",
        "Programs of earlier releases go on using the other one.", [];
    StateUnreadable, "state-unreadable", Warning, "the memory of past refreshes is unreadable",
        "Failures of the past are forgotten.", [];
    StoreSuperseded, "store-superseded", Warning, "a newer release keeps its credentials in a database",
        "The store that is judged here may not be the one that is used.", [];
    SyncNotSaved, "sync-not-saved", Warning, "a synced login could not be saved",
        "The store still has the old one.", [DiskFull, StateDirUnwritable];
    SyncPerformed, "sync-performed", Advice, "a vendor login was synced",
        "The store has what the vendor's program has.", [];
    TermuxBackground, "termux-background", Advice, "Android may stop what runs in Termux",
        "A phone that sleeps stops timers unless Termux holds a wake lock and is exempt from battery optimisation.", [];
    TermuxBootMissing, "termux-boot-missing", Advice, "nothing starts with the phone",
        "After a restart nothing runs until Termux is opened.", [];
    TimezoneUnknown, "timezone-unknown", Advice, "the time zone of this host is unknown",
        "Local times in messages are UTC.", [];
    UnitProgramGone, "unit-program-gone", Error, "a unit starts a program that is not there",
        "It fails each time.", [];
    VendorLoginReadOnly, "vendor-login-read-only", Warning, "a login that renews itself lies on a read-only mount",
        "A refresh here spends the token and cannot bring the new one back to where it is needed.", [];
    VendorPermissionsOpen, "vendor-permissions-open", Warning, "other users can read a vendor's login",
        "Every account and every program on this host can take it.", [];
}

impl Code {
    /// The stable kebab-case name.
    pub fn name(self) -> &'static str {
        self.entry().name
    }

    /// How bad it is.
    pub fn severity(self) -> Severity {
        self.entry().severity
    }

    /// What it is, in a few words.
    pub fn title(self) -> &'static str {
        self.entry().title
    }

    /// The code of this name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.name() == name)
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
            assert_eq!(Code::find(name).map(Code::name), Some(name));
        }
    }

    #[test]
    fn a_cause_is_at_least_as_bad_as_what_it_silences() {
        for code in Code::ALL {
            for cause in code.entry().shadowed_by {
                assert!(
                    cause.severity() >= code.severity() && cause != code,
                    "{} {}",
                    code.name(),
                    cause.name()
                );
            }
        }
    }
}
