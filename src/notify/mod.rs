//! Channels that bring a notice to people, each in its own file.
//!
//! A channel sends one notice, once, and says whether it arrived. Remembering, waiting and trying again are the monitor's.

mod alertmanager;
mod command;
mod dead_man;
#[cfg(all(feature = "desktop", not(target_os = "android")))]
mod desktop;
mod document;
mod email;
mod http;
mod ntfy;
mod termux;
mod webhook;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::core::alerting::message::Message;
use crate::core::secret::Secret;
use crate::format::ops_monitor::{Address, ChannelKind};
use crate::sys::files::{self, ReadFailure};

pub use dead_man::{DeadMan, Ping};
pub use document::document;

/// How long a channel gets for one notice.
pub const TIME_LIMIT: Duration = Duration::from_secs(20);

/// A way to people.
pub trait Notifier: Send + Sync {
    /// Sends a notice. `earlier` is the receipt of the last notice of the same incident, which this one replaces where
    /// the channel can do that; the answer is the receipt of this one. An error names no secret.
    fn send(&self, message: &Message, earlier: Option<&str>) -> Result<Option<String>, String>;
}

/// What channels need of the process around them.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The environment for programs that are started.
    pub variables: BTreeMap<OsString, OsString>,
    /// Where a relative file of the settings lies, the first that exists counts.
    pub folders: Vec<PathBuf>,
    /// The home folder.
    pub home: Option<PathBuf>,
}

/// Makes a channel; `None` for a dead man's switch, which takes no notices.
pub fn channel(kind: &ChannelKind, around: &Surroundings) -> Result<Option<Box<dyn Notifier>>, String> {
    let around = || around.clone();
    Ok(Some(match kind.clone() {
        ChannelKind::Alertmanager { url, token_file } => {
            Box::new(alertmanager::Alertmanager { url, token_file, around: around() })
        }
        ChannelKind::Command { argv } => Box::new(command::Program { argv, around: around() }),
        ChannelKind::DeadMan { .. } => return Ok(None),
        #[cfg(all(feature = "desktop", not(target_os = "android")))]
        ChannelKind::Desktop => Box::new(desktop::Desktop),
        #[cfg(not(all(feature = "desktop", not(target_os = "android"))))]
        ChannelKind::Desktop => return Err("this build has no desktop notices".to_owned()),
        ChannelKind::Email { to, from, sendmail } => {
            Box::new(email::Email { to, from, sendmail, around: around() })
        }
        ChannelKind::Ntfy { url, topic, token_file, open } => {
            Box::new(ntfy::Ntfy { url, topic, token_file, open, around: around() })
        }
        ChannelKind::Termux => Box::new(termux::Termux { around: around() }),
        ChannelKind::Webhook { url, format, secret_file, chat_id } => {
            Box::new(webhook::Webhook { url, format, secret_file, chat_id, around: around() })
        }
    }))
}

impl Surroundings {
    /// Where a file of the settings lies.
    fn file(&self, written: &str) -> PathBuf {
        if let (Some(rest), Some(home)) = (written.strip_prefix("~/"), &self.home) {
            return home.join(rest);
        }
        let places: Vec<_> = self.folders.iter().map(|folder| folder.join(written)).collect();
        let found = places.iter().find(|place| place.exists()).or(places.last()).cloned();
        found.unwrap_or_else(|| PathBuf::from(written))
    }

    /// A secret in a file, without the white space around it. It is read anew for each notice: secrets are rotated.
    fn secret(&self, written: &str) -> Result<Secret, String> {
        let path = self.file(written);
        let reason = match files::read(&path) {
            Ok(content) => match String::from_utf8(content.bytes) {
                Ok(text) if !text.trim().is_empty() => return Ok(Secret::new(text.trim())),
                Ok(_) => "is empty".to_owned(),
                Err(_) => "is not UTF-8".to_owned(),
            },
            Err(ReadFailure::Absent) => "does not exist".to_owned(),
            Err(ReadFailure::Failed(reason)) => reason,
        };
        Err(format!("{written}: {reason}"))
    }

    /// A bearer header from a file, when one is named.
    fn bearer(&self, file: Option<&String>) -> Result<Vec<(&'static str, Secret)>, String> {
        let token = file.map(|file| self.secret(file)).transpose()?;
        Ok(token
            .map(|token| ("authorization", Secret::new(format!("Bearer {}", token.expose()))))
            .into_iter()
            .collect())
    }

    fn address(&self, address: &Address) -> Result<Url, String> {
        match address {
            Address::Url(url) => Ok(url.clone()),
            Address::File(file) => {
                let text = self.secret(file)?;
                crate::core::endpoint::parse(text.expose()).map_err(|why| format!("{file}: {why}"))
            }
        }
    }
}
