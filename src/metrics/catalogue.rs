//! Every metric, declared once: the collector, the documents and the tests take name, type, labels and help from here.

/// What kind of number it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows while the process lives.
    Counter,
    /// It goes up and down.
    Gauge,
    /// How many of something stayed below each of some bounds.
    Histogram,
}

impl Kind {
    /// The word of the exposition format.
    pub fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// One metric.
#[derive(Debug)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Its labels, in order.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

/// The labels of one profile of one agent.
const PROFILE: &[&str] = &["agent", "provider", "profile", "type"];
const PROVIDER: &[&str] = &["agent", "provider"];
const SOURCE: &[&str] = &["agent", "source"];

macro_rules! metrics {
    ($($constant:ident, $name:literal, $kind:ident, $labels:expr, $help:literal;)*) => {
        $(#[doc = $help] pub const $constant: $crate::metrics::catalogue::Metric = $crate::metrics::catalogue::Metric {
            name: $name,
            kind: $crate::metrics::catalogue::Kind::$kind,
            labels: $labels,
            help: $help,
        };)*
        /// Every metric of this table.
        pub const METRICS: &[&$crate::metrics::catalogue::Metric] = &[$(&$constant),*];
    };
}
pub(crate) use metrics;

metrics! {
    CHECK_DURATION, "openclaw_check_duration_seconds", Gauge, &["agent"],
        "How long the last check took, reading included.";
    CHECK_ERRORS, "openclaw_check_errors_total", Counter, &["agent"],
        "Checks that gave no report at all.";
    CHECK_FINDINGS, "openclaw_check_findings", Gauge, &["agent", "severity"],
        "Findings of the last check by severity.";
    CHECK_HUMAN_NEEDED, "openclaw_check_human_needed_timestamp_seconds", Gauge, &["agent"],
        "The earliest instant at which a person is needed; absent when never as far as is known.";
    CHECK_LAST_SUCCESS, "openclaw_check_last_success_timestamp_seconds", Gauge, &["agent"],
        "When a report could last be made.";
    CHECK_STATUS, "openclaw_check_status", Gauge, &["agent", "policy"],
        "The verdict as the exit code of `models status --check`: 0 ok, 1 expired, missing or unreadable, 2 expiring. \
         Policy strict judges logins by their access token, lenient by when a person is needed.";
    CREDENTIAL_ERRORS, "openclaw_credential_errors", Gauge, PROFILE,
        "Errors in a row since the credential was last used with success.";
    CREDENTIAL_EXPIRES, "openclaw_credential_expires_timestamp_seconds", Gauge, PROFILE,
        "When the stored access token or key ends; absent when it does not say.";
    CREDENTIAL_HUMAN_NEEDED, "openclaw_credential_human_needed_timestamp_seconds", Gauge, PROFILE,
        "When a person is needed for it; in the past when one is needed now, absent when never as far as is known.";
    CREDENTIAL_INFO, "openclaw_credential_info", Gauge, &["agent", "provider", "profile", "type", "email", "store"],
        "Always 1; who the credential belongs to and where it lies. Only with --labels full.";
    CREDENTIAL_LAST_USED, "openclaw_credential_last_used_timestamp_seconds", Gauge, PROFILE,
        "When it was last used with success; absent when never.";
    CREDENTIAL_LOGIN_DEADLINE, "openclaw_credential_login_deadline_timestamp_seconds", Gauge, PROFILE,
        "When the login behind the token ends, which no refresh puts off.";
    CREDENTIAL_REFRESH_FAILURE, "openclaw_credential_refresh_failure_timestamp_seconds", Gauge,
        &["agent", "provider", "profile", "type", "class"],
        "When a refresh last failed, with the class of the failure; absent when the last one succeeded.";
    CREDENTIAL_REFRESH_FAILURES, "openclaw_credential_refresh_failures", Gauge, PROFILE,
        "Refreshes that failed in a row.";
    CREDENTIAL_REFRESH_SUCCESS, "openclaw_credential_refresh_success_timestamp_seconds", Gauge, PROFILE,
        "When this program last renewed it; absent when never.";
    CREDENTIAL_REFRESHABLE, "openclaw_credential_refreshable", Gauge, PROFILE,
        "1 when it renews itself without a person, else 0.";
    CREDENTIAL_STATUS, "openclaw_credential_status", Gauge, &["agent", "provider", "profile", "type", "status"],
        "1 for the status that it has, 0 for the others: expired, expiring, missing, ok, static.";
    CREDENTIAL_UNUSABLE, "openclaw_credential_unusable_until_timestamp_seconds", Gauge,
        &["agent", "provider", "profile", "type", "reason"],
        "Until when it must rest: after failures (reason cooldown), or because it is disabled; absent when it need not.";
    DROPPED, "openclaw_exporter_dropped_profiles_total", Counter, &[],
        "Profiles that were left out of a scrape because there are more than the exporter shows.";
    BUILD_INFO, "openclaw_exporter_build_info", Gauge, &["version"],
        "Always 1; the version of the exporter.";
    CONNECTIONS_CUT, "openclaw_exporter_connections_cut_total", Counter, &[],
        "Connections that were ended because they were too old, too many or too greedy.";
    SCRAPES, "openclaw_exporter_scrapes_total", Counter, &[],
        "Scrapes that were answered, those of the exporter itself included.";
    SELF_SCRAPE_FAILURES, "openclaw_exporter_self_scrape_failures_total", Counter, &[],
        "Scrapes of itself that failed.";
    SERVER_REBUILDS, "openclaw_exporter_server_rebuilds_total", Counter, &[],
        "How often the server had to be built anew because it no longer accepted connections.";
    SOURCE_READS, "openclaw_exporter_source_reads_total", Counter, &[],
        "How often the sources were read because one of them had changed.";
    DELIVERIES, "openclaw_notification_deliveries_total", Counter, &["channel", "result"],
        "Notifications by channel and result: delivered or failed.";
    DELIVERED, "openclaw_notification_last_delivered_timestamp_seconds", Gauge, &["channel"],
        "When a notification last arrived on a channel.";
    PROVIDER_EXPIRES, "openclaw_provider_expires_timestamp_seconds", Gauge, PROVIDER,
        "The earliest expiry among the profiles of a provider.";
    PROVIDER_MISSING, "openclaw_provider_missing", Gauge, PROVIDER,
        "1 for a provider that a configured model needs and that has no credential at all, 0 for one that has.";
    PROVIDER_PROFILES, "openclaw_provider_profiles", Gauge, PROVIDER,
        "Profiles of a provider.";
    PROVIDER_STATUS, "openclaw_provider_status", Gauge, &["agent", "provider", "status"],
        "1 for the status that a provider has, the worst of its profiles, 0 for the others.";
    PROVIDER_USABLE, "openclaw_provider_usable_profiles", Gauge, PROVIDER,
        "Profiles of a provider that could be used now: neither missing nor in need of a person nor resting.";
    SOURCE_INFO, "openclaw_source_info", Gauge, &["agent", "source", "path"],
        "Always 1; where a source lies. Only with --labels full.";
    SOURCE_LAST_READ, "openclaw_source_last_read_timestamp_seconds", Gauge, SOURCE,
        "When a source was last read with success.";
    SOURCE_PRESENT, "openclaw_source_present", Gauge, SOURCE,
        "1 when the source is there, else 0.";
    SOURCE_READ_ERRORS, "openclaw_source_read_errors_total", Counter, &["agent", "source", "reason"],
        "Reads of a source that failed, by reason: `invalid`, `io`, `not_a_file`, `permission`, `timeout`, `too_large`.";
    SOURCE_READABLE, "openclaw_source_readable", Gauge, SOURCE,
        "0 when a source is there and cannot be read, else 1.";
    USAGE_FETCHED, "openclaw_usage_fetched_timestamp_seconds", Gauge, PROFILE,
        "When the usage figures of a login came from its provider; their age is the time since then.";
    USAGE_RESET, "openclaw_usage_reset_timestamp_seconds", Gauge,
        &["agent", "provider", "profile", "type", "window"],
        "When a usage window begins anew.";
    USAGE_STALE, "openclaw_usage_stale", Gauge, PROFILE,
        "1 when the usage figures may be wrong by now, else 0.";
    USAGE_USED, "openclaw_usage_used_ratio", Gauge, &["agent", "provider", "profile", "type", "window"],
        "How much of a usage window is used, 0 to 1.";
    PROCESS_CPU, "process_cpu_seconds_total", Counter, &[],
        "User and system time of the process.";
    PROCESS_HANDLES, "process_open_fds", Gauge, &[],
        "Open files and sockets of the process.";
    PROCESS_RESIDENT, "process_resident_memory_bytes", Gauge, &[],
        "Resident memory of the process.";
    PROCESS_STARTED, "process_start_time_seconds", Gauge, &[],
        "When the process was started.";
    PROCESS_THREADS, "process_threads", Gauge, &[],
        "Threads of the process.";
}
