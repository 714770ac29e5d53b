//! The audit trail of the server: who changed something by it, or looked at a patient. Nobody waits for it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

use super::Shared;
use super::rates::{Rate, Rates};
use crate::advice::Code;
use crate::trail::{Act, Kind, Names, Trail};

tokio::task_local! {
    /// Whose token was shown by the one who asks, where one has to be.
    pub(super) static TOKEN: Option<Arc<str>>;
}

/// Whose token was shown, where one has to be.
pub(super) fn asker() -> Option<Arc<str>> {
    TOKEN.try_with(Clone::clone).ok().flatten()
}

/// Lines of logins of one: more at once than a person, or all who look after a ward's screens, type.
const LOGINS_OF_ONE: Rate = Rate { burst: 20, every: Duration::from_secs(6) };
/// Of all together: some 5 MB a day where somebody wants to push out of the trail what is in it.
const LOGINS: Rate = Rate { burst: 200, every: Duration::from_secs(5) };

/// Who types a token: whose it is, or else from which network.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Asker {
    Named(Arc<str>),
    From(Option<IpAddr>),
}

/// Which logins are told: not more than so many of one, and of all, whatever comes of them.
#[derive(Debug)]
pub(super) struct Logins {
    of_one: Mutex<Rates<Asker>>,
    of_all: Mutex<Rates<()>>,
    /// Those that were not, since the last that was.
    untold: AtomicU64,
}

impl Logins {
    pub(super) fn new() -> Self {
        let (of_one, of_all) = (Mutex::new(Rates::new(LOGINS_OF_ONE)), Mutex::new(Rates::new(LOGINS)));
        Self { of_one, of_all, untold: AtomicU64::new(0) }
    }

    /// Whether one more is told, and then how many before it were not.
    pub(super) fn take(&self, asker: Asker) -> Option<u64> {
        let is_told = self.of_one.lock().unwrap_or_else(PoisonError::into_inner).take(asker)
            && self.of_all.lock().unwrap_or_else(PoisonError::into_inner).take(());
        if is_told {
            return Some(self.untold.swap(0, Relaxed));
        }
        self.untold.fetch_add(1, Relaxed);
        None
    }
}

/// What is told of a request.
#[derive(Debug)]
pub(super) struct Told {
    act: &'static str,
    kind: Kind,
    what: BTreeMap<&'static str, Value>,
    by: Option<String>,
}

impl Told {
    /// Somebody looks at what belongs to a patient.
    pub(super) fn query(act: &'static str, patient: &str) -> Self {
        Self::of(act, Kind::Query, BTreeMap::from([("patient", patient.into())]), None)
    }

    /// Somebody looks at the whole ward, or at the alarms of everybody.
    pub(super) fn query_of_all(act: &'static str) -> Self {
        Self::of(act, Kind::Query, BTreeMap::new(), None)
    }

    /// Somebody, who says to be `by`, changes something.
    pub(super) fn change(act: &'static str, name: &'static str, what: &str, by: &str) -> Self {
        Self::of(act, Kind::Administrative, BTreeMap::from([(name, what.into())]), Some(by.to_owned()))
    }

    /// Somebody shows a token, which is that of `name` if it is one, after so many logins that were not told.
    pub(super) fn login(name: Option<&str>, untold: u64) -> Self {
        let what = if untold > 0 { BTreeMap::from([("untold", untold.into())]) } else { BTreeMap::new() };
        Self::of("login", Kind::Administrative, what, name.map(str::to_owned))
    }

    fn of(act: &'static str, kind: Kind, mut what: BTreeMap<&'static str, Value>, by: Option<String>) -> Self {
        let token = asker();
        // Who acts says who they are; the token says from where.
        let by = by.or_else(|| token.as_deref().map(str::to_owned));
        if let Some(token) = token {
            what.insert("token", (*token).into());
        }
        Self { act, kind, what, by }
    }

    /// Writes what came of it, on a thread of its own.
    pub(super) fn write(self, shared: &Arc<Shared>, is_done: bool) {
        let shared = Arc::clone(shared);
        let Self { act, kind, what, by } = self;
        let act = Act {
            name: format!("serve.{act}"),
            kind,
            by,
            what,
            settings: Vec::new(),
            servers: vec!["store"],
            options: Vec::new(),
            lasts: false,
        };
        tokio::task::spawn_blocking(move || {
            let value_of = |name: &str| shared.settings.in_words(name).map(str::to_owned);
            let mut trail = Trail::new(&shared.settings.audit_log, act, Names::default(), value_of);
            let code = if is_done { Code::Done } else { Code::Unreachable };
            if let Err(error) = trail.end(code) {
                tracing::warn!(event = "audit_log", "{error}");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn of_many_logins_some_are_told_and_then_how_many_were_not() {
        let logins = Logins::new();
        let (anna, there) = (Asker::Named("Anna".into()), Asker::From(Some([10, 0, 0, 1].into())));
        for asker in [&anna, &there] {
            let told = (0..100).filter(|_| logins.take(asker.clone()).is_some()).count();
            assert_eq!(told, 20, "{asker:?}");
        }
        assert_eq!(logins.take(Asker::Named("Bo".into())), Some(80), "others are told");
        tokio::time::advance(LOGINS_OF_ONE.every).await;
        assert_eq!(logins.take(anna), Some(0));
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_from_everywhere_fills_no_disk() {
        let logins = Logins::new();
        let from = |number: u32| Asker::From(Some(std::net::Ipv4Addr::from_bits(number).into()));
        assert_eq!((0..1_000).filter(|number| logins.take(from(*number)).is_some()).count(), 200);
    }
}
