//! Where the store is.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;

use super::cassandra::{Keyspace, MAX_NAME_BYTES};
use crate::address::{host_and_port, is_loopback};
use crate::advice::BadValue;
use crate::system_text::behind;

/// Cassandra's port for CQL, where an address names none.
const CASSANDRA_PORT: u16 = 9042;

/// What stands before the path of an SQLite file.
pub(crate) const SQLITE: &str = "sqlite:";

/// The store that readings go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreAddress {
    /// `cassandra://HOST[:PORT],…/KEYSPACE`
    Cassandra {
        /// The nodes to ask first, each as `host:port`; at least one.
        nodes: Vec<String>,
        /// The keyspace: 1 to 48 letters, digits and underscores, a letter first.
        keyspace: String,
    },
    /// `sqlite:PATH`
    Sqlite {
        /// The file, as it was written: a relative one is below the current folder.
        path: PathBuf,
    },
}

impl StoreAddress {
    /// Takes a store's address.
    ///
    /// # Errors
    /// A [`BadValue`] that says which part is wrong. It never repeats what may be a password.
    pub fn parse<T: AsRef<OsStr> + ?Sized>(text: &T) -> Result<Self, BadValue> {
        let text = text.as_ref();
        if let Some(path) = behind(text, SQLITE) {
            return parse_path(path).map(|path| Self::Sqlite { path });
        }
        let text = text.to_str().ok_or_else(|| BadValue::new("is not UTF-8", use_shape()))?;
        let rest =
            text.strip_prefix("cassandra://").ok_or_else(|| BadValue::new("is no store's address", use_shape()))?;
        if rest.contains('@') {
            return Err(BadValue::new("an address with a user name is not supported", use_shape()));
        }
        let (nodes, keyspace) =
            rest.split_once('/').ok_or_else(|| BadValue::new("the address names no keyspace", use_shape()))?;
        let nodes = nodes.split(',').map(|node| host_and_port(node, Some(CASSANDRA_PORT))).collect::<Result<_, _>>()?;
        Ok(Self::Cassandra { nodes, keyspace: parse_keyspace(keyspace)? })
    }

    /// The keyspace; an SQLite file has none.
    pub fn keyspace(&self) -> Option<&str> {
        match self {
            Self::Cassandra { keyspace, .. } => Some(keyspace),
            Self::Sqlite { .. } => None,
        }
    }

    /// What is typed before something of it is deleted: the keyspace, or the file without its folder.
    pub fn name(&self) -> String {
        match self {
            Self::Cassandra { keyspace, .. } => keyspace.clone(),
            Self::Sqlite { path } => path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
        }
    }

    /// What holds the tables: `keyspace hospital`, `file vitals.db`.
    pub fn place(&self) -> String {
        match self {
            Self::Cassandra { keyspace, .. } => format!("keyspace {keyspace}"),
            Self::Sqlite { path } => format!("file {}", path.display()),
        }
    }

    /// Whether the store is on this machine.
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Cassandra { nodes, .. } => nodes.iter().all(|node| is_loopback(node)),
            Self::Sqlite { .. } => true,
        }
    }
}

fn use_shape() -> &'static str {
    "write cassandra://HOST[:PORT],…/KEYSPACE, as in cassandra://localhost:9042/hospital, or sqlite:PATH"
}

/// Takes a path as it is. A database in memory would be gone with the command that made it.
fn parse_path(text: OsString) -> Result<PathBuf, BadValue> {
    let fix = "write sqlite:PATH, as in sqlite:vitals.db or sqlite:/var/lib/vitals/vitals.db";
    match text.to_str() {
        Some("") => Err(BadValue::new("the address names no file", fix)),
        Some(":memory:") => Err(BadValue::new("a database in memory keeps nothing", fix)),
        _ => Ok(text.into()),
    }
}

fn parse_keyspace(text: &str) -> Result<String, BadValue> {
    let problem = |_| {
        let fix =
            format!("a keyspace's name has 1 to {MAX_NAME_BYTES} letters, digits and underscores, a letter first");
        BadValue::new(format!("'{text}' is no name of a keyspace"), fix)
    };
    text.parse::<Keyspace>().map(|keyspace| keyspace.to_string()).map_err(problem)
}

impl fmt::Display for StoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cassandra { nodes, keyspace } => write!(f, "cassandra://{}/{keyspace}", nodes.join(",")),
            Self::Sqlite { path } => write!(f, "{SQLITE}{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        StoreAddress::parse(text).unwrap_err().problem
    }

    #[test]
    fn a_store_is_nodes_and_a_keyspace() {
        let store = StoreAddress::parse("cassandra://db-1,[fe80::1]:9142/ward_7").unwrap();
        let StoreAddress::Cassandra { nodes, keyspace } = &store else { panic!("{store:?}") };
        assert_eq!(nodes, &["db-1:9042", "[fe80::1]:9142"]);
        assert_eq!(keyspace, "ward_7");
        assert_eq!(store.to_string(), "cassandra://db-1:9042,[fe80::1]:9142/ward_7");
    }

    #[test]
    fn a_store_without_a_keyspace_is_refused() {
        assert_eq!(problem("cassandra://db-1"), "the address names no keyspace");
        for keyspace in ["", "1ward", "ward-7", "a/b", "ünit", &"k".repeat(49)] {
            assert!(StoreAddress::parse(&format!("cassandra://db-1/{keyspace}")).is_err(), "{keyspace}");
        }
    }

    #[test]
    fn a_file_is_taken_as_it_is_written_unless_it_keeps_nothing() {
        for path in ["/var/lib/vitals.db", "vitals.db", "./ward 7/a@b:c.db", "~/vitals.db"] {
            let store = StoreAddress::parse(&format!("sqlite:{path}")).unwrap();
            assert_eq!(store, StoreAddress::Sqlite { path: path.into() });
            assert_eq!(store.to_string(), format!("sqlite:{path}"));
        }
        assert_eq!(problem("sqlite:"), "the address names no file");
        assert_eq!(problem("sqlite::memory:"), "a database in memory keeps nothing");
    }

    #[test]
    fn a_password_in_an_address_is_not_repeated() {
        for text in ["cassandra://nurse:s3cret@db-1/hospital", "nurse:s3cret@db-1", "cassandra://nurse:s3cret/x@db-1"] {
            assert!(!problem(text).contains("s3cret"), "{text}");
        }
    }
    #[test]
    fn a_store_is_on_this_machine_with_all_its_nodes() {
        assert!(StoreAddress::parse("sqlite:vitals.db").unwrap().is_loopback());
        assert!(!StoreAddress::parse("cassandra://localhost,db-1/hospital").unwrap().is_loopback());
    }
}
