//! Locks that nobody holds any more.

use crate::core::finding::{Code, Finding};
use crate::core::remedy;
use crate::core::span;
use crate::doctor::{Check, Found, Host};
use crate::sys::lock::{LeftBehind, Protocol};
use crate::workspace::vendor_file::VendorFile;

pub(super) const CHECK: Check =
    Check { name: "locks", codes: &[Code::LockStale], mends: &[], is_deep: false, run };

fn run(host: &Host) -> Vec<Found> {
    // A lock is old by the machine's clock: its folder was made by it.
    let now = host.now();
    let stores = host.workspace.stores();
    let of_stores = stores.iter().map(|store| Protocol::of_store(store.path()));
    let of_vendors = host.workspace.logins.iter().filter_map(VendorFile::of).map(|file| file.protocol());
    let left: Vec<_> = of_stores.chain(of_vendors).flat_map(|protocol| protocol.left_behind(now)).collect();
    left.into_iter().map(|left| told(host, &left)).collect()
}

fn told(host: &Host, left: &LeftBehind) -> Found {
    let shown = host.shown(&left.place);
    let message = format!("nobody has touched it for {}", span::two_units(left.age_ms));
    let typed = remedy::shell_path(&shown);
    let is_empty = fs_err::read_dir(&left.place).is_ok_and(|mut inside| inside.next().is_none());
    let command = match (left.is_folder, is_empty) {
        (true, true) => format!("rmdir {typed}"),
        (true, false) => format!("rm -r {typed}"),
        (false, _) => format!("rm {typed}"),
    };
    Finding::new(Code::LockStale, shown.short, message)
        .remedy(format!("`{command}`, once no gateway and no program of the vendor is running"))
        .into()
}
