//! Nodes that did not answer lately. One that hangs, or is cut off without a word, is still up for the rest of its cluster, and
//! for the driver.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// So long others are asked first. It is asked again then: by one request, which is noted for all others as soon as it is
/// not answered.
const PASSED_OVER: Duration = Duration::from_secs(30);

/// By address, when it was last that a node did not answer. Outlives the sessions, which end by just that.
#[derive(Debug, Default)]
pub(super) struct SilentNodes(Mutex<HashMap<SocketAddr, Instant>>);

impl SilentNodes {
    /// It cannot be connected to, or did not answer in time.
    pub(super) fn note(&self, node: SocketAddr) {
        self.nodes().insert(node, Instant::now());
    }

    /// It answers.
    pub(super) fn forget(&self, node: SocketAddr) {
        self.nodes().remove(&node);
    }

    /// Whether others should be asked first.
    pub(super) fn has(&self, node: SocketAddr) -> bool {
        self.nodes().get(&node).is_some_and(|since| since.elapsed() < PASSED_OVER)
    }

    fn nodes(&self) -> std::sync::MutexGuard<'_, HashMap<SocketAddr, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A question to a node. Dropped without an answer, as by a time limit, it notes that the node is silent.
pub(super) struct Asked<'a> {
    pub(super) silent: &'a SilentNodes,
    pub(super) node: Option<SocketAddr>,
}

impl Asked<'_> {
    /// There is an answer, or another reason why there is none.
    pub(super) fn ended(mut self) {
        self.node = None;
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if let Some(node) = self.node {
            self.silent.note(node);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{advance, timeout};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_node_that_did_not_answer_in_time_is_passed_over_for_a_while() {
        let (silent, node) = (SilentNodes::default(), SocketAddr::from(([10, 0, 0, 1], 9042)));
        let question = async {
            let _asked = Asked { silent: &silent, node: Some(node) };
            std::future::pending::<()>().await;
        };
        assert!(timeout(Duration::from_secs(15), question).await.is_err());
        assert!(silent.has(node));
        advance(PASSED_OVER).await;
        assert!(!silent.has(node), "it is asked again");
        Asked { silent: &silent, node: Some(node) }.ended();
        assert!(!silent.has(node), "it has answered");
        silent.note(node);
        silent.forget(node);
        assert!(!silent.has(node), "it can be connected to");
    }
}
