//! Apache Cassandra: one node, alone or with others.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::folder::{StackFolder, make_folder, write_file};
use super::java::{Bundle, Release};
use super::options::{HeapSize, ServerSetting};
use super::ready::NotReady;
use super::secure;
use super::server::{Member, Role, SPARING, Server, class_path, file_address, with_path};
use crate::error::Result;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CassandraRelease {
    /// Cassandra 5.0.8.
    #[value(name = "5.0")]
    Current,
    /// Cassandra 4.1.10 of older set-ups, on a JDK 11.
    #[value(name = "4.1")]
    Older,
}

const BUNDLE_5_0: Bundle =
    Bundle { name: "Cassandra", version: "5.0.8", artifacts: &[("org.apache.cassandra", "cassandra-all", "5.0.8")] };

const BUNDLE_4_1: Bundle =
    Bundle { name: "Cassandra", version: "4.1.10", artifacts: &[("org.apache.cassandra", "cassandra-all", "4.1.10")] };

impl CassandraRelease {
    fn bundle(self) -> &'static Bundle {
        match self {
            Self::Current => &BUNDLE_5_0,
            Self::Older => &BUNDLE_4_1,
        }
    }

    /// Measures objects for Cassandra; part of its jars.
    fn agent(self) -> &'static str {
        match self {
            Self::Current => "jamm-0.4.0.jar",
            Self::Older => "jamm-0.3.2.jar",
        }
    }

    fn java(self) -> Release {
        match self {
            Self::Current => Release::Installed,
            Self::Older => Release::Older,
        }
    }

    /// The older one cannot read what the newer one has written.
    fn data_name(self) -> &'static str {
        match self {
            Self::Current => "cassandra",
            Self::Older => "cassandra-4.1",
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Cassandra {
    pub(crate) release: CassandraRelease,
    /// Which of its cluster's nodes, from 1 on.
    pub(crate) number: u8,
    /// So many nodes the cluster has.
    pub(crate) nodes: u8,
    pub(crate) is_sparing: bool,
    pub(crate) port: u16,
    /// Where other nodes connect.
    pub(crate) storage_port: u16,
    /// The port that speaks TLS, of a node that wants a login on both.
    pub(crate) tls_port: Option<u16>,
    pub(crate) heap: HeapSize,
    /// Win over the settings below.
    pub(crate) settings: Vec<ServerSetting>,
}

impl Cassandra {
    fn yaml(&self, folder: &StackFolder) -> String {
        let data = |name: &str| quoted(&self.data(folder).join(name));
        let mut settings = ServerSetting::list(&[
            ("cluster_name", "vitals"),
            ("num_tokens", "1"),
            ("partitioner", "org.apache.cassandra.dht.Murmur3Partitioner"),
            ("data_file_directories", &format!("[{}]", data("data"))),
            ("commitlog_directory", &data("commitlog")),
            ("saved_caches_directory", &data("saved_caches")),
            ("hints_directory", &data("hints")),
            ("cdc_raw_directory", &data("cdc_raw")),
            ("commitlog_sync", "periodic"),
            ("commitlog_sync_period", "10000ms"),
            ("seed_provider", SEED_PROVIDER),
            ("listen_address", &self.member().host().to_string()),
            ("rpc_address", &self.member().host().to_string()),
            ("native_transport_port", &self.port.to_string()),
            ("storage_port", &self.storage_port.to_string()),
            ("endpoint_snitch", "SimpleSnitch"),
            // Dropped test tables would otherwise stay on disk.
            ("auto_snapshot", "false"),
        ]);
        if let Some(port) = self.tls_port {
            settings.extend(secure::node_settings(self.member(), port, folder));
        }
        ServerSetting::joined(&settings, &self.settings, ": ")
    }

    fn data(&self, folder: &StackFolder) -> PathBuf {
        let name = if self.tls_port.is_some() { "secure_cassandra" } else { self.release.data_name() };
        // A node alone is no first node of a cluster: its users have one copy.
        let of = if self.nodes == 1 { String::new() } else { format!("-{}-of-several", self.number) };
        folder.data(&format!("{name}{of}"))
    }

    /// Another node of its cluster.
    fn numbered(&self, number: u8) -> Self {
        Self { number, ..self.clone() }
    }

    /// Whether it has begun before.
    fn has_begun(&self, folder: &StackFolder) -> bool {
        self.data(folder).join("data").join("system").exists()
    }

    fn yaml_path(&self, folder: &StackFolder) -> PathBuf {
        folder.conf().join(format!("{}.yaml", self.member().file_name()))
    }
}

impl Server for Cassandra {
    fn member(&self) -> Member {
        let role = if self.tls_port.is_some() { Role::SecureCassandra } else { Role::Cassandra };
        Member { role, number: self.number }
    }

    fn port(&self) -> u16 {
        self.port
    }

    fn joins(&self) -> bool {
        self.number > 1
    }

    fn when_ready(&self, folder: &StackFolder) -> Result<(), NotReady> {
        let is_first = self.number == 1 && self.nodes > 1 && !self.numbered(2).has_begun(folder);
        match self.tls_port {
            Some(_) if is_first => secure::keep_users_thrice(self.member(), self.port),
            _ => Ok(()),
        }
    }

    fn bundle(&self) -> &'static Bundle {
        self.release.bundle()
    }

    fn java(&self) -> Release {
        self.release.java()
    }

    fn write_configuration(&self, folder: &StackFolder) -> Result<()> {
        make_folder(&self.data(folder))?;
        if self.tls_port.is_some() {
            secure::write_certificates(folder)?;
        }
        write_file(&self.yaml_path(folder), &self.yaml(folder))?;
        write_file(&folder.conf().join("logback.xml"), LOGBACK)
    }

    fn told(&self, folder: &StackFolder) -> Vec<String> {
        // The first leads to the others.
        self.tls_port.filter(|_| self.number == 1).map(|port| secure::node_told(port, folder)).into_iter().collect()
    }

    fn environment(&self, _folder: &StackFolder) -> Vec<(String, String)> {
        let tls = self
            .tls_port
            .filter(|_| self.number == 1)
            .map(|port| ("VITALS_TEST_SECURE_CASSANDRA_TLS_PORT".to_owned(), port.to_string()));
        tls.into_iter().collect()
    }

    fn arguments(&self, folder: &StackFolder, jars: &Path) -> Vec<OsString> {
        let mut arguments = self.heap.java_arguments();
        arguments.push(with_path("-javaagent:", &jars.join(self.release.agent())));
        arguments.extend(opened_packages());
        arguments.push(format!("-Dcassandra.config={}", file_address(&self.yaml_path(folder))).into());
        arguments.push(with_path("-Dcassandra.storagedir=", &self.data(folder)));
        arguments.push(with_path("-Dlogback.configurationFile=", &folder.conf().join("logback.xml")));
        arguments.extend(PROPERTIES.iter().map(OsString::from));
        arguments.push(if self.nodes == 1 { ALONE } else { AMONG_OTHERS }.into());
        if self.is_sparing {
            arguments.extend(SPARING.map(OsString::from));
        }
        arguments.extend(class_path(&[&folder.conf()], jars));
        arguments.push("org.apache.cassandra.service.CassandraDaemon".into());
        arguments
    }
}

