//! The real exporter on a port of its own, and what a scraper sees of it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use openclaw::clock::Deadline;

use crate::support::TestEnv;

/// How soon after a fault a scrape must work, in the words of the acceptance.
pub(crate) const SOON: Duration = Duration::from_secs(2);

pub(crate) struct Exporter {
    child: Child,
    pub(crate) address: String,
    said: Receiver<String>,
}

/// An HTTP answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// The value of a series, written as in the exposition.
    pub(crate) fn value(&self, series: &str) -> Option<f64> {
        value(&self.body, series)
    }
}

pub(crate) fn value(text: &str, series: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}

impl Exporter {
    pub(crate) fn start(env: &TestEnv, args: &[&str]) -> Self {
        Self::behind(env, &[], args)
    }

    /// The exporter behind another program, such as `prlimit`.
    pub(crate) fn behind(env: &TestEnv, before: &[&str], args: &[&str]) -> Self {
        let args: Vec<_> =
            ["exporter", "--listen", "127.0.0.1:0"].into_iter().chain(args.iter().copied()).collect();
        Self::of(&mut env.wrapped(before, &args))
    }

    pub(crate) fn of(command: &mut Command) -> Self {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let said = listen(child.stderr.take().unwrap());
        let mut exporter = Self { child, address: String::new(), said };
        let line = exporter.says("serving http://");
        let address = line.split("http://").nth(1).unwrap().split('/').next().unwrap();
        address.clone_into(&mut exporter.address);
        exporter
    }

    /// Waits for a line on stderr.
    pub(crate) fn says(&self, wanted: &str) -> String {
        let limit = Deadline::after(Duration::from_secs(20));
        loop {
            let line =
                self.said.recv_timeout(limit.remaining()).unwrap_or_else(|_| panic!("never said {wanted}"));
            if line.contains(wanted) {
                return line;
            }
        }
    }

    /// Everything that it has said since it was last asked.
    pub(crate) fn has_said(&self) -> String {
        self.said.try_iter().collect::<Vec<_>>().join("\n")
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.set_write_timeout(Some(Duration::from_secs(30))).unwrap();
        stream
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.try_get(path, "").unwrap()
    }

    pub(crate) fn try_get(&self, path: &str, headers: &str) -> std::io::Result<Answer> {
        get(&self.address, path, headers)
    }

    pub(crate) fn metrics(&self) -> Answer {
        let answer = self.get("/metrics");
        assert_eq!(answer.status, 200, "{answer:?}");
        answer
    }

    /// A normal scrape works within two seconds, whatever was done before; it is tried as often as that time allows.
    pub(crate) fn works_soon(&self) -> Answer {
        let limit = Deadline::after(SOON);
        loop {
            match self.try_get("/metrics", "") {
                Ok(answer) if answer.status == 200 && answer.body.contains("openclaw_check_status") => {
                    return answer;
                }
                other => assert!(!limit.has_passed(), "{other:?}"),
            }
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap())
    }

    /// Waits for its end.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let limit = Deadline::after(Duration::from_secs(20));
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(!limit.has_passed(), "it goes on");
            thread::yield_now();
        }
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn listen(stderr: ChildStderr) -> Receiver<String> {
    let (said, inbox) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            drop(said.send(line));
        }
    });
    inbox
}

pub(crate) fn get(address: &str, path: &str, headers: &str) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(
        format!("GET {path} HTTP/1.1\r\nHost: x\r\n{headers}Connection: close\r\n\r\n").as_bytes(),
    )?;
    let mut text = Vec::new();
    stream.read_to_end(&mut text)?;
    let text = String::from_utf8(text).unwrap();
    let broken = || std::io::Error::other("no HTTP answer");
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(broken)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(broken)?;
    Ok(Answer { status, head: head.to_owned(), body: body.to_owned() })
}
