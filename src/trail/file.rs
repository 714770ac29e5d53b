//! A trail in a file, which several programs may write to at once: each line is one write behind the others. A file that
//! is full is kept under the name with `.1` behind it, the one before that as `.2`, and so on; there is always a file of
//! the name itself.

use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use super::Fault;

/// A file that has reached this is full.
pub(super) const MAX_FILE_BYTES: u64 = 10 * 1024 * 1024;

/// So many full files are kept beside the one that is written.
const KEPT_FILES: u32 = 10;

/// A new file is for its owner alone.
#[cfg(unix)]
const MODE: u32 = 0o600;

/// Puts the line behind the others, after it has begun a new file where this one is full. It never waits for a reader,
/// as a pipe would have it: what is no file is refused.
///
/// # Errors
/// [`Fault::Rotation`] where the line is there and only the new file is not; all else is about the line.
pub(super) fn append(path: &Path, line: &str, max_bytes: u64) -> Result<(), Fault> {
    let rotated = match fs::metadata(path) {
        Ok(found) if !found.is_file() => return Err(Fault::NoFile),
        Ok(found) if found.len() >= max_bytes => rotate(path, &found, max_bytes),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => return Err(error.into()),
    };
    let mut file = own(OpenOptions::new().append(true).create(true)).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(Fault::NoFile);
    }
    let bytes = format!("{line}\n").into_bytes();
    // In one piece, so that no line of another program comes between.
    if file.write(&bytes)? < bytes.len() {
        return Err(Fault::Part);
    }
    rotated.map_err(Fault::Rotation)
}

/// Begins a new file, unless another program does so now, or has done it.
fn rotate(path: &Path, found: &Metadata, max_bytes: u64) -> io::Result<()> {
    // On its own, since the file that is written gets another name meanwhile.
    let lock =
        own(OpenOptions::new().read(true).write(true).create(true).truncate(false)).open(beside(path, "lock"))?;
    give(&lock, found);
    match lock.try_lock() {
        Err(TryLockError::WouldBlock) => return Ok(()),
        locked => locked?,
    }
    if fs::metadata(path)?.len() < max_bytes {
        return Ok(());
    }
    let numbered = |number: u32| beside(path, &number.to_string());
    // Only those before the first that is missing: where what follows fails, the next time shifts nothing more.
    let there: Vec<_> = (1..KEPT_FILES).take_while(|number| numbered(*number).exists()).collect();
    for number in there.into_iter().rev() {
        unless_missing(fs::rename(numbered(number), numbered(number + 1)))?;
    }
    let new = beside(path, "new");
    unless_missing(fs::remove_file(&new))?;
    give(&own(OpenOptions::new().write(true).create_new(true)).open(&new)?, found);
    // There is a file of this name at each moment, so that no line comes into one that is replaced.
    fs::hard_link(path, numbered(1))?;
    fs::rename(&new, path)
}

fn unless_missing(outcome: io::Result<()>) -> io::Result<()> {
    outcome.or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".");
    name.push(end);
    name.into()
}

/// A file that is made is for its owner alone, and opening never waits, whatever is there.
#[cfg(unix)]
fn own(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;

    let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    options.mode(MODE).custom_flags(flags)
}

#[cfg(not(unix))]
fn own(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// Has it belong to whom the file before belonged to, and be open to the same, as far as this user may do that: who
/// could write goes on.
#[cfg(unix)]
fn give(file: &File, before: &Metadata) {
    use std::os::unix::fs::{MetadataExt as _, fchown};

    let _ = fchown(file, None, Some(before.gid()));
    let _ = fchown(file, Some(before.uid()), None);
    let _ = file.set_permissions(before.permissions());
}

#[cfg(not(unix))]
fn give(_: &File, _: &Metadata) {}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn lines(path: &Path) -> Vec<String> {
        fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_full_file_is_kept_under_a_number_and_the_oldest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trail");
        for number in 0..KEPT_FILES + 5 {
            append(&path, &format!("line {number}"), 1).unwrap();
        }
        let last = KEPT_FILES + 4;
        assert_eq!(lines(&path), [format!("line {last}")]);
        for kept in 1..=KEPT_FILES {
            assert_eq!(lines(&beside(&path, &kept.to_string())), [format!("line {}", last - kept)]);
        }
        // The lock stays.
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), usize::try_from(KEPT_FILES).unwrap() + 2);
    }

    #[test]
    fn of_writers_at_once_no_line_is_lost_torn_or_doubled_where_files_are_full() {
        const WRITERS: usize = 4;
        const LINES: usize = 200;
        const LONG: usize = 100;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trail");
        // So that fewer files get full than are kept.
        let max_bytes = u64::try_from(WRITERS * LINES * LONG).unwrap() / 8;
        thread::scope(|scope| {
            for writer in 0..WRITERS {
                let path = &path;
                scope.spawn(move || {
                    for number in 0..LINES {
                        let line = format!("{writer} {number} ");
                        append(path, &format!("{line:x<LONG$}"), max_bytes).unwrap();
                    }
                });
            }
        });
        let kept = (1..=KEPT_FILES).flat_map(|number| lines(&beside(&path, &number.to_string())));
        let mut all: Vec<_> = kept.chain(lines(&path)).collect();
        assert!(all.iter().all(|line| line.len() == LONG), "a line is torn");
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), WRITERS * LINES);
        // How many there are is up to who comes when: others write on where one begins the new file.
        assert!(!lines(&beside(&path, "1")).is_empty(), "no file got full");
    }

    #[test]
    fn who_holds_the_lock_begins_the_new_file_and_others_write_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trail");
        append(&path, "first", 1).unwrap();
        let lock = File::create(beside(&path, "lock")).unwrap();
        lock.lock().unwrap();
        append(&path, "second", 1).unwrap();
        assert_eq!(lines(&path), ["first", "second"]);
        drop(lock);
        append(&path, "third", 1).unwrap();
        assert_eq!((lines(&path), lines(&beside(&path, "1"))), (vec!["third".to_owned()], lines_of("first second")));
    }

    fn lines_of(words: &str) -> Vec<String> {
        words.split(' ').map(str::to_owned).collect()
    }

    #[cfg(unix)]
    #[test]
    fn a_new_file_is_for_its_owner_and_the_one_after_it_for_whom_it_was_opened() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trail");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        append(&path, "first", 1).unwrap();
        assert_eq!(mode(&path), 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o660)).unwrap();
        append(&path, "second", 1).unwrap();
        assert_eq!((mode(&path), mode(&beside(&path, "1")), lines(&path)), (0o660, 0o660, lines_of("second")));
    }

    #[test]
    fn a_file_that_cannot_be_replaced_goes_on_and_that_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trail");
        append(&path, "first", 1).unwrap();
        fs::create_dir(beside(&path, "lock")).unwrap();
        assert!(matches!(append(&path, "second", 1), Err(Fault::Rotation(_))));
        assert_eq!(lines(&path), ["first", "second"]);
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(append(folder.path(), "line", 1), Err(Fault::NoFile)));
        let missing = append(&folder.path().join("none").join("trail"), "line", 1);
        assert!(matches!(missing, Err(Fault::Other(error)) if error.kind() == ErrorKind::NotFound));
    }
}
