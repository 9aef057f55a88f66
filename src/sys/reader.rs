//! Touching files under a deadline: a hung mount costs its own file, not the report.

use std::any::Any;
use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use crate::clock::Deadline;
use crate::sys::files::{self, Content, Identity, ReadFailure};

/// Works on files on a thread of its own. When a call does not return in time, the thread is left behind and the next
/// call gets a new one.
pub struct Reader {
    deadline: Deadline,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    worker: Option<Worker>,
    /// Asked for and not yet answered, in order.
    awaited: VecDeque<PathBuf>,
    /// Answered before anybody wanted it.
    ready: HashMap<PathBuf, Result<Content, ReadFailure>>,
    /// What was looked at, and as what; `None` when that took too long.
    seen: Vec<(PathBuf, Option<Identity>)>,
}

/// What a file was just before it was read, and what was read.
type Looked = (Identity, Result<Content, ReadFailure>);

type Job = Box<dyn FnOnce() -> Box<dyn Any + Send> + Send>;

struct Worker {
    jobs: Sender<Job>,
    answers: Receiver<Box<dyn Any + Send>>,
}

impl Reader {
    /// A reader that gives up at the deadline.
    pub fn new(deadline: Deadline) -> Self {
        Self { deadline, state: RefCell::default() }
    }

    /// The deadline of everything that is done here.
    pub fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// Starts to read files that will be wanted soon, so that nobody waits for each one by itself.
    pub fn prefetch(&self, paths: impl IntoIterator<Item = PathBuf>) {
        let mut state = self.state.borrow_mut();
        for path in paths {
            state.request(path);
        }
    }

    /// Reads a file, see [`files::read`].
    pub fn read(&self, path: &Path) -> Result<Content, ReadFailure> {
        let mut state = self.state.borrow_mut();
        if let Some(answer) = state.ready.remove(path) {
            return answer;
        }
        if !state.awaited.iter().any(|awaited| awaited == path) {
            state.request(path.to_owned());
        }
        while let Some(first) = state.awaited.pop_front() {
            let answer: Option<Looked> = state.answer(self.patience()).and_then(downcast);
            if answer.is_none() {
                // What else was asked for starts again on a new thread.
                for path in std::mem::take(&mut state.awaited) {
                    state.request(path);
                }
            }
            let answer = state.note(&first, answer);
            if first == path {
                return answer;
            }
            state.ready.insert(first, answer);
        }
        Err(not_in_time())
    }

    /// Does something else that may hang, such as listing a folder; `None` when it does not end in time.
    pub fn call<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let mut state = self.state.borrow_mut();
        // Answers come in the order of the jobs: what was asked for before is collected first.
        while let Some(first) = state.awaited.pop_front() {
            let answer = state.answer(self.patience()).and_then(downcast);
            let is_late = answer.is_none();
            let answer = state.note(&first, answer);
            if is_late {
                return None;
            }
            state.ready.insert(first, answer);
        }
        state.send(Box::new(move || Box::new(job())));
        state.answer(self.patience()).and_then(downcast)
    }

    /// Looks at folders whose listing decides something.
    pub fn look_at(&self, folders: Vec<PathBuf>) {
        let wanted = folders.clone();
        let looked = self.call(move || wanted.iter().map(|path| files::identity(path)).collect::<Vec<_>>());
        let mut identities = looked.unwrap_or_default().into_iter();
        let seen = folders.into_iter().map(|path| (path, identities.next()));
        self.state.borrow_mut().seen.extend(seen);
    }

    /// Everything that was looked at, with what it was just before it was read; `None` where that took too long.
    pub fn seen(&self) -> Vec<(PathBuf, Option<Identity>)> {
        self.state.borrow().seen.clone()
    }

    /// One hung file may take half of what is left, so that others still get their turn.
    fn patience(&self) -> Duration {
        self.deadline.remaining() / 2
    }
}

fn downcast<T: 'static>(answer: Box<dyn Any + Send>) -> Option<T> {
    answer.downcast().ok().map(|answer| *answer)
}

fn not_in_time() -> ReadFailure {
    ReadFailure::Failed("could not be read in time".to_owned())
}

impl State {
    fn request(&mut self, path: PathBuf) {
        let wanted = path.clone();
        self.send(Box::new(move || -> Box<dyn Any + Send> {
            // In this order: what is replaced in between is noticed the next time.
            let identity = files::identity(&wanted);
            let looked: Looked = (identity, files::read(&wanted));
            Box::new(looked)
        }));
        self.awaited.push_back(path);
    }

    fn send(&mut self, job: Job) {
        if self.worker.is_none() {
            self.worker = Worker::start().ok();
        }
        if let Some(worker) = &self.worker {
            // A thread that is gone shows when its answer is waited for.
            drop(worker.jobs.send(job));
        }
    }

    /// Remembers what a file was, and gives what was read.
    fn note(&mut self, path: &Path, answer: Option<Looked>) -> Result<Content, ReadFailure> {
        let (identity, content) = answer
            .map_or_else(|| (None, Err(not_in_time())), |(identity, content)| (Some(identity), content));
        self.seen.push((path.to_owned(), identity));
        content
    }

    /// The next answer; on time-out the thread is left behind.
    fn answer(&mut self, patience: Duration) -> Option<Box<dyn Any + Send>> {
        let answer = self.worker.as_ref()?.answers.recv_timeout(patience).ok();
        if answer.is_none() {
            self.worker = None;
        }
        answer
    }
}

impl Worker {
    fn start() -> std::io::Result<Self> {
        let (jobs, inbox) = channel::<Job>();
        let (outbox, answers) = channel();
        thread::Builder::new().name("reader".to_owned()).spawn(move || {
            while let Ok(job) = inbox.recv() {
                if outbox.send(job()).is_err() {
                    break;
                }
            }
        })?;
        Ok(Self { jobs, answers })
    }
}
