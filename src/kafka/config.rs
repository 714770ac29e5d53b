//! How a cluster is reached.

/// How a cluster is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaConfig {
    /// The brokers to ask first, each as `host:port`.
    pub brokers: Vec<String>,
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

/// Nothing but the brokers.
impl<T: AsRef<[String]> + ?Sized> From<&T> for KafkaConfig {
    fn from(brokers: &T) -> Self {
        Self { brokers: brokers.as_ref().to_vec() }
    }
}
