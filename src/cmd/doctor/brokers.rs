//! The brokers, from their address to what they speak.

use std::net::SocketAddr;

use futures::future::join_all;

use super::address::{self, Servers};
use super::check::Sheet;
use crate::advice::Advice as _;
use crate::app::{self, cluster_check};
use crate::diagnose::{self, Problem};
use crate::kafka::brokers::{self, BrokerState};
use crate::kafka::cluster::Cluster;
use crate::kafka::connection::Connection;
use crate::kafka::error::KafkaError;
use crate::port;
use crate::settings::{EMBEDDED_ADDRESS, Settings};
use crate::store::cassandra::CassandraError;
use crate::store::cassandra::probe::{self, Fault};

/// Whether something answers that speaks Kafka.
pub(super) const PROTOCOL: &str = "broker_protocol";
const KIND: &str = "broker_kind";
const LISTENERS: &str = "broker_listeners";
const VERSIONS: &str = "broker_versions";

pub(super) const CHECKS: [&str; 6] = ["broker_address", "broker_port", PROTOCOL, KIND, LISTENERS, VERSIONS];

/// Goes as far as it gets. `Some` where the cluster can be asked on.
pub(super) async fn examine(settings: &Settings, sheet: &mut Sheet) -> Option<Cluster> {
    let [address_check, port_check, ..] = CHECKS;
    let addresses = settings.brokers.as_slice();
    let servers = Servers { addresses, address_check, port_check, option: "--brokers", start: start(settings) };
    let open = address::examine(&servers, sheet).await;
    if !protocol(&open, sheet).await {
        return None;
    }
    let mut cluster = match Cluster::connect(&app::kafka_config(settings)).await {
        Ok(cluster) => cluster,
        Err(error) => {
            sheet.fail_of(KIND, &error, "what answers there cannot be asked on");
            return None;
        }
    };
    kind(settings, &cluster, sheet);
    match brokers::survey(&mut cluster).await {
        Ok(states) => {
            listeners(&states, sheet);
            versions(&states, cluster_check::is_embedded(cluster.id()), sheet);
            Some(cluster)
        }
        Err(error) => {
            sheet.fail_of(LISTENERS, &error, "the brokers that lead the partitions are not known");
            None
        }
    }
}

/// The command that starts what the settings mean.
fn start(settings: &Settings) -> String {
    if settings.is_embedded() {
        let address = settings.brokers.to_string();
        return if address == EMBEDDED_ADDRESS {
            "vitals up".to_owned()
        } else {
            format!("vitals up --listen {address}")
        };
    }
    let unreachable = KafkaError::Unreachable { brokers: String::new(), reason: String::new() };
    unreachable.hint().unwrap_or_default()
}

/// Asks each of the open addresses by itself, and tells whether one of them speaks Kafka.
async fn protocol(open: &[(String, SocketAddr)], sheet: &mut Sheet) -> bool {
    let ask = |(address, found): &(String, SocketAddr)| {
        let (address, found) = (address.clone(), *found);
        async move {
            match Connection::open(&address).await {
                Ok(_) => Ok(address),
                Err(error) => Err(no_kafka(&address, found, &error).await),
            }
        }
    };
    let (mut speaking, mut others) = (Vec::new(), Vec::new());
    for answer in join_all(open.iter().map(ask)).await {
        match answer {
            Ok(address) => speaking.push(address),
            Err(wrong) => others.push(wrong),
        }
    }
    let spoken = format!("{} speaks the Kafka protocol", speaking.join(","));
    let whats: Vec<_> = others.iter().map(|wrong| wrong.what.as_str()).collect();
    match others.first() {
        None if speaking.is_empty() => {}
        None => sheet.ok(PROTOCOL, spoken),
        Some(Problem { fix, .. }) if speaking.is_empty() => {
            sheet.fail(PROTOCOL, Problem::new(whats.join("; "), fix), "whatever is sent there gets lost, or does harm");
        }
        Some(Problem { fix, .. }) => {
            let what = format!("{spoken}; but {}", whats.join("; "));
            sheet.warn(PROTOCOL, Problem::new(what, fix), "when the others go, nobody finds the way");
        }
    }
    !speaking.is_empty()
}

