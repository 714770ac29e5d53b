//! Apache Kafka: a broker with its own controller (`KRaft`), of which several may work together; or one beside a
//! `ZooKeeper`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::folder::{StackFolder, make_folder, write_file};
use super::java::Bundle;
use super::options::{HeapSize, ServerSetting};
use super::secure::{self, SecureListeners};
use super::server::{Member, Role, SPARING, Server, class_path, file_address, with_path};
use crate::error::Result;

/// Who keeps Kafka's cluster metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum KafkaLayout {
    /// Kafka 4.3.1 itself.
    Kraft,
    /// Kafka 3.4.1 with ZooKeeper, as older set-ups have it.
    Zookeeper,
    /// Kafka 3.9.2, the last line that takes a ZooKeeper.
    #[value(name = "zookeeper-3.9")]
    LastZookeeper,
}

impl KafkaLayout {
    /// The jars of this Kafka, and of its ZooKeeper.
    pub(crate) fn bundle(self) -> &'static Bundle {
        match self {
            Self::Kraft => &BUNDLE_4_3,
            Self::Zookeeper => &BUNDLE_3_4,
            Self::LastZookeeper => &BUNDLE_3_9,
        }
    }
}

const BUNDLE_4_3: Bundle = Bundle {
    name: "Kafka",
    version: "4.3.1",
    artifacts: &[
        ("org.apache.kafka", "kafka_2.13", "4.3.1"),
        ("org.apache.kafka", "kafka-tools", "4.3.1"),
        // Without it the server has nowhere to log to and can end without a word.
        ("org.apache.logging.log4j", "log4j-slf4j-impl", "2.25.4"),
    ],
};

/// Also brings `ZooKeeper` 3.6.4.
const BUNDLE_3_4: Bundle = Bundle {
    name: "Kafka",
    version: "3.4.1",
    artifacts: &[
        ("org.apache.kafka", "kafka_2.13", "3.4.1"),
        // Where it logs to; it does not start without.
        ("org.slf4j", "slf4j-reload4j", "1.7.36"),
    ],
};

/// Also brings `ZooKeeper` 3.8.4.
const BUNDLE_3_9: Bundle = Bundle {
    name: "Kafka",
    version: "3.9.2",
    artifacts: &[("org.apache.kafka", "kafka_2.13", "3.9.2"), ("org.apache.kafka", "kafka-tools", "3.9.2")],
};

/// Any 16 bytes in URL-safe base64 will do.
const CLUSTER_ID: &str = "dml0YWxzLXNlcnZpY2VzMA";

/// Where the cluster metadata is, with the port to reach it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Metadata {
    /// The own controller of each of so many brokers listens on this port of the broker's host.
    Kraft { controller_port: u16, brokers: u8 },
    /// The stack's `ZooKeeper` listens on this port.
    Zookeeper { port: u16 },
}

#[derive(Debug)]
pub(crate) struct Kafka {
    pub(crate) layout: KafkaLayout,
    /// Which of several brokers, from 1 on.
    pub(crate) number: u8,
    pub(crate) is_sparing: bool,
    pub(crate) port: u16,
    pub(crate) metadata: Metadata,
    /// Further listeners.
    pub(crate) secure: Option<SecureListeners>,
    pub(crate) heap: HeapSize,
    /// Win over the settings below.
    pub(crate) settings: Vec<ServerSetting>,
}

impl Kafka {
    fn properties(&self, data: &Path, folder: &StackFolder) -> String {
        let host = self.member().host();
        let more = self.secure.map(|secure| secure.listeners(host)).unwrap_or_default();
        let address = format!("PLAINTEXT://{host}:{}{more}", self.port);
        // With three copies two are left to agree when one broker is down.
        let copies = self.brokers().min(3);
        let (copies, fewest) = (copies.to_string(), copies.div_ceil(2).to_string());
        let mut properties = ServerSetting::list(&[
            ("log.dirs", &data.display().to_string()),
            ("advertised.listeners", &address),
            // The project makes its topics itself, with the settings they need.
            ("auto.create.topics.enable", "false"),
            ("offsets.topic.replication.factor", &copies),
            ("min.insync.replicas", &fewest),
            ("transaction.state.log.replication.factor", &copies),
            ("transaction.state.log.min.isr", &fewest),
            ("share.coordinator.state.topic.replication.factor", &copies),
            ("share.coordinator.state.topic.min.isr", &fewest),
            // Fewer files: the first group and the first transaction would otherwise make 50 partitions each.
            ("offsets.topic.num.partitions", "4"),
            ("transaction.state.log.num.partitions", "4"),
            // The first member of a group does not wait for others.
            ("group.initial.rebalance.delay.ms", "0"),
            // The default of 128 MB would not fit into a small heap.
            ("log.cleaner.dedupe.buffer.size", "4194304"),
        ]);
        properties.extend(self.metadata_properties(&address));
        if self.secure.is_some() {
            properties.extend(SecureListeners::settings(self.member(), folder));
        }
        ServerSetting::joined(&properties, &self.settings, "=")
    }

