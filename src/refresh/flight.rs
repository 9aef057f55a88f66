//! One refresh of a login at a time within this process.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

type Place = Arc<Mutex<()>>;

static PLACES: LazyLock<Mutex<HashMap<(PathBuf, String), Place>>> = LazyLock::new(Mutex::default);

/// Where the threads that want one login wait. There are as many as there are logins, which are few.
pub(super) fn place(store: &Path, id: &str) -> Place {
    let mut places = PLACES.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(places.entry((store.to_owned(), id.to_owned())).or_default())
}

/// Waits for the turn; dropping it gives it to the next.
pub(super) fn turn(place: &Place) -> MutexGuard<'_, ()> {
    place.lock().unwrap_or_else(PoisonError::into_inner)
}
