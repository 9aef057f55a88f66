//! Ending connections of this process that a library holds and never lets go.
//!
//! `tiny_http` waits without end for the rest of a request, and its sockets cannot be reached through it. They can through
//! `/proc`; where that is missing nothing is cut.

use std::collections::HashMap;
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::RawFd;

use nix::sys::socket::{self, Shutdown, SockaddrStorage};

use crate::clock::Deadline;

/// The accepted connections of one listening port.
pub struct Connections {
    port: u16,
    /// When each socket, by its inode, has lived long enough.
    known: HashMap<u64, Deadline>,
    age: std::time::Duration,
    most: usize,
}

struct Open {
    inode: u64,
    handle: RawFd,
    peer: SocketAddr,
}

impl Connections {
    /// Connections of a local port, of which each may live for `age`, and `most` at a time.
    pub fn of_port(port: u16, age: std::time::Duration, most: usize) -> Self {
        Self { port, known: HashMap::new(), age, most }
    }

    /// Ends those that are too old, and the oldest where there are too many, but none that is busy. Gives how many were
    /// ended.
    pub fn sweep(&mut self, is_busy: &dyn Fn(SocketAddr) -> bool) -> usize {
        let mut open = self.open();
        self.known.retain(|inode, _| open.iter().any(|open| open.inode == *inode));
        for open in &open {
            self.known.entry(open.inode).or_insert_with(|| Deadline::after(self.age));
        }
        let left = |open: &Open| self.known.get(&open.inode).map(Deadline::remaining).unwrap_or_default();
        open.sort_by_key(left);
        let too_many = open.len().saturating_sub(self.most);
        let is_over = |(place, open): &(usize, &Open)| {
            (*place < too_many || left(open).is_zero()) && !is_busy(open.peer)
        };
        open.iter().enumerate().filter(is_over).filter(|(_, open)| self.cut(open)).count()
    }

    /// Ends every one but that of this peer. Gives how many were ended.
    pub fn cut_all(&self) -> usize {
        self.open().iter().filter(|open| self.cut(open)).count()
    }

    /// Ends the one of this peer.
    pub fn cut_peer(&self, peer: SocketAddr) -> bool {
        self.open().iter().any(|open| open.peer == peer && self.cut(open))
    }

    /// Both handles of a connection share the socket, so one call ends it.
    fn cut(&self, open: &Open) -> bool {
        // The number may have been given to another file since: then it is none of ours, or a new one that tries again.
        self.accepted(open.handle) == Some(open.peer) && socket::shutdown(open.handle, Shutdown::Both).is_ok()
    }

    fn open(&self) -> Vec<Open> {
        let entries = fs_err::read_dir("/proc/self/fd").into_iter().flatten().flatten();
        let mut open: Vec<Open> = entries
            .filter_map(|entry| {
                let handle = entry.file_name().to_str()?.parse().ok()?;
                let link = fs_err::read_link(entry.path()).ok()?;
                let inode = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()?;
                Some(Open { inode, handle, peer: self.accepted(handle)? })
            })
            .collect();
        open.sort_by_key(|open| open.inode);
        open.dedup_by_key(|open| open.inode);
        open
    }

    /// The other end, when a handle is a connection that came in on our port.
    fn accepted(&self, handle: RawFd) -> Option<SocketAddr> {
        let own = address(&socket::getsockname(handle).ok()?)?;
        let peer = address(&socket::getpeername(handle).ok()?)?;
        (own.port() == self.port).then_some(peer)
    }
}

fn address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = storage.as_sockaddr_in().map(|address| SocketAddr::V4(SocketAddrV4::from(*address)));
    v4.or_else(|| storage.as_sockaddr_in6().map(|address| SocketAddr::V6(SocketAddrV6::from(*address))))
}
