//! `openclaw` keeps the model credentials of an AI agent host alive.
//!
//! Dependencies point one way: `main -> cli -> workspace -> {format, sys} -> core`, and `render -> core`;
//! `sync` and `refresh` are the services that change credentials. `docs/architecture.md` has the map, a test keeps it true.

pub mod cli;
pub mod clock;
pub mod core;
pub mod doctor;
pub mod exit;
pub mod format;
pub mod gateway;
pub mod login;
pub mod metrics;
pub mod monitor;
pub mod notify;
pub mod probe;
pub mod process;
pub mod refresh;
pub mod render;
pub mod scan;
pub mod schedule;
pub mod service;
pub mod settings;
pub mod sync;
pub mod sys;
pub mod usage;
pub mod whereabouts;
pub mod workspace;
