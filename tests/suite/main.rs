//! The one test binary: commands run in process on a throw-away home with a clock that stands still; a few tests spawn
//! the real program where a process, a terminal or a kernel is the point.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::needless_pass_by_value, reason = "`json!(..)` as an argument reads best without a borrow")]

mod support;

mod auth_order;
mod auth_profiles;
mod auth_setup_token;
mod auth_words;
mod bad_input;
mod canary;
mod canary_out;
mod dashboard;
mod dialects;
mod doctor;
mod doctor_care;
mod doctor_checks;
mod doctor_lab;
mod doctor_watch;
mod documents;
mod environment;
mod exporter;
mod exporter_faults;
mod gateway;
mod gateway_apis;
mod gateway_commands;
mod gateway_faults;
mod gateway_matrix;
mod gateway_operation;
mod gateway_security;
mod gateway_sessions;
mod harmless;
mod house;
mod install;
mod logins;
mod machine;
mod model_settings;
mod monitor;
mod monitor_decisions;
mod monitoring;
mod notify;
mod onboard;
mod packaging;
mod phone;
mod probes;
mod properties;
mod refresh;
mod refresh_safety;
mod scan;
mod schedule;
mod service;
mod service_lab;
mod shell_scripts;
mod states;
mod status_json;
mod status_text;
mod sync_in;
mod talk;
mod usage;
mod vectors;
mod whereabouts;
mod writers;
