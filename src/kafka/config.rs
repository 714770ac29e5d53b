//! How a cluster is reached. Every way in has the same: our own connections, and rskafka.

/// How a cluster is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaConfig {
    /// The brokers to ask first, each as `host:port`.
    pub brokers: Vec<String>,
}

impl KafkaConfig {
    /// The brokers, for messages to the user.
    #[must_use]
    pub fn name(&self) -> String {
        self.brokers.join(",")
    }
}

impl From<&KafkaConfig> for KafkaConfig {
    fn from(config: &KafkaConfig) -> Self {
        config.clone()
    }
}

/// Nothing but the brokers.
impl From<&[String]> for KafkaConfig {
    fn from(brokers: &[String]) -> Self {
        Self { brokers: brokers.to_vec() }
    }
}

/// Nothing but the brokers.
impl From<&Vec<String>> for KafkaConfig {
    fn from(brokers: &Vec<String>) -> Self {
        brokers.as_slice().into()
    }
}

/// Nothing but the brokers.
impl<const N: usize> From<&[String; N]> for KafkaConfig {
    fn from(brokers: &[String; N]) -> Self {
        brokers.as_slice().into()
    }
}
