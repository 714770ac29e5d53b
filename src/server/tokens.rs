//! Tokens: who may come to the server, and what they may do there. The store keeps what proves a token, never the token.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use color_eyre::eyre::Result;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::advice::{Advice, Code};
use crate::app::author::Author;
use crate::app::journal;
use crate::pipeline::store::Entry;
use crate::secret::Secret;
use crate::store::{AnyStore, Followed, History, Journal};
use crate::suggestion::nearest;

/// What a token begins with, so that one that lies about is known for what it is.
const PREFIX: &str = "vitals_";

/// What whoever has a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Look on.
    Viewer,
    /// Look on, acknowledge alarms, and pause them.
    Nurse,
    /// Everything.
    Admin,
    /// Send readings, and see nothing.
    Device,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Nurse, Self::Admin, Self::Device];

    /// Its stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Nurse => "nurse",
            Self::Admin => "admin",
            Self::Device => "device",
        }
    }

    /// Takes a [name](Self::name).
    ///
    /// # Errors
    /// The text is none; what is said names them all.
    pub fn parse(text: &str) -> Result<Self, String> {
        let names = Self::ALL.map(Self::name);
        Self::ALL.into_iter().find(|role| role.name() == text).ok_or_else(|| {
            let meant = nearest(text, names).map(|name| format!(", did you mean {name}?")).unwrap_or_default();
            format!("there are {}{meant}", names.join(", "))
        })
    }
}

/// What proves a token.
pub(super) type Digest = [u8; 32];

/// The digest of what somebody shows. Nobody can guess 256 random bits, so it need not be slow as one of a password is.
pub(super) fn digest(shown: &str) -> Digest {
    Sha256::digest(shown).into()
}

/// A token that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// Whose it is: of a person, a screen or a program.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Who gave it, and when.
    pub author: String,
    /// As it is written in the store.
    pub at: String,
    digest: Digest,
}

/// The content of an entry.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum Content {
    Given { role: Role, sha256: String },
    Revoked {},
}

impl Content {
    fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The tokens that hold.
#[derive(Debug, Clone, Default)]
pub struct Tokens {
    history: History,
    by_name: BTreeMap<String, Given>,
    /// Whose digest is whose.
    names: HashMap<Digest, String>,
}

impl Tokens {
    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Given> {
        self.by_name.values()
    }

    /// Whether it is what the journal said at the same version.
    pub(super) fn is_as(&self, other: &Self) -> bool {
        (&self.history, &self.by_name) == (&other.history, &other.by_name)
    }

    pub(super) fn find(&self, digest: &Digest) -> Option<&Given> {
        self.by_name.get(self.names.get(digest)?)
    }
}

impl Followed for Tokens {
    const JOURNAL: Journal = Journal::Tokens;

    fn history(&mut self) -> &mut History {
        &mut self.history
    }

    /// An entry that cannot be read here takes the token back: whoever wrote it did not leave it as it was.
    fn take(&mut self, entry: Entry) {
        if let Some(before) = self.by_name.remove(&entry.name) {
            self.names.remove(&before.digest);
        }
        let Ok(Content::Given { role, sha256 }) = serde_json::from_str(&entry.content) else { return };
        let digest = BASE64_URL_SAFE_NO_PAD.decode(sha256).ok().and_then(|bytes| Digest::try_from(bytes).ok());
        let Some(digest) = digest else { return };
        self.names.insert(digest, entry.name.clone());
        let given = Given { name: entry.name.clone(), role, author: entry.author, at: entry.at, digest };
        self.by_name.insert(entry.name, given);
    }
}

/// Why no token was given or taken back.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// There is one.
    #[error("'{0}' has a token already; nothing was changed")]
    IsThere(String),
    /// There is none.
    #[error("'{name}' has no token; nothing was changed")]
    NotThere {
        /// Of nobody.
        name: String,
        /// The name that is nearest.
        meant: Option<String>,
    },
}

impl Advice for TokenError {
    fn code(&self) -> Code {
        Code::Usage
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::IsThere(name) => {
                format!("choose another name, or take it back first: vitals serve token revoke '{name}' --by NAME")
            }
            Self::NotThere { meant: Some(meant), .. } => format!("did you mean '{meant}'?"),
            Self::NotThere { meant: None, .. } => "`vitals serve token list` shows who has one".to_owned(),
        })
    }
}

/// Gives a token to `name`. This is the only time that it can be seen.
///
/// # Errors
/// The name has one; those of the store.
pub async fn create(store: &AnyStore, name: &str, role: Role, author: &Author<'_>) -> Result<Secret> {
    let token = Secret::new(&format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())));
    let sha256 = BASE64_URL_SAFE_NO_PAD.encode(digest(token.reveal()));
    let content = Content::Given { role, sha256 }.text();
    let give = |tokens: &Tokens| {
        if tokens.by_name.contains_key(name) {
            return Err(TokenError::IsThere(name.to_owned()).into());
        }
        Ok((content.clone(), ()))
    };
    journal::change(store, name, author, give).await?;
    Ok(token)
}

