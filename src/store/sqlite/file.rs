//! Opening the file, and how it is kept.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use super::error::{Doing, Failure, SqliteError};

/// How long one process waits for another that is writing. A transaction takes milliseconds; only a stopped program
/// holds one for longer.
pub const BUSY_LIMIT: Duration = Duration::from_secs(5);

/// Marks the file as ours: "Vita" in the file's header.
const APPLICATION_ID: i32 = 0x5669_7461;

/// Pages of the log that are collected before they go into the file: 16 MiB. A page that changes often is then copied
/// less often.
const CHECKPOINT_PAGES: u32 = 4096;

/// What is left of the log when it is used again from its start.
const KEPT_LOG_BYTES: u32 = 32 * 1024 * 1024;

/// Pages in memory per connection, in KiB (a negative number says so to SQLite).
const CACHE_KIB: i32 = -16 * 1024;

/// How long to wait before the mode of the log is asked for again.
const MODE_PAUSE: Duration = Duration::from_millis(20);

/// Opens the file for the readings and alerts that are in it.
pub(super) fn open(path: &Path, doing: Doing) -> Result<Connection, SqliteError> {
    match path.try_exists() {
        Ok(true) => connect(path, doing, OpenFlags::empty()),
        Ok(false) => Err(SqliteError::NoFile(path.to_owned())),
        Err(error) => Err(SqliteError::NoRight(Failure::new(path, doing, error))),
    }
}

/// Opens the file, or makes an empty one, and switches its write-ahead log on.
pub(super) fn create(path: &Path) -> Result<Connection, SqliteError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if folder.is_some_and(|folder| !folder.is_dir()) {
        return Err(SqliteError::NoFolder(path.to_owned()));
    }
    let connection = connect(path, Doing::ChangeSchema, OpenFlags::SQLITE_OPEN_CREATE)?;
    if !is_ours(&connection, path)? {
        // What rows leave behind that go can then be given back. A file with tables in it stays as it is.
        let prepared = connection.pragma_update(None, "auto_vacuum", "INCREMENTAL");
        prepared.map_err(|error| SqliteError::from_driver(path, Doing::ChangeSchema, &error))?;
    }
    switch_log_on(&connection, path)?;
    Ok(connection)
}

/// A commit is on the disk when it is acknowledged (`synchronous = FULL`): the offset that is committed next may
/// survive a power cut, so the rows have to. `NORMAL` would keep them through a `kill -9` only. The group commit pays
/// for it: one sync for all batches that wait.
fn connect(path: &Path, doing: Doing, create: OpenFlags) -> Result<Connection, SqliteError> {
    if path.is_dir() {
        return Err(SqliteError::Folder(path.to_owned()));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | create;
    let prepare = || {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_LIMIT)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
        connection.pragma_update(None, "journal_size_limit", KEPT_LOG_BYTES)?;
        connection.pragma_update(None, "cache_size", CACHE_KIB)?;
        Ok(connection)
    };
    prepare().map_err(|error| SqliteError::from_driver(path, doing, &error))
}

/// Whether the file is ours; one that is empty is nobody's.
pub(super) fn is_ours(connection: &Connection, path: &Path) -> Result<bool, SqliteError> {
    // One statement, so that nobody's change falls between the two answers.
    let ask = "SELECT (SELECT application_id FROM pragma_application_id), (SELECT COUNT(*) FROM sqlite_schema)";
    let answer = connection.query_row(ask, (), |row| Ok((row.get(0)?, row.get(1)?)));
    match answer.map_err(|error| SqliteError::from_driver(path, Doing::Open, &error))? {
        (APPLICATION_ID, _) => Ok(true),
        (0, 0) => Ok(false),
        _ => Err(SqliteError::NotOurs(path.to_owned())),
    }
}

/// Marks the file as ours.
pub(super) fn sign(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "application_id", APPLICATION_ID)
}

/// Several may do this at once, and here SQLite does not wait by itself.
fn switch_log_on(connection: &Connection, path: &Path) -> Result<(), SqliteError> {
    let end = Instant::now() + BUSY_LIMIT;
    let mode = |query| connection.query_row(query, (), |row| row.get::<_, String>(0));
    loop {
        let outcome = mode("PRAGMA journal_mode").and_then(|now| match now.as_str() {
            "wal" => Ok(now),
            _ => mode("PRAGMA journal_mode = WAL"),
        });
        match outcome.map_err(|error| SqliteError::from_driver(path, Doing::ChangeSchema, &error)) {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(mode) => {
                let reason = format!("its log stays in the mode `{mode}`");
                return Err(SqliteError::failed(path, Doing::ChangeSchema, reason));
            }
            Err(SqliteError::Busy(..)) if Instant::now() < end => std::thread::sleep(MODE_PAUSE),
            Err(error) => return Err(error),
        }
    }
}

/// Whether a commit is on the disk before it is acknowledged; where it is not, a power cut costs it, and nothing else.
pub(super) fn keep_commits(connection: &Connection, are_kept: bool) -> rusqlite::Result<()> {
    connection.pragma_update(None, "synchronous", if are_kept { "FULL" } else { "NORMAL" })?;
    // Who loses nothing need not wait either.
    connection.busy_timeout(if are_kept { BUSY_LIMIT } else { Duration::ZERO })
}

/// The size of the file with that of its log, as far as they can be seen.
pub(super) fn size_bytes(path: &Path) -> u64 {
    let size = |part: &Path| std::fs::metadata(part).map_or(0, |metadata| metadata.len());
    size(path).saturating_add(size(&beside(path, "-wal")))
}

/// Removes the file, with its log and its index of the log where they were left.
pub(super) fn remove(path: &Path) -> Result<(), SqliteError> {
    for part in [path.to_owned(), beside(path, "-wal"), beside(path, "-shm")] {
        match std::fs::remove_file(&part) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(SqliteError::failed(&part, Doing::Remove, error));
            }
            _ => {}
        }
    }
    Ok(())
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
}
