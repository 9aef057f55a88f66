//! A dead man's switch: a service that calls people when it has heard nothing for too long (healthchecks.io's manner).

use crate::format::ops_monitor::Address;
use crate::notify::{Surroundings, http};
use crate::sys::http_client::Request;

/// What it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ping {
    /// The check itself failed.
    Fail,
    /// A check begins.
    Start,
    /// A check has ended, whatever its verdict: the alarm lives.
    Success,
}

/// One switch.
pub struct DeadMan {
    /// The name of its channel.
    pub name: String,
    /// What is called.
    pub url: Address,
    /// The process around it.
    pub around: Surroundings,
}

impl DeadMan {
    /// Calls it.
    pub fn ping(&self, ping: Ping) -> Result<(), String> {
        let url = self.around.address(&self.url)?;
        let url = match ping {
            Ping::Fail => http::below(&url, "/fail"),
            Ping::Start => http::below(&url, "/start"),
            Ping::Success => url,
        };
        http::exchange(&Request::get(url)).map(drop)
    }
}
