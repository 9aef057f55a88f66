//! Reading files under a deadline: a hung mount costs its own file, not the report.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;

use crate::clock::Deadline;
use crate::sys::files::{self, Content, ReadFailure};

/// Reads one file after the other on a thread of its own. When a read does not return in time, the thread is left
/// behind, and the next read gets a new one.
pub struct Reader {
    deadline: Deadline,
    worker: std::cell::RefCell<Option<Worker>>,
}

struct Worker {
    requests: Sender<PathBuf>,
    answers: Receiver<Result<Content, ReadFailure>>,
}

impl Reader {
    /// A reader that gives up at the deadline.
    pub fn new(deadline: Deadline) -> Self {
        Self { deadline, worker: std::cell::RefCell::new(None) }
    }

    /// The deadline of everything that is read here.
    pub fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// Reads a file, see [`files::read`].
    pub fn read(&self, path: &Path) -> Result<Content, ReadFailure> {
        let timed_out = || Err(ReadFailure::Failed("could not be read in time".to_owned()));
        if self.deadline.has_passed() {
            return timed_out();
        }
        let mut slot = self.worker.borrow_mut();
        let worker = match slot.take().map_or_else(Worker::start, Ok) {
            Ok(worker) => worker,
            Err(error) => return Err(ReadFailure::Failed(files::reason(&error))),
        };
        if worker.requests.send(path.to_owned()).is_err() {
            return Err(ReadFailure::Failed("the reading thread ended".to_owned()));
        }
        match worker.answers.recv_timeout(self.deadline.remaining()) {
            Ok(answer) => {
                *slot = Some(worker);
                answer
            }
            Err(RecvTimeoutError::Timeout) => timed_out(),
            Err(RecvTimeoutError::Disconnected) => {
                Err(ReadFailure::Failed("the reading thread ended".to_owned()))
            }
        }
    }
}

impl Worker {
    fn start() -> std::io::Result<Self> {
        let (requests, inbox) = channel::<PathBuf>();
        let (outbox, answers) = channel();
        thread::Builder::new().name("reader".to_owned()).spawn(move || {
            while let Ok(path) = inbox.recv() {
                if outbox.send(files::read(&path)).is_err() {
                    break;
                }
            }
        })?;
        Ok(Self { requests, answers })
    }
}
