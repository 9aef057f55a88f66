//! Mail, through the `sendmail` program that every mail system brings.

use std::fmt::Write;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::DateTime;

use crate::core::alerting::message::Message;
use crate::notify::{Notifier, Surroundings, command};

pub(super) struct Email {
    pub(super) to: Vec<String>,
    pub(super) from: Option<String>,
    pub(super) sendmail: Vec<String>,
    pub(super) around: Surroundings,
}

impl Notifier for Email {
    fn send(&self, message: &Message, _earlier: Option<&str>) -> Result<Option<String>, String> {
        let (program, arguments) = self.sendmail.split_first().ok_or("no program is named")?;
        let mut sendmail = Command::new(program);
        // -i: a line with a single dot does not end the mail.
        sendmail.args(arguments).arg("-i");
        if let Some(from) = &self.from {
            sendmail.args(["-f", from]);
        }
        sendmail.args(&self.to).env_clear().envs(&self.around.variables);
        // Where cron and systemd start programs, sendmail is often not on the PATH.
        let path = self.around.variables.get(std::ffi::OsStr::new("PATH")).cloned().unwrap_or_default();
        sendmail.env("PATH", format!("{}:/usr/sbin:/usr/lib:/sbin", path.to_string_lossy()));
        command::run(&mut sendmail, program, self.mail(message).into_bytes())?;
        Ok(None)
    }
}

impl Email {
    fn mail(&self, message: &Message) -> String {
        let mut mail = String::new();
        if let Some(from) = &self.from {
            let _ = writeln!(mail, "From: {from}");
        }
        let _ = writeln!(mail, "To: {}", self.to.join(", "));
        let _ = writeln!(mail, "Subject: {}", encoded(&format!("{}: {}", message.host, message.title)));
        let date = DateTime::from_timestamp_millis(message.at).unwrap_or(DateTime::UNIX_EPOCH);
        let _ = writeln!(mail, "Date: {}", date.to_rfc2822());
        // Notices of one incident become one thread.
        let thread = STANDARD
            .encode(format!("{}/{}", message.agent, message.incident.id))
            .replace(['=', '+', '/'], "");
        let _ = writeln!(mail, "References: <{thread}@openclaw.invalid>");
        mail.push_str("Auto-Submitted: auto-generated\nMIME-Version: 1.0\n");
        mail.push_str("Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n");
        let body = STANDARD.encode(format!("{}\n\n{}\n", message.title, message.body));
        for line in body.as_bytes().chunks(76) {
            let _ = writeln!(mail, "{}", String::from_utf8_lossy(line));
        }
        mail
    }
}

/// A header as RFC 2047 encodes what is not ASCII or too long for a line.
fn encoded(text: &str) -> String {
    if text.is_ascii() && text.len() <= 70 {
        return text.to_owned();
    }
    let mut words: Vec<String> = vec![String::new()];
    for c in text.chars() {
        if words.last().is_some_and(|word| word.len() + c.len_utf8() > 42) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.push(c);
        }
    }
    words.iter().map(|word| format!("=?UTF-8?B?{}?=", STANDARD.encode(word))).collect::<Vec<_>>().join("\n ")
}

#[cfg(test)]
mod tests {
    use super::encoded;

    #[test]
    fn subjects_are_encoded_where_they_must_be() {
        assert_eq!(encoded("pi: fine"), "pi: fine");
        assert_eq!(encoded("ü"), "=?UTF-8?B?w7w=?=");
        let long = encoded(&"ab ".repeat(40));
        assert!(long.lines().all(|line| line.len() <= 76), "{long}");
    }
}