/// Something listens that does not speak Kafka: who it is where that can be told, or what it did.
async fn no_kafka(address: &str, found: SocketAddr, error: &KafkaError) -> Problem {
    let port = || KafkaError::Protocol { address: address.to_owned(), what: String::new() }.hint().unwrap_or_default();
    let hangs = "if that is Kafka, restart it; else name the brokers with --brokers HOST:PORT";
    if port::speaks_http(found).await {
        return Problem::new(format!("{address} is a web server, and not Kafka"), port());
    }
    match error {
        KafkaError::Protocol { .. } if is_cassandra(found).await => {
            Problem::new(format!("{address} is Cassandra, and not Kafka"), port())
        }
        KafkaError::TimedOut { .. } => Problem::new(format!("{address} takes connections, and answers nothing"), hangs),
        KafkaError::Io { .. } => Problem::new(format!("{address} closes connections before it answers"), hangs),
        error => Problem::of(error),
    }
}

async fn is_cassandra(address: SocketAddr) -> bool {
    match probe::probe(&[address.to_string()]).await {
        Ok(_) => true,
        Err(CassandraError::NoNode(faults)) => {
            faults.iter().any(|node| matches!(node.fault, Fault::WantsPassword { .. } | Fault::Refuses(_)))
        }
        Err(_) => false,
    }
}

fn kind(settings: &Settings, cluster: &Cluster, sheet: &mut Sheet) {
    let what = if cluster_check::is_embedded(cluster.id()) { "the broker of `vitals up`" } else { "Kafka" };
    match cluster_check::judge(settings, cluster.id()) {
        Ok(()) => sheet.ok(KIND, format!("it is {what}, as the settings mean")),
        Err(error) => sheet.fail_of(KIND, &error, "readings of the one would end up in the store of the other"),
    }
}

/// After the first contact every client goes to the addresses that the brokers give for themselves.
fn listeners(states: &[BrokerState], sheet: &mut Sheet) {
    let faults: Vec<_> = states
        .iter()
        .filter_map(|state| {
            state.speaks.as_ref().err().map(|error| format!("broker {}: {}", state.id, diagnose::told(error)))
        })
        .collect();
    if faults.is_empty() {
        let all: Vec<_> = states.iter().map(|state| format!("{} at {}", state.id, state.address)).collect();
        return sheet.ok(LISTENERS, format!("each answers at its own address: {}", all.join(", ")));
    }
    let cure = "start those brokers, or set their advertised.listeners to addresses that this machine reaches";
    sheet.fail(
        LISTENERS,
        Problem::new(faults.join("; "), cure),
        "what they lead can be neither written nor read from here",
    );
}

fn versions(states: &[BrokerState], is_embedded: bool, sheet: &mut Sheet) {
    let speaks = || states.iter().filter_map(|state| Some((state.id, state.speaks.as_ref().ok()?)));
    let lacking: Vec<_> = speaks()
        .filter(|(_, speaks)| !speaks.lacks.is_empty())
        .map(|(id, speaks)| format!("broker {id} lacks {}", speaks.lacks.join(", ")))
        .collect();
    if lacking.is_empty() {
        let mut versions: Vec<_> = speaks().map(|(_, speaks)| speaks.version).collect();
        versions.sort_unstable();
        versions.dedup();
        let like = if is_embedded { String::new() } else { format!(", as by {}", versions.join(" and ")) };
        return sheet.ok(VERSIONS, format!("all requests are spoken on both sides{like}"));
    }
    let wrong = Problem::new(lacking.join("; "), "upgrade to Kafka 3.0 or later");
    sheet.fail(VERSIONS, wrong, "the commands that need these requests fail");
}
