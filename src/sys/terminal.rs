//! Asking a person at the terminal for something that nobody else may read.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::sys::select::{FdSet, select};
use nix::sys::termios::{self, LocalFlags, SetArg, Termios};
use nix::sys::time::{TimeVal, TimeValLike};

use crate::core::secret::Secret;
use crate::sys::signals;

/// What came of asking.
pub enum Answer {
    /// A line was typed or pasted.
    Line(Secret),
    /// Ctrl-C, or the end of input.
    Cancelled,
}

const CTRL_C: u8 = 3;
const CTRL_D: u8 = 4;
const BACKSPACE: u8 = 8;
const CTRL_U: u8 = 21;
const DELETE: u8 = 127;

/// Puts the terminal back when it goes. What was typed and not read goes too: it may be the rest of a secret, and the
/// shell would run it.
struct Unechoed {
    terminal: std::fs::File,
    before: Termios,
}

impl Drop for Unechoed {
    fn drop(&mut self) {
        let _ = termios::tcsetattr(&self.terminal, SetArg::TCSAFLUSH, &self.before);
    }
}

/// How often something else is looked for while a person may type, in microseconds.
const GLANCE_US: i64 = 50_000;

/// Asks on the controlling terminal and shows nothing of what is typed. Ctrl-C is an answer, not a signal: the
/// terminal is never left without echo.
pub fn ask_hidden(prompt: &str) -> io::Result<Answer> {
    Ok(ask_hidden_unless(prompt, &mut || false)?.unwrap_or(Answer::Cancelled))
}

/// The same; `None` as soon as something else has happened.
pub fn ask_hidden_unless(prompt: &str, has_happened: &mut dyn FnMut() -> bool) -> io::Result<Option<Answer>> {
    // A signal must find the terminal as it was: it takes effect when the guard goes, after the echo is back.
    let signals = signals::defer();
    let terminal = fs_err::OpenOptions::new().read(true).write(true).open("/dev/tty")?.into_parts().0;
    let before = termios::tcgetattr(&terminal)?;
    let mut silent = before.clone();
    silent.local_flags.remove(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG);
    termios::tcsetattr(&terminal, SetArg::TCSANOW, &silent)?;
    let mut guard = Unechoed { terminal, before };
    write!(guard.terminal, "{prompt}")?;
    let mut has_ended = || signals.is_pending();
    let answer = read_answer(&mut guard.terminal, has_happened, &mut has_ended);
    writeln!(guard.terminal)?;
    answer
}

fn read_answer(
    terminal: &mut std::fs::File,
    has_happened: &mut dyn FnMut() -> bool,
    has_ended: &mut dyn FnMut() -> bool,
) -> io::Result<Option<Answer>> {
    let mut line = Vec::new();
    let mut byte = [0];
    loop {
        if has_ended() {
            return Ok(Some(Answer::Cancelled));
        }
        if has_happened() {
            return Ok(None);
        }
        match is_typed(terminal, GLANCE_US) {
            Ok(true) => {}
            Ok(false) | Err(Errno::EINTR) => continue,
            Err(error) => return Err(error.into()),
        }
        if terminal.read(&mut byte)? == 0 {
            return Ok(Some(Answer::Cancelled));
        }
        match byte[0] {
            CTRL_C => return Ok(Some(Answer::Cancelled)),
            CTRL_D if line.is_empty() => return Ok(Some(Answer::Cancelled)),
            b'\r' | b'\n' if is_typed(terminal, GLANCE_US).unwrap_or(false) => {
                // Nobody types that fast: a paste goes on behind its line break.
                line.push(byte[0]);
            }
            b'\r' | b'\n' => break,
            BACKSPACE | DELETE => drop(line.pop()),
            CTRL_U => line.clear(),
            byte => line.push(byte),
        }
    }
    let text = String::from_utf8(line)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "the input is not UTF-8"))?;
    Ok(Some(Answer::Line(Secret::new(text))))
}

/// Whether something is there to be read within that many microseconds. Not `poll`, which knows no terminals on macOS.
fn is_typed(terminal: &std::fs::File, within_us: i64) -> nix::Result<bool> {
    let mut readable = FdSet::new();
    readable.insert(terminal.as_fd());
    let count = select(None, &mut readable, None, None, &mut TimeVal::microseconds(within_us))?;
    Ok(count > 0)
}
