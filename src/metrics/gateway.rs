//! The metrics of the gateway itself, declared once; its numbers are kept by the gateway.

use crate::metrics::catalogue::metrics;

metrics! {
    BUILD_INFO, "openclaw_gateway_build_info", Gauge, &["version"],
        "Always 1; the version of the gateway.";
    CONFIG_VALID, "openclaw_gateway_config_valid", Gauge, &[],
        "0 while the host cannot be read as it is now and the last good state serves on, else 1.";
    CONNECTIONS, "openclaw_gateway_connections", Gauge, &[],
        "Connections of clients that are open.";
    CONNECTIONS_ACCEPTED, "openclaw_gateway_connections_accepted_total", Counter, &[],
        "Connections that clients have opened.";
    CONNECTIONS_CUT, "openclaw_gateway_connections_cut_total", Counter, &[],
        "Connections without a request under way that were ended to let somebody else in.";
    CREDENTIAL_FAILURES, "openclaw_gateway_credential_failures_total", Counter, &["provider", "class"],
        "Attempts that failed, by the class of the failure; the classes are those of the providers' reference.";
    FAILOVERS, "openclaw_gateway_failovers_total", Counter, &["reason"],
        "How often another credential or model was tried after a failure, by its class.";
    FIRST_TOKEN, "openclaw_gateway_first_token_seconds", Histogram, &["provider"],
        "From a request for a stream to the first piece of its answer.";
    IN_FLIGHT, "openclaw_gateway_requests_in_flight", Gauge, &[],
        "Requests whose answer is not finished.";
    LOG_DROPPED, "openclaw_gateway_log_lines_dropped_total", Counter, &[],
        "Lines of the log that were left out because nobody took them in time.";
    METERED, "openclaw_gateway_metered_total", Counter, &["decision"],
        "Requests that a subscription could not serve and a paid key could: decision allowed, told or denied.";
    READY, "openclaw_gateway_ready", Gauge, &[],
        "1 when some credential could serve a configured model, else 0.";
    REFRESHES, "openclaw_gateway_refreshes_total", Counter, &["outcome"],
        "Logins that were due when they were wanted: renewed, or failed.";
    RELOADS, "openclaw_gateway_reloads_total", Counter, &["outcome"],
        "How often the host was read again: applied, or refused because it cannot be read as it is.";
    REQUEST_DURATION, "openclaw_gateway_request_duration_seconds", Histogram, &["surface"],
        "From the head of a request to the last byte of its answer.";
    REQUESTS, "openclaw_gateway_requests_total", Counter, &["surface", "provider", "outcome"],
        "Requests that have ended: answered; broken, when the provider broke off within its answer; cancelled, when the client \
         went away; denied at the door; failed, when nothing could serve it; invalid, when the request itself is wrong.";
    SESSIONS, "openclaw_gateway_sessions", Gauge, &[],
        "Sessions that are remembered, of all agents in use.";
    STORE_FAILURES, "openclaw_gateway_store_write_failures_total", Counter, &[],
        "How often what is known of the profiles could not be saved; it is tried again each second.";
    TOKENS, "openclaw_gateway_tokens_total", Counter, &["provider", "direction"],
        "Tokens as providers have told them in their answers: direction in or out.";
    UPSTREAM_DURATION, "openclaw_gateway_upstream_duration_seconds", Histogram, &["provider"],
        "From asking a provider to the first piece of its answer, or to its failure.";
}
