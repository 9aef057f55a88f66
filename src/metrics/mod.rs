//! The state of the credentials as Prometheus metrics.
//!
//! [`catalogue`] declares them, [`collector`] computes them from reports at the moment of a scrape, so that a profile
//! that was removed is gone with the next one. [`host`] keeps what was read for as long as its files stay what they were.
//! [`server`] and [`textfile`] bring them to Prometheus; the collector knows nothing of either.

pub mod access;
pub mod catalogue;
pub mod collector;
pub(crate) mod family;
pub mod gateway;
pub mod host;
pub mod label;
mod pages;
pub(crate) mod samples;
mod self_scrape;
pub mod server;
mod sources;
pub mod textfile;
