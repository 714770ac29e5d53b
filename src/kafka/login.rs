//! Who we are, for brokers that want to know: SASL with PLAIN or SCRAM, over a connection of ours, which renews it.

pub(crate) mod scram;

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::error::ParseResponseErrorCode;
use kafka_protocol::messages::{ApiKey, SaslAuthenticateRequest, SaslHandshakeRequest};
use rand::RngExt;
use rand::distr::Alphanumeric;

use self::scram::{Exchange, Hash, Unproven};
use super::connection::Connection;
use super::error::KafkaError;
use super::wire;
use crate::secret::Secret;

/// How the password is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// It is sent as it is: the settings take it inside TLS only.
    Plain,
    /// SCRAM with SHA-256.
    ScramSha256,
    /// SCRAM with SHA-512.
    ScramSha512,
}

impl Mechanism {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::ScramSha512, Self::ScramSha256, Self::Plain];

    /// Its name, as brokers call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A user of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// Its name.
    pub user: String,
    /// Its password.
    pub password: Secret,
    /// How that is proven.
    pub mechanism: Mechanism,
}

/// Why a broker lets nobody in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each message names its fields")]
pub enum LoginError {
    /// This mechanism is switched off.
    #[error("it does not offer {mechanism}{}", instead(offered))]
    MechanismOff { mechanism: Mechanism, offered: Vec<String> },
    /// It lets everybody in.
    #[error("it wants no login")]
    NotWanted,
    /// The password would be sent as it is, for everybody on the way to read.
    #[error("PLAIN is for TLS alone")]
    InTheClear,
    /// Name or password are wrong; brokers do not tell which.
    #[error("it does not know '{user}' with this password")]
    Wrong { user: String },
    /// It refuses for another reason.
    #[error("{code}{detail}")]
    Refused { code: ResponseError, detail: String },
    /// It cannot prove that it knows the password, or breaks the rules of the exchange.
    #[error("it answered with {0}")]
    Unproven(String),
}

impl LoginError {
    /// What to do next.
    pub(super) fn hint(&self) -> &'static str {
        match self {
            Self::MechanismOff { .. } => "choose one that it offers with --broker-mechanism",
            Self::NotWanted => "leave --broker-user out, or name another port of the broker",
            Self::InTheClear => "use SCRAM-SHA-512, or speak TLS with it",
            Self::Wrong { .. } => {
                "brokers do not tell which is wrong: check --broker-user, the password, and that the user has one for \
                 this --broker-mechanism"
            }
            Self::Refused { .. } => "ask the cluster's operator",
            Self::Unproven(_) => "what answers there may be somebody else: do not give it the password",
        }
    }
}

fn instead(offered: &[String]) -> String {
    if offered.is_empty() { String::new() } else { format!(", but {}", offered.join(", ")) }
}

/// What one message of the exchange came to.
struct Answer {
    bytes: Bytes,
    /// How long the login holds; `None` for ever.
    lifetime: Option<Duration>,
}

impl Login {
    /// Proves on `connection` who we are. How long that holds; `None` for as long as the connection.
    pub(super) async fn prove(&self, connection: &mut Connection) -> Result<Option<Duration>, KafkaError> {
        if self.mechanism == Mechanism::Plain && !connection.is_encrypted() {
            return Err(connection.login_error(LoginError::InTheClear));
        }
        if !connection.speaks(wire::api_key(ApiKey::SaslHandshake)) {
            return Err(connection.login_error(LoginError::NotWanted));
        }
        let handshake = SaslHandshakeRequest::default().with_mechanism(super::cluster::text(self.mechanism.name()));
        let response = connection.call(&handshake).await?;
        match response.error_code.err() {
            None => {}
            Some(ResponseError::UnsupportedSaslMechanism) => {
                let offered = response.mechanisms.iter().map(ToString::to_string).collect();
                return Err(connection.login_error(LoginError::MechanismOff { mechanism: self.mechanism, offered }));
            }
            Some(ResponseError::IllegalSaslState) => return Err(connection.login_error(LoginError::NotWanted)),
            Some(code) => {
                return Err(connection.login_error(LoginError::Refused { code, detail: String::new() }));
            }
        }
        let hash = match self.mechanism {
            Mechanism::Plain => {
                let proof = format!("\0{}\0{}", self.user, self.password.reveal());
                return Ok(self.say(connection, proof).await?.lifetime);
            }
            Mechanism::ScramSha256 => Hash::Sha256,
            Mechanism::ScramSha512 => Hash::Sha512,
        };
        let nonce: String = rand::rng().sample_iter(Alphanumeric).take(24).map(char::from).collect();
        let exchange = Exchange { hash, user: &self.user, password: self.password.reveal(), nonce: &nonce };
        let challenge = self.say(connection, exchange.first()).await?;
        let unproven = |error: Unproven| LoginError::Unproven(error.to_string());
        let (proof, expected) =
            exchange.answer(&challenge.bytes).map_err(|error| connection.login_error(unproven(error)))?;
        let last = self.say(connection, proof).await?;
        expected.verify(&last.bytes).map_err(|error| connection.login_error(unproven(error)))?;
        Ok(last.lifetime)
    }

    async fn say(&self, connection: &mut Connection, message: String) -> Result<Answer, KafkaError> {
        let request = SaslAuthenticateRequest::default().with_auth_bytes(message.into_bytes().into());
        let response = connection.call(&request).await?;
        let Some(code) = response.error_code.err() else {
            let lifetime = u64::try_from(response.session_lifetime_ms).ok().filter(|millis| *millis > 0);
            return Ok(Answer { bytes: response.auth_bytes, lifetime: lifetime.map(Duration::from_millis) });
        };
        Err(connection.login_error(if code == ResponseError::SaslAuthenticationFailed {
            LoginError::Wrong { user: self.user.clone() }
        } else {
            let detail = response.error_message.map(|text| format!(": {text}")).unwrap_or_default();
            LoginError::Refused { code, detail }
        }))
    }
}

#[cfg(test)]
mod tests;