/// A list of one map, on one line.
const SEED_PROVIDER: &str =
    "[{class_name: org.apache.cassandra.locator.SimpleSeedProvider, parameters: [{seeds: \"127.0.0.1\"}]}]";

/// A node alone has nobody to wait for.
const ALONE: &str = "-Dcassandra.ring_delay_ms=100";
/// So long others may take to hear of a node.
const AMONG_OTHERS: &str = "-Dcassandra.ring_delay_ms=2000";

const PROPERTIES: &[&str] = &[
    "-Djdk.attach.allowAttachSelf=true",
    "-Dcassandra-foreground=yes",
    "-Dcassandra.skip_wait_for_gossip_to_settle=0",
    "-Dcassandra.superuser_setup_delay_ms=0",
];

/// What Cassandra uses of the JDK's inside: module and package.
const EXPORTED: &[&str] = &[
    "java.base/jdk.internal.misc",
    "java.base/jdk.internal.ref",
    "java.base/java.lang.ref",
    "java.management.rmi/com.sun.jmx.remote.internal.rmi",
    "java.rmi/sun.rmi.registry",
    "java.rmi/sun.rmi.server",
    "java.rmi/sun.rmi.transport.tcp",
    "java.sql/java.sql",
    "jdk.unsupported/sun.misc",
];

/// What it reaches into by reflection.
const OPENED: &[&str] = &[
    "java.base/java.io",
    "java.base/java.lang",
    "java.base/java.lang.module",
    "java.base/java.lang.reflect",
    "java.base/java.math",
    "java.base/java.net",
    "java.base/java.nio",
    "java.base/java.util",
    "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic",
    "java.base/jdk.internal.loader",
    "java.base/jdk.internal.math",
    "java.base/jdk.internal.module",
    "java.base/jdk.internal.ref",
    "java.base/jdk.internal.reflect",
    "java.base/jdk.internal.util.jar",
    "java.base/sun.nio.ch",
    "jdk.management/com.sun.management.internal",
];

fn opened_packages() -> impl Iterator<Item = OsString> {
    let argument = |option: &str, package: &str| OsString::from(format!("{option}={package}=ALL-UNNAMED"));
    let exported = EXPORTED.iter().map(move |package| argument("--add-exports", package));
    exported.chain(OPENED.iter().map(move |package| argument("--add-opens", package)))
}

/// A path as a YAML text in single quotes.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', "''"))
}

const LOGBACK: &str = r#"<configuration>
  <appender name="console" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%date{ISO8601} %-5level %msg \(%logger{36}\)%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="console"/></root>
</configuration>
"#;

#[cfg(test)]
mod tests {
    use super::*;

    fn yaml(settings: &[(&str, &str)]) -> String {
        let settings = ServerSetting::list(settings);
        let release = CassandraRelease::Current;
        let heap = HeapSize::default_for_cassandra();
        let node = Cassandra {
            release,
            number: 1,
            nodes: 1,
            is_sparing: false,
            port: 9042,
            storage_port: 7000,
            tls_port: None,
            heap,
            settings,
        };
        node.yaml(&StackFolder::of("x"))
    }

    #[test]
    fn an_empty_value_takes_a_setting_away() {
        let yaml = yaml(&[("commitlog_sync_period", ""), ("commitlog_sync", "group")]);
        assert!(!yaml.contains("commitlog_sync_period"), "{yaml}");
        assert!(yaml.contains("commitlog_sync: group\n"), "{yaml}");
    }

    #[test]
    fn a_path_with_a_quote_stays_one_yaml_text() {
        assert_eq!(quoted(Path::new("it's here")), "'it''s here'");
    }
}
