//! Running a program whose output we want, within limits.

use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::clock::Deadline;

/// How long output may still come after the program itself has ended: a daemon that it left may hold the pipe.
const GRACE: Duration = Duration::from_millis(100);

/// The most of a complaint that is read.
const LONGEST_COMPLAINT: u64 = 2048;

/// Why there is no output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It could not be started.
    NotStarted(String),
    /// It ran longer than it may.
    TimedOut,
    /// It printed more than it may.
    TooMuchOutput,
    /// It ended with a code, or by a signal (`None`).
    Ended(Option<i32>),
}

enum Event {
    OutputEnded { too_much: bool },
    Exited(Option<ExitStatus>),
}

/// Runs a program with stdin closed and stderr dropped, and gives its stdout. What outstays the limits is killed with
/// its process group.
pub fn output(command: &mut Command, deadline: Deadline, limit: usize) -> Result<Vec<u8>, Failure> {
    run(command.stdin(Stdio::null()).stderr(Stdio::null()), None, deadline, limit)
}

/// The same for a program whose complaint is worth telling: an error is what it wrote to stderr, in one line.
pub fn explained(command: &mut Command, deadline: Deadline, limit: usize) -> Result<Vec<u8>, String> {
    let unwritten = |error: std::io::Error| error.to_string().to_lowercase();
    let mut complaint = tempfile::tempfile().map_err(unwritten)?;
    let stderr = complaint.try_clone().map_err(unwritten)?;
    let ran = run(command.stdin(Stdio::null()).stderr(stderr), None, deadline, limit);
    ran.map_err(|failure| match failure {
        Failure::NotStarted(reason) => format!("cannot be started: {reason}"),
        Failure::TimedOut => "does not answer".to_owned(),
        Failure::TooMuchOutput => "prints too much".to_owned(),
        Failure::Ended(code) => {
            let mut said = Vec::new();
            let rewound = complaint.seek(SeekFrom::Start(0));
            drop(rewound.and_then(|_| (&mut complaint).take(LONGEST_COMPLAINT).read_to_end(&mut said)));
            let said = String::from_utf8_lossy(&said);
            let lines: Vec<_> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
            match code {
                _ if !lines.is_empty() => lines.join("; "),
                Some(code) => format!("ended with {code}"),
                None => "was killed".to_owned(),
            }
        }
    })
}

/// The same for a program that is given something on stdin. One that does not read it all is not blamed for that.
pub fn fed(
    command: &mut Command,
    input: Vec<u8>,
    deadline: Deadline,
    limit: usize,
) -> Result<Vec<u8>, Failure> {
    run(command.stdin(Stdio::piped()).stderr(Stdio::null()), Some(input), deadline, limit)
}

fn run(
    command: &mut Command,
    input: Option<Vec<u8>>,
    deadline: Deadline,
    limit: usize,
) -> Result<Vec<u8>, Failure> {
    let mut child = command
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|error| Failure::NotStarted(error.to_string().to_lowercase()))?;
    let group = i32::try_from(child.id()).ok().map(Pid::from_raw);
    let kill = || {
        if let Some(group) = group {
            let _ = killpg(group, Signal::SIGKILL);
        }
    };
    if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
        thread::spawn(move || drop(stdin.write_all(&input)));
    }
    let collected = Arc::new(Mutex::new(Vec::new()));
    let (events, inbox) = channel();
    if let Some(mut stdout) = child.stdout.take() {
        let (collected, events) = (Arc::clone(&collected), events.clone());
        thread::spawn(move || {
            let mut chunk = [0; 8192];
            let too_much = loop {
                match stdout.read(&mut chunk) {
                    Ok(0) | Err(_) => break false,
                    Ok(count) => {
                        let mut collected = collected.lock().unwrap_or_else(PoisonError::into_inner);
                        collected.extend(&chunk[..count]);
                        if collected.len() > limit {
                            break true;
                        }
                    }
                }
            };
            drop(events.send(Event::OutputEnded { too_much }));
        });
    }
    thread::spawn(move || drop(events.send(Event::Exited(child.wait().ok()))));

    let (mut exited, mut output_ended) = (None, false);
    while exited.is_none() || !output_ended {
        let wait = if exited.is_some() { GRACE.min(deadline.remaining()) } else { deadline.remaining() };
        match inbox.recv_timeout(wait) {
            Ok(Event::OutputEnded { too_much: true }) => {
                kill();
                return Err(Failure::TooMuchOutput);
            }
            Ok(Event::OutputEnded { too_much: false }) => output_ended = true,
            Ok(Event::Exited(status)) => exited = Some(status),
            Err(RecvTimeoutError::Timeout) if exited.is_some() => break,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                kill();
                return Err(Failure::TimedOut);
            }
        }
    }
    if !output_ended {
        kill();
    }
    match exited.flatten() {
        Some(status) if status.success() => {
            Ok(std::mem::take(&mut *collected.lock().unwrap_or_else(PoisonError::into_inner)))
        }
        status => Err(Failure::Ended(status.and_then(|status| status.code()))),
    }
}

/// Runs a program on our own terminal and waits for it. Ctrl-C is the program's to handle: it reaches us only as
/// `Deferred::is_pending` of the guard that the caller holds.
pub fn attached(command: &mut Command) -> Result<ExitStatus, std::io::Error> {
    command.spawn()?.wait()
}
