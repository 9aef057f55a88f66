//! Why an address cannot be served, in the words of every server here.

use std::io;
use std::net::SocketAddr;

use crate::exit::CommandError;
use crate::sys::files;
use crate::sys::procfs::{self, Listener};

/// The error of a failed `bind`; `flag` is how another address is chosen.
pub(super) fn refused(address: SocketAddr, error: &io::Error, flag: &str) -> CommandError {
    if error.kind() != io::ErrorKind::AddrInUse {
        return CommandError::io(format!("failed to listen on {address}: {}", files::reason(error)));
    }
    let by = match procfs::listener(address.port()) {
        Some(Listener::Process(pid, name)) => format!(" by process {pid} ({name})"),
        Some(Listener::Hidden) => " by a process of another user".to_owned(),
        None => String::new(),
    };
    CommandError::io(format!("failed to listen on {address}: the port is taken{by}"))
        .hint(format!("end that program, or choose another port with {flag}"))
}