    fn metadata_properties(&self, address: &str) -> Vec<ServerSetting> {
        match self.metadata {
            Metadata::Kraft { controller_port, brokers } => ServerSetting::list(&[
                ("process.roles", "broker,controller"),
                ("node.id", &self.number.to_string()),
                ("controller.quorum.voters", &voters(brokers, controller_port)),
                ("controller.listener.names", "CONTROLLER"),
                ("listeners", &format!("{address},CONTROLLER://{}:{controller_port}", self.member().host())),
                (
                    "listener.security.protocol.map",
                    &format!(
                        "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT{}",
                        self.secure.map(SecureListeners::protocols).unwrap_or_default()
                    ),
                ),
            ]),
            Metadata::Zookeeper { port } => ServerSetting::list(&[
                ("broker.id", "1"),
                ("zookeeper.connect", &format!("127.0.0.1:{port}")),
                // Both start together, and ZooKeeper may need a while on a busy machine.
                ("zookeeper.connection.timeout.ms", "90000"),
                ("listeners", address),
            ]),
        }
    }

    fn brokers(&self) -> u8 {
        match self.metadata {
            Metadata::Kraft { brokers, .. } => brokers,
            Metadata::Zookeeper { .. } => 1,
        }
    }

    /// No version can read the data of a newer one, and who votes is written down when it is formatted.
    fn data(&self, folder: &StackFolder) -> PathBuf {
        match self.metadata {
            Metadata::Kraft { brokers: several @ 2.., .. } => {
                let users = if self.secure.is_some() { "-secure" } else { "" };
                folder.data(&format!("kafka-kraft{users}-{}-of-{several}", self.number))
            }
            // Users are made when it is formatted.
            Metadata::Kraft { .. } if self.secure.is_some() => folder.data("kafka-kraft-secure"),
            Metadata::Kraft { .. } => folder.data("kafka-kraft"),
            Metadata::Zookeeper { .. } => folder.data(&format!("kafka-zookeeper-{}", self.version())),
        }
    }
}

impl Kafka {
    fn server_properties(&self, folder: &StackFolder) -> PathBuf {
        folder.conf().join(format!("{}.properties", self.member().numbered("server")))
    }
}

impl Server for Kafka {
    fn member(&self) -> Member {
        Member { role: Role::Kafka, number: self.number }
    }

    fn port(&self) -> u16 {
        self.port
    }

    fn bundle(&self) -> &'static Bundle {
        self.layout.bundle()
    }

    fn write_configuration(&self, folder: &StackFolder) -> Result<()> {
        let data = self.data(folder);
        make_folder(&data)?;
        if self.secure.is_some() {
            secure::write_certificates(folder)?;
        }
        write_file(&self.server_properties(folder), &self.properties(&data, folder))?;
        match self.metadata {
            Metadata::Kraft { .. } => write_file(&log4j2_properties(folder), LOG4J2),
            Metadata::Zookeeper { .. } => write_log4j_properties(folder),
        }
    }

    fn first_run(&self, folder: &StackFolder, jars: &Path) -> Option<Vec<OsString>> {
        let formatted = self.data(folder).join("meta.properties").exists();
        if formatted || matches!(self.metadata, Metadata::Zookeeper { .. }) {
            return None;
        }
        let mut arguments =
            vec!["-Xmx128m".into(), with_path("-Dlog4j2.configurationFile=", &log4j2_properties(folder))];
        arguments.extend(class_path(&[], jars));
        arguments.extend(["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c"].map(OsString::from));
        arguments.push(self.server_properties(folder).into());
        if self.secure.is_some() {
            arguments.extend(SecureListeners::users().into_iter().map(OsString::from));
        }
        Some(arguments)
    }

    fn told(&self, folder: &StackFolder) -> Vec<String> {
        // The first leads to the others.
        self.secure.filter(|_| self.number == 1).map(|secure| secure.told(folder)).unwrap_or_default()
    }

    fn environment(&self, folder: &StackFolder) -> Vec<(String, String)> {
        self.secure.filter(|_| self.number == 1).map(|secure| secure.environment(folder)).unwrap_or_default()
    }

    fn arguments(&self, folder: &StackFolder, jars: &Path) -> Vec<OsString> {
        let mut arguments = self.heap.java_arguments();
        if self.is_sparing {
            arguments.extend(SPARING.map(OsString::from));
        }
        arguments.push(match self.metadata {
            Metadata::Kraft { .. } => with_path("-Dlog4j2.configurationFile=", &log4j2_properties(folder)),
            Metadata::Zookeeper { .. } => log4j_argument(folder),
        });
        arguments.extend(class_path(&[], jars));
        arguments.extend(["kafka.Kafka".into(), self.server_properties(folder).into()]);
        arguments
    }
}

fn voters(brokers: u8, port: u16) -> String {
    let voter = |number| format!("{number}@{}:{port}", Member { role: Role::Kafka, number }.host());
    (1..=brokers).map(voter).collect::<Vec<_>>().join(",")
}

fn log4j2_properties(folder: &StackFolder) -> PathBuf {
    folder.conf().join("log4j2.properties")
}

