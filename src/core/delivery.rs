//! What became of the notifications that were to be sent.

use crate::core::credential::EpochMs;

/// The deliveries of one channel since it was first used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deliveries {
    /// The channel as the settings name it.
    pub channel: String,
    /// Notices that arrived.
    pub delivered: u64,
    /// Tries that failed; each is tried again.
    pub failed: u64,
    /// When the last notice arrived, ms since the epoch.
    pub last_delivered: Option<EpochMs>,
}
