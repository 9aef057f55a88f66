//! What is mounted, as the kernel lists it.

use std::path::{Path, PathBuf};

/// Where Linux lists the mounts that this process sees (`proc_pid_mountinfo(5)`).
const TABLE: &str = "/proc/self/mountinfo";
/// What the kernel puts behind the root of a mount whose file or folder is gone where it came from.
const GONE: &str = "//deleted";

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Where it stands.
    pub point: PathBuf,
    /// Whether what was mounted has been removed or replaced where it comes from.
    pub is_of_something_gone: bool,
    /// Whether it cannot be written.
    pub is_read_only: bool,
}

/// Every mount; none where the kernel has no such list.
pub fn all() -> Vec<Mount> {
    fs_err::read_to_string(TABLE).map(|table| parse(&table)).unwrap_or_default()
}

fn parse(table: &str) -> Vec<Mount> {
    let mounts = table.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split(' ').collect();
        let (root, point, options) = (fields.get(3)?, fields.get(4)?, fields.get(5)?);
        Some(Mount {
            point: PathBuf::from(unescaped(point)),
            is_of_something_gone: root.ends_with(GONE),
            is_read_only: options.split(',').any(|option| option == "ro"),
        })
    });
    mounts.collect()
}

/// The mount that a path without links is on: the one with the longest point, the last of several on one point.
pub fn of<'m>(path: &Path, mounts: &'m [Mount]) -> Option<&'m Mount> {
    let above = mounts.iter().filter(|mount| path.starts_with(&mount.point));
    above.max_by_key(|mount| mount.point.components().count())
}

/// Blanks, tabs, line breaks and backslashes are written as octal digits.
fn unescaped(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(text.to_owned(), |text, (escaped, plain)| text.replace(escaped, plain))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{of, parse};

    #[test]
    fn mounts_are_found_by_path() {
        let mounts = parse(
            "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
             23 22 8:1 /keys//deleted /home/me/my\\040files/.env rw - ext4 /dev/sda1 rw\n\
             24 22 0:5 / /home/me ro,nosuid - tmpfs tmpfs rw\nnonsense\n",
        );
        assert_eq!(mounts.len(), 3);
        let on = |path: &str| of(Path::new(path), &mounts).unwrap();
        assert!(on("/home/me/my files/.env").is_of_something_gone);
        assert!(on("/home/me/x").is_read_only && !on("/home/meer").is_read_only);
        assert_eq!(on("/etc").point, Path::new("/"));
    }
}