/// How Kafka 3 and `ZooKeeper` log.
pub(crate) fn write_log4j_properties(folder: &StackFolder) -> Result<()> {
    write_file(&folder.conf().join("log4j.properties"), LOG4J)
}

/// The argument that makes them find it.
pub(crate) fn log4j_argument(folder: &StackFolder) -> OsString {
    format!("-Dlog4j.configuration={}", file_address(&folder.conf().join("log4j.properties"))).into()
}

const LOG4J2: &str = "\
rootLogger.level=INFO
rootLogger.appenderRef.console.ref=console
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d{ISO8601} %-5p %m (%c)%n
";

const LOG4J: &str = "\
log4j.rootLogger=INFO, console
log4j.appender.console=org.apache.log4j.ConsoleAppender
log4j.appender.console.layout=org.apache.log4j.PatternLayout
log4j.appender.console.layout.ConversionPattern=%d{ISO8601} %-5p %m (%c)%n
";

#[derive(Debug)]
pub(crate) struct Zookeeper {
    /// The Kafka that brings it.
    pub(crate) beside: KafkaLayout,
    pub(crate) port: u16,
    pub(crate) heap: HeapSize,
}

impl Server for Zookeeper {
    fn member(&self) -> Member {
        Role::Zookeeper.into()
    }

    fn port(&self) -> u16 {
        self.port
    }

    fn bundle(&self) -> &'static Bundle {
        self.beside.bundle()
    }

    fn version(&self) -> &'static str {
        match self.beside {
            KafkaLayout::LastZookeeper => "3.8.4",
            KafkaLayout::Kraft | KafkaLayout::Zookeeper => "3.6.4",
        }
    }

    fn write_configuration(&self, folder: &StackFolder) -> Result<()> {
        let data = folder.data(&format!("zookeeper-{}", self.version()));
        make_folder(&data)?;
        let (port, data) = (self.port, data.display());
        // 2 s is ZooKeeper's usual tick; no limit on connections, since all clients share one address.
        write_file(
            &zookeeper_properties(folder),
            &format!(
                "dataDir={data}\nclientPort={port}\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\ntickTime=2000\nmaxClientCnxns=0\n"
            ),
        )?;
        write_log4j_properties(folder)
    }

    fn arguments(&self, folder: &StackFolder, jars: &Path) -> Vec<OsString> {
        let mut arguments = self.heap.java_arguments();
        arguments.push(log4j_argument(folder));
        arguments.extend(class_path(&[], jars));
        arguments
            .extend(["org.apache.zookeeper.server.quorum.QuorumPeerMain".into(), zookeeper_properties(folder).into()]);
        arguments
    }
}

fn zookeeper_properties(folder: &StackFolder) -> PathBuf {
    folder.conf().join("zookeeper.properties")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kafka(metadata: Metadata, settings: &[(&str, &str)]) -> Kafka {
        let layout = KafkaLayout::Kraft;
        Kafka {
            layout,
            is_sparing: false,
            number: 1,
            port: 9093,
            metadata,
            secure: None,
            heap: HeapSize::default_for_kafka(),
            settings: ServerSetting::list(settings),
        }
    }

    #[test]
    fn a_setting_of_the_caller_replaces_ours() {
        let kafka = kafka(
            Metadata::Kraft { controller_port: 7, brokers: 1 },
            &[("auto.create.topics.enable", "true"), ("a", "b=c")],
        );
        let properties = kafka.properties(Path::new("data"), &StackFolder::of("x"));
        assert_eq!(properties.matches("auto.create.topics.enable").count(), 1);
        assert!(properties.contains("auto.create.topics.enable=true\n"), "{properties}");
        assert!(properties.contains("a=b=c\n"), "{properties}");
    }

    #[test]
    fn several_brokers_vote_together_and_two_of_three_copies_have_to_agree() {
        let mut second = kafka(Metadata::Kraft { controller_port: 7, brokers: 3 }, &[]);
        second.number = 2;
        let properties = second.properties(Path::new("data"), &StackFolder::of("x"));
        for line in [
            "node.id=2",
            "controller.quorum.voters=1@127.0.0.1:7,2@127.0.0.2:7,3@127.0.0.3:7",
            "listeners=PLAINTEXT://127.0.0.2:9093,CONTROLLER://127.0.0.2:7",
            "offsets.topic.replication.factor=3",
            "min.insync.replicas=2",
        ] {
            assert!(properties.lines().any(|found| found == line), "{line} in {properties}");
        }
    }

    #[test]
    fn every_listener_is_on_loopback() {
        for metadata in [Metadata::Kraft { controller_port: 7, brokers: 1 }, Metadata::Zookeeper { port: 8 }] {
            let properties = kafka(metadata, &[]).properties(Path::new("data"), &StackFolder::of("x"));
            let listeners = properties.lines().find_map(|line| line.strip_prefix("listeners=")).unwrap_or_default();
            assert!(listeners.split(',').all(|listener| listener.contains("://127.0.0.1:")), "{listeners}");
        }
    }
}
