//! Changes in a [`Journal`](crate::store::Journal), one after the other whoever makes them, so that none is lost.

use color_eyre::eyre::Result;

use super::author::Author;
use crate::advice::{Advice, Code};
use crate::pipeline::store::Entry;
use crate::store::{AnyStore, Followed};

/// How often somebody else may make a change at the same moment.
const ATTEMPTS: u32 = 20;

/// Somebody else was faster each time.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("others change the same at the same moment, again and again; nothing was changed")]
pub struct Contended;

impl Advice for Contended {
    fn code(&self) -> Code {
        Code::Unreachable
    }

    fn hint(&self) -> Option<String> {
        Some("try again".to_owned())
    }
}

/// Adds an entry of `name`: `change` makes its content of what was known by then, and what is given back.
pub async fn change<J: Followed, T>(
    store: &AnyStore,
    name: &str,
    Author { by, reason, at }: &Author<'_>,
    change: impl Fn(&J) -> Result<(String, T)>,
) -> Result<T> {
    let mut known = J::default();
    for _ in 0..ATTEMPTS {
        store.follow(&mut known).await?;
        let (content, given) = change(&known)?;
        let entry = Entry {
            version: known.version().saturating_add(1),
            name: name.to_owned(),
            author: (*by).to_owned(),
            reason: (*reason).to_owned(),
            at: at.to_string(),
            content,
        };
        if store.add_entry(J::JOURNAL, &entry).await? {
            return Ok(given);
        }
    }
    Err(Contended.into())
}
