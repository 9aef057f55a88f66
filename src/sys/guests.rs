//! The open connections of a server: how many there are, and which of them only hold a seat.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::clock::Stopwatch;

/// Every open connection.
#[derive(Debug)]
pub struct Guests {
    watch: Stopwatch,
    open: Mutex<BTreeMap<u64, Arc<Seat>>>,
    accepted: AtomicU64,
    ended: AtomicU64,
    room: AtomicUsize,
}

/// What is known of a connection.
#[derive(Debug)]
struct Seat {
    /// Since when it rests, in µs of the watch; `BUSY` while a request is under way.
    rests_since: AtomicU64,
    leave: Notify,
}

const BUSY: u64 = u64::MAX;

/// One connection; it is open until the last clone goes.
#[derive(Debug)]
pub struct Guest {
    number: u64,
    seat: Arc<Seat>,
    guests: Arc<Guests>,
}

impl Default for Guests {
    fn default() -> Self {
        Self {
            watch: Stopwatch::start(),
            open: Mutex::default(),
            accepted: AtomicU64::default(),
            ended: AtomicU64::default(),
            room: AtomicUsize::new(usize::MAX),
        }
    }
}

impl Guests {
    /// Takes a new connection in.
    pub fn welcome(self: &Arc<Self>) -> Arc<Guest> {
        let number = self.accepted.fetch_add(1, Ordering::Relaxed);
        let seat = Arc::new(Seat { rests_since: AtomicU64::new(self.now()), leave: Notify::new() });
        self.seats().insert(number, Arc::clone(&seat));
        Arc::new(Guest { number, seat, guests: Arc::clone(self) })
    }

    /// Ends the connection that has been without a request for the longest time; tells whether there is one.
    pub fn end_an_idle_one(&self) -> bool {
        let seats = self.seats();
        let rests = seats.values().map(|seat| (seat.rests_since.load(Ordering::Relaxed), seat));
        let idle = rests.filter(|(since, _)| *since != BUSY).min_by_key(|(since, _)| *since);
        if let Some((_, seat)) = idle {
            // It counts as busy from now on: the next one in need finds another.
            seat.rests_since.store(BUSY, Ordering::Relaxed);
            seat.leave.notify_one();
            self.ended.fetch_add(1, Ordering::Relaxed);
        }
        idle.is_some()
    }

    /// Sets how many may be open.
    pub fn set_room(&self, room: usize) {
        self.room.store(room, Ordering::Relaxed);
    }

    /// Whether nobody else can be let in because everybody is busy.
    pub fn is_full_of_work(&self) -> bool {
        let seats = self.seats();
        seats.len() >= self.room.load(Ordering::Relaxed)
            && seats.values().all(|seat| seat.rests_since.load(Ordering::Relaxed) == BUSY)
    }

    /// How many are open.
    pub fn open(&self) -> usize {
        self.seats().len()
    }

    /// How many have come.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// How many were ended for somebody else.
    pub fn ended(&self) -> u64 {
        self.ended.load(Ordering::Relaxed)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.watch.elapsed().as_micros()).unwrap_or(BUSY - 1)
    }

    fn seats(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Arc<Seat>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guest {
    /// A request has come.
    pub fn begins(&self) {
        self.seat.rests_since.store(BUSY, Ordering::Relaxed);
    }

    /// Its answer has gone.
    pub fn rests(&self) {
        self.seat.rests_since.store(self.guests.now(), Ordering::Relaxed);
    }

    /// Waits until its seat is wanted.
    pub async fn is_asked_to_leave(&self) {
        self.seat.leave.notified().await;
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.guests.seats().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Guests;

    #[test]
    fn who_rests_longest_leaves_first_and_who_is_busy_stays() {
        let guests = Arc::new(Guests::default());
        let (first, second, third) = (guests.welcome(), guests.welcome(), guests.welcome());
        first.begins();
        assert_eq!((guests.open(), guests.accepted()), (3, 3));
        guests.set_room(3);
        assert!(!guests.is_full_of_work());
        assert!(guests.end_an_idle_one() && guests.end_an_idle_one() && !guests.end_an_idle_one());
        assert!(guests.is_full_of_work());
        first.rests();
        assert!(guests.end_an_idle_one());
        assert_eq!(guests.ended(), 3);
        drop((first, second));
        assert_eq!(guests.open(), 1);
        drop(third);
        assert_eq!(guests.open(), 0);
    }
}
