//! The audit trail of the server: who changed something by it, or looked at a patient. Nobody waits for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::Shared;
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

    /// Somebody shows a token, which is that of `name` if it is one.
    pub(super) fn login(name: Option<&str>) -> Self {
        Self::of("login", Kind::Administrative, BTreeMap::new(), name.map(str::to_owned))
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