/// Takes the token of `name` back. A server that runs lets it in for a few seconds more.
///
/// # Errors
/// The name has none; those of the store.
pub async fn revoke(store: &AnyStore, name: &str, author: &Author<'_>) -> Result<()> {
    let take = |tokens: &Tokens| {
        if tokens.by_name.contains_key(name) {
            return Ok((Content::Revoked {}.text(), ()));
        }
        let meant = nearest(name, tokens.by_name.keys().map(String::as_str)).map(str::to_owned);
        Err(TokenError::NotThere { name: name.to_owned(), meant }.into())
    };
    journal::change(store, name, author, take).await
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
impl Tokens {
    /// Of these, who show their names.
    pub(super) fn of(people: &[(&str, Role)]) -> Self {
        let mut tokens = Self::default();
        for (name, role) in people {
            let sha256 = BASE64_URL_SAFE_NO_PAD.encode(digest(name));
            let content = Content::Given { role: *role, sha256 }.text();
            let (name, version) = ((*name).to_owned(), 1);
            let (author, reason, at) = (String::new(), String::new(), String::new());
            tokens.take(Entry { version, name, author, reason, at, content });
        }
        tokens
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::cassandra::{NodeAccess, Replication};
    use crate::store::{Consistency, StoreAddress};

    async fn store() -> (tempfile::TempDir, AnyStore) {
        let folder = tempfile::tempdir().expect("a folder");
        let address = StoreAddress::Sqlite { path: folder.path().join("vitals.db") };
        let store = crate::store::open(&address, NodeAccess::default(), Consistency::default()).await.expect("a store");
        store.init(&Replication::default()).await.expect("tables");
        (folder, store)
    }

    fn author(by: &str) -> Author<'_> {
        Author::now(by, "").expect("a time")
    }

    async fn known(store: &AnyStore) -> Tokens {
        let mut tokens = Tokens::default();
        store.follow(&mut tokens).await.expect("the journal");
        tokens
    }

    #[tokio::test]
    async fn a_token_is_known_until_it_is_taken_back_and_the_store_does_not_have_it() {
        let (_folder, store) = store().await;
        let token = create(&store, "West", Role::Viewer, &author("Anna")).await.expect("a token");
        assert!(token.reveal().starts_with(PREFIX) && token.reveal().len() == PREFIX.len() + 43, "{}", token.reveal());
        let mut tokens = known(&store).await;
        let found = tokens.find(&digest(token.reveal())).expect("it is known");
        assert_eq!((found.name.as_str(), found.role, found.author.as_str()), ("West", Role::Viewer, "Anna"));
        let entry = store.newest_entries(Journal::Tokens, 1).await.expect("entries").remove(0);
        assert!(!format!("{entry:?}").contains(token.reveal().trim_start_matches(PREFIX)), "{entry:?}");

        let twice = create(&store, "West", Role::Nurse, &author("Bo")).await.expect_err("there is one");
        assert_eq!(twice.downcast_ref(), Some(&TokenError::IsThere("West".to_owned())));
        revoke(&store, "West", &author("Bo")).await.expect("taken back");
        store.follow(&mut tokens).await.expect("the journal");
        assert!(tokens.find(&digest(token.reveal())).is_none() && tokens.iter().next().is_none());
        let again = create(&store, "West", Role::Nurse, &author("Bo")).await.expect("a token");
        store.follow(&mut tokens).await.expect("the journal");
        assert!(tokens.find(&digest(token.reveal())).is_none(), "the old one stays what it is");
        assert!(tokens.find(&digest(again.reveal())).is_some_and(|given| given.role == Role::Nurse));
    }

    #[tokio::test]
    async fn whoever_is_not_there_has_no_token_to_take_back() {
        let (_folder, store) = store().await;
        create(&store, "West", Role::Viewer, &author("Anna")).await.expect("a token");
        let error = revoke(&store, "Wets", &author("Anna")).await.expect_err("nobody");
        let error = error.downcast_ref::<TokenError>().expect("ours");
        assert_eq!(error.hint().as_deref(), Some("did you mean 'West'?"));
    }

    #[test]
    fn an_entry_that_cannot_be_read_takes_a_token_back() {
        let mut tokens = Tokens::default();
        let entry = |version, content: &str| Entry {
            version,
            name: "West".to_owned(),
            author: "Anna".to_owned(),
            reason: String::new(),
            at: String::new(),
            content: content.to_owned(),
        };
        let sha256 = BASE64_URL_SAFE_NO_PAD.encode(digest("x"));
        let given = Content::Given { role: Role::Admin, sha256 }.text();
        tokens.take(entry(1, &given));
        assert!(tokens.find(&digest("x")).is_some());
        for (version, content) in [(2, "{}"), (4, "{\"given\":{\"role\":\"king\",\"sha256\":\"\"}}"), (6, "")] {
            tokens.take(entry(version, content));
            assert!(tokens.find(&digest("x")).is_none(), "{content}");
            tokens.take(entry(version + 1, &given));
            assert!(tokens.find(&digest("x")).is_some());
        }
    }
}
