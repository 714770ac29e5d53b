//! Apache `ZooKeeper`: one server, beside Kafka 3.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::folder::{StackFolder, make_folder, write_file};
use super::jars::Bundle;
use super::kafka::{KafkaLayout, log4j_argument, write_log4j_properties};
use super::options::HeapSize;
use super::server::{Role, Server, class_path};
use crate::error::Error;

/// One server.
#[derive(Debug)]
pub(crate) struct Zookeeper {
    /// The Kafka that brings it.
    pub(crate) beside: KafkaLayout,
    /// Where clients connect.
    pub(crate) port: u16,
    /// The Java heap.
    pub(crate) heap: HeapSize,
}

impl Server for Zookeeper {
    fn role(&self) -> Role {
        Role::Zookeeper
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

    fn write_configuration(&self, folder: &StackFolder) -> Result<(), Error> {
        let data = folder.data(&format!("zookeeper-{}", self.version()));
        make_folder(&data)?;
        let (port, data) = (self.port, data.display());
        // 2 s is ZooKeeper's usual tick; no limit on connections, since all clients share one address.
        write_file(
            &properties(folder),
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
        arguments.extend(["org.apache.zookeeper.server.quorum.QuorumPeerMain".into(), properties(folder).into()]);
        arguments
    }
}

fn properties(folder: &StackFolder) -> PathBuf {
    folder.conf().join("zookeeper.properties")
}
