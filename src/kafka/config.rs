//! How a cluster is reached.

use super::login::Login;
use crate::tls::Tls;

/// How a cluster is reached.
#[derive(Debug, Clone)]
pub struct KafkaConfig {
    /// The brokers to ask first, each as `host:port`.
    pub brokers: Vec<String>,
    /// How each of them is spoken with.
    pub access: Access,
}

/// How every broker of a cluster is spoken with. By itself in the clear, and as nobody.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// Inside TLS.
    pub tls: Option<Tls>,
    /// As this user.
    pub login: Option<Login>,
}

impl KafkaConfig {
    /// The brokers, for messages to the user.
    pub fn name(&self) -> String {
        self.brokers.join(",")
    }
}

impl From<&KafkaConfig> for KafkaConfig {
    fn from(config: &KafkaConfig) -> Self {
        config.clone()
    }
}

/// Brokers that are spoken with in the clear, and as nobody.
impl<T: AsRef<[String]> + ?Sized> From<&T> for KafkaConfig {
    fn from(brokers: &T) -> Self {
        Self { brokers: brokers.as_ref().to_vec(), access: Access::default() }
    }
}
