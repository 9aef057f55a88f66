//! Pure judgement: values in, values out. No I/O, no clock, no environment.

pub mod assess;
pub mod collate;
pub mod credential;
pub mod endpoint;
pub mod failure;
pub mod finding;
pub mod json_tree;
pub mod login;
pub mod model_ref;
pub mod models;
pub mod notice;
pub mod oauth;
pub mod onboarding;
pub mod probe;
pub mod provenance;
pub mod provider;
pub mod refresh;
pub mod remedy;
pub mod report;
pub mod scan;
pub mod secret;
pub mod snapshot;
pub mod span;
pub mod store;
pub mod token;
pub mod usage;
