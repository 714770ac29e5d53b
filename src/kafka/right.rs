//! What a user of a cluster with access control has to be allowed, in the words of Kafka's own tool.

use std::collections::BTreeMap;
use std::fmt;

use kafka_protocol::ResponseError;
use kafka_protocol::error::ParseResponseErrorCode as _;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{DescribeGroupsRequest, GroupId, MetadataRequest};

use super::cluster::{Cluster, text, topic_name};
use super::error::KafkaError;
use super::group::admin;

/// What is done to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "named as Kafka names them")]
pub enum Operation {
    Read,
    Write,
    Create,
    Delete,
    Describe,
    DescribeConfigs,
    AlterConfigs,
    All,
}

impl Operation {
    /// As `kafka-acls` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "Read",
            Self::Write => "Write",
            Self::Create => "Create",
            Self::Delete => "Delete",
            Self::Describe => "Describe",
            Self::DescribeConfigs => "DescribeConfigs",
            Self::AlterConfigs => "AlterConfigs",
            Self::All => "All",
        }
    }

    /// Its bit in what a broker tells of one's own rights; brokers resolve `All` into the others.
    fn bit(self) -> Option<u32> {
        Some(match self {
            Self::Read => 3,
            Self::Write => 4,
            Self::Create => 5,
            Self::Delete => 6,
            Self::Describe => 8,
            Self::DescribeConfigs => 10,
            Self::AlterConfigs => 11,
            Self::All => return None,
        })
    }
}

/// What something is done to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    /// A topic, by its name.
    Topic(String),
    /// A consumer group, by its name.
    Group(String),
}

impl Resource {
    /// As `kafka-acls` takes it.
    pub fn option(&self) -> String {
        let (option, name) = match self {
            Self::Topic(name) => ("--topic", name),
            Self::Group(name) => ("--group", name),
        };
        format!("{option} {}", quoted(name))
    }
}

/// A group may have any name; a shell takes it as it is.
fn quoted(name: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    if !name.is_empty() && name.chars().all(is_plain) {
        name.to_owned()
    } else {
        format!("'{}'", name.replace('\'', r"'\''"))
    }
}

/// Something that has to be allowed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    /// What is done.
    pub operation: Operation,
    /// To what.
    pub resource: Resource,
}

impl Right {
    /// To a topic.
    pub fn topic(operation: Operation, topic: &str) -> Self {
        Self { operation, resource: Resource::Topic(topic.to_owned()) }
    }

    /// To a consumer group.
    pub fn group(operation: Operation, group: &str) -> Self {
        Self { operation, resource: Resource::Group(group.to_owned()) }
    }

    /// What a member of `group` that reads `topic` lacks, by the code of the refusal.
    pub(super) fn of_member(code: ResponseError, group: &str, topic: &str) -> Self {
        match code {
            ResponseError::TopicAuthorizationFailed => Self::topic(Operation::Read, topic),
            _ => Self::group(Operation::Read, group),
        }
    }
}

/// The line that gives the right; who gives it adds where the cluster is, and who gets it.
impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (operation, resource) = (self.operation.name(), self.resource.option());
        write!(
            f,
            "kafka-acls --bootstrap-server HOST:PORT --add --allow-principal User:NAME --operation {operation} {resource}"
        )
    }
}

/// What one may do to a resource, as a broker tells it; `None` where it does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowed(Option<i32>);

impl Allowed {
    /// What a broker says that does not say it.
    const UNTOLD: i32 = i32::MIN;

    pub(super) fn of(told: i32) -> Self {
        Self((told != Self::UNTOLD).then_some(told))
    }

    /// Whether it is certain that this is not allowed.
    pub fn refuses(self, operation: Operation) -> bool {
        let (Some(told), Some(bit)) = (self.0, operation.bit()) else { return false };
        told & (1 << bit) == 0
    }
}

/// What we may do to these topics. One that is not there is left out; of one that we may not even know nothing is allowed.
pub async fn to_topics(cluster: &mut Cluster, topics: &[&str]) -> Result<BTreeMap<String, Allowed>, KafkaError> {
    let wanted = |topic: &&str| MetadataRequestTopic::default().with_name(Some(topic_name(topic)));
    let request = MetadataRequest::default()
        .with_topics(Some(topics.iter().map(wanted).collect()))
        .with_allow_auto_topic_creation(false)
        .with_include_topic_authorized_operations(true);
    let mut found = BTreeMap::new();
    for topic in cluster.ask(&request).await?.topics {
        let name = topic.name.map(|name| name.to_string()).unwrap_or_default();
        match topic.error_code.err() {
            Some(ResponseError::TopicAuthorizationFailed) => found.insert(name, Allowed::of(0)),
            Some(ResponseError::UnknownTopicOrPartition) => None,
            _ => found.insert(name, Allowed::of(topic.topic_authorized_operations)),
        };
    }
    Ok(found)
}

/// What we may do to a consumer group; one that is not there is judged by its name.
pub async fn to_group(cluster: &mut Cluster, group: &str) -> Result<Allowed, KafkaError> {
    let coordinator = match admin::coordinator(cluster, group).await {
        Err(KafkaError::Refused { code: ResponseError::GroupAuthorizationFailed, .. }) => return Ok(Allowed::of(0)),
        found => found?,
    };
    let request = DescribeGroupsRequest::default()
        .with_groups(vec![GroupId(text(group))])
        .with_include_authorized_operations(true);
    let described = cluster.node(coordinator).await?.call(&request).await?.groups.into_iter().next();
    Ok(match described {
        Some(group) if group.error_code == ResponseError::GroupAuthorizationFailed.code() => Allowed::of(0),
        Some(group) => Allowed::of(group.authorized_operations),
        None => Allowed(None),
    })
}

/// Whether a refusal is for want of a right.
pub(super) fn is_missing_right(code: ResponseError) -> bool {
    matches!(
        code,
        ResponseError::TopicAuthorizationFailed
            | ResponseError::GroupAuthorizationFailed
            | ResponseError::ClusterAuthorizationFailed
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_is_the_line_that_gives_it() {
        let right = Right::group(Operation::Read, "the ward's");
        assert!(right.to_string().ends_with(r"--operation Read --group 'the ward'\''s'"), "{right}");
        assert!(Right::topic(Operation::Write, "a.b-c_1").to_string().ends_with("--operation Write --topic a.b-c_1"));
    }

    #[test]
    fn what_is_not_told_is_not_refused() {
        assert!(!Allowed::of(Allowed::UNTOLD).refuses(Operation::Write));
        let read_and_describe = Allowed::of(1 << 3 | 1 << 8);
        assert!(read_and_describe.refuses(Operation::Write) && !read_and_describe.refuses(Operation::Read));
    }
}
