//! The brokers: whether they are the ones that are meant, answer at their own addresses, and speak what we need.

use super::{Finding, Problem};
use crate::advice::Advice;
use crate::app::cluster_check;
use crate::kafka::brokers::BrokerState;
use crate::kafka::cluster::NodeId;
use crate::output::error_chain;
use crate::settings::Settings;

const START_AGAIN: &str = "start that broker again; its log says why it ended";

/// Whether the cluster is the one that the settings mean.
pub(crate) fn kind(settings: &Settings, cluster_id: Option<&str>) -> Finding {
    let what = if cluster_check::is_embedded(cluster_id) { "the broker of `vitals up`" } else { "Kafka" };
    match cluster_check::judge(settings, cluster_id) {
        Ok(()) => Finding::ok(format!("it is {what}, as the settings mean")),
        Err(error) => Finding::fail_of(&error, "readings of the one would end up in the store of the other"),
    }
}

/// A broker that does not answer.
pub(crate) fn silent(state: &BrokerState) -> Option<Problem> {
    let error = state.speaks.as_ref().err()?;
    Some(if error.is_refusal() { Problem::of(error) } else { Problem::new(error_chain(error), START_AGAIN) })
}

/// A broker that is not in the cluster's list, though replicas are to be on it.
pub(crate) fn down(id: NodeId) -> Problem {
    Problem::new(format!("broker {id} is down, and partitions are to be kept on it"), START_AGAIN)
}

/// After the first contact every client goes to the addresses that the brokers give for themselves.
pub(crate) fn listeners(states: &[BrokerState]) -> Finding {
    let silent = states.iter().filter_map(|state| Some((state.id, state.speaks.as_ref().err()?)));
    let faults: Vec<_> = silent.map(|(id, error)| format!("broker {id}: {}", error_chain(error))).collect();
    if faults.is_empty() {
        let all: Vec<_> = states.iter().map(|state| format!("{} at {}", state.id, state.address)).collect();
        return Finding::ok(format!("each answers at its own address: {}", all.join(", ")));
    }
    let refusal = states.iter().filter_map(|state| state.speaks.as_ref().err()).find(|error| error.is_refusal());
    let fix = refusal.and_then(Advice::hint).unwrap_or_else(|| {
        "start those brokers, or set their advertised.listeners to addresses that this machine reaches".to_owned()
    });
    Finding::fail(faults.join("; "), fix, "what they lead can be neither written nor read from here")
}

/// Whether each speaks the requests that we need.
pub(crate) fn versions(states: &[BrokerState], is_embedded: bool) -> Finding {
    let speaking: Vec<_> = states.iter().filter_map(|state| Some((state.id, state.speaks.as_ref().ok()?))).collect();
    let lacking = speaking.iter().filter(|(_, speaks)| !speaks.lacks.is_empty());
    let lacking: Vec<_> =
        lacking.map(|(id, speaks)| format!("broker {id} lacks {}", speaks.lacks.join(", "))).collect();
    if !lacking.is_empty() {
        let why = "the commands that need these requests fail";
        return Finding::fail(lacking.join("; "), "upgrade to Kafka 3.0 or later", why);
    }
    let mut versions: Vec<_> = speaking.iter().map(|(_, speaks)| speaks.version).collect();
    versions.sort_unstable();
    versions.dedup();
    let like = if is_embedded { String::new() } else { format!(", as by {}", versions.join(" and ")) };
    Finding::ok(format!("all requests are spoken on both sides{like}"))
}
