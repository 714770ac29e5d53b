//! Who may use the broker, and the login of each connection: SASL with SCRAM, as Kafka's.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::{
    SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest, SaslHandshakeResponse,
};
use kafka_protocol::protocol::StrBytes;
use tokio::time::sleep;

use crate::kafka::login::Mechanism;
use crate::kafka::login::scram::{Challenge, Hash, Strangers, Verifier};

/// Who tries passwords waits so long for each, as at Kafka.
pub(super) const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(100);

/// What is offered. PLAIN would need the passwords themselves.
const OFFERED: [(Mechanism, Hash); 2] =
    [(Mechanism::ScramSha256, Hash::Sha256), (Mechanism::ScramSha512, Hash::Sha512)];

/// The users, and what proves that somebody knows their passwords.
pub struct Users {
    known: BTreeMap<String, [Verifier; 2]>,
    /// What those are asked who are nobody, so that nobody can tell.
    strangers: Strangers,
}

/// Without what proves anything.
impl std::fmt::Debug for Users {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.known.keys()).finish()
    }
}

/// Why the file of users cannot be used. No text of it holds a password.
#[derive(Debug, thiserror::Error)]
pub enum UsersError {
    /// It cannot be read.
    #[error("cannot read {}", .0.display())]
    Unreadable(PathBuf, #[source] std::io::Error),
    /// It holds something else than users.
    #[error("{}{}: {problem}", path.display(), line.map(|line| format!(", line {line}")).unwrap_or_default())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: Option<usize>,
        /// What is wrong.
        problem: String,
    },
}

impl Users {
    /// Reads a file of TOML with a line `name = "password"` for each user.
    pub fn read(path: &Path) -> Result<Self, UsersError> {
        let text = std::fs::read_to_string(path).map_err(|error| UsersError::Unreadable(path.to_owned(), error))?;
        let malformed =
            |line, problem: &str| UsersError::Malformed { path: path.to_owned(), line, problem: problem.to_owned() };
        let line_of = |at: usize| text.get(..at).map(|before| before.matches('\n').count() + 1);
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            // Its whole text shows the line, with the password.
            malformed(error.span().and_then(|span| line_of(span.start)), error.message())
        })?;
        let mut users = BTreeMap::new();
        for (name, password) in table {
            let password = password.as_str().filter(|password| !password.is_empty() && !name.is_empty());
            let password = password.ok_or_else(|| malformed(None, &format!("'{name}' has no password")))?;
            users.insert(name, OFFERED.map(|(_, hash)| Verifier::new(hash, password)));
        }
        if users.is_empty() {
            return Err(malformed(None, "there are no users"));
        }
        Ok(Self { known: users, strangers: Strangers::new() })
    }
}

/// How far a connection has come.
pub(super) enum Login {
    /// Everybody is let in.
    Open,
    /// Nobody has said who they are yet.
    Wanted,
    /// The place of the mechanism in what is offered.
    Chosen(usize),
    Challenged(Box<Challenge>),
    In,
    /// Nothing is answered any more.
    Failed,
}

impl Login {
    pub(super) fn of(users: Option<&Users>) -> Self {
        if users.is_some() { Self::Wanted } else { Self::Open }
    }

    /// Whether nothing more is answered.
    pub(super) fn has_failed(&self) -> bool {
        matches!(self, Self::Failed)
    }

    /// Whether requests are answered.
    pub(super) fn is_in(&self) -> bool {
        matches!(self, Self::Open | Self::In)
    }

    pub(super) fn handshake(&mut self, request: &SaslHandshakeRequest) -> SaslHandshakeResponse {
        let offers = || OFFERED.iter().map(|(mechanism, _)| StrBytes::from_static_str(mechanism.name())).collect();
        let code = match (&self, OFFERED.iter().position(|(mechanism, _)| *mechanism.name() == *request.mechanism)) {
            (Self::Wanted, Some(chosen)) => {
                *self = Self::Chosen(chosen);
                None
            }
            (Self::Wanted, None) => Some(ResponseError::UnsupportedSaslMechanism),
            (Self::Open, _) => {
                return SaslHandshakeResponse::default().with_error_code(ResponseError::IllegalSaslState.code());
            }
            _ => Some(ResponseError::IllegalSaslState),
        };
        SaslHandshakeResponse::default().with_error_code(code.map_or(0, |code| code.code())).with_mechanisms(offers())
    }

    pub(super) async fn authenticate(
        &mut self,
        users: Option<&Users>,
        request: &SaslAuthenticateRequest,
    ) -> SaslAuthenticateResponse {
        let answer = match (std::mem::replace(self, Self::Failed), users) {
            (Self::Chosen(chosen), Some(users)) => {
                let hash = OFFERED.get(chosen).map_or(Hash::Sha512, |(_, hash)| *hash);
                let find = |user: &str| users.known.get(user).and_then(|of| of.get(chosen));
                Challenge::answer(&request.auth_bytes, find, (hash, &users.strangers)).map(|(challenge, text)| {
                    *self = Self::Challenged(Box::new(challenge));
                    text
                })
            }
            (Self::Challenged(challenge), _) => challenge.verify(&request.auth_bytes).inspect(|_| *self = Self::In),
            (Self::Open, _) => {
                *self = Self::Open;
                None
            }
            _ => None,
        };
        if let Some(text) = answer {
            return SaslAuthenticateResponse::default().with_auth_bytes(text.into_bytes().into());
        }
        sleep(PAUSE_AFTER_FAILURE).await;
        // One text for all, and at the same moment: whether it was the name is nobody's business.
        let told = StrBytes::from_static_str("name or password are wrong");
        let code = ResponseError::SaslAuthenticationFailed.code();
        SaslAuthenticateResponse::default().with_error_code(code).with_error_message(Some(told))
    }
}
