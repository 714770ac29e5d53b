//! Which node is asked next.
//!
//! The driver's own ways leave out every node whose distance it does not know. That is any node which joined later, and
//! all of them once the control connection has moved to another node: then nobody is asked at all (cdrs-tokio#158, #195,
//! #198). So distances do not count here: nodes are asked in turn, those that the cluster calls down last.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cdrs_tokio::cluster::ClusterMetadata;
use cdrs_tokio::cluster::topology::{Node, NodeState};
use cdrs_tokio::load_balancing::{LoadBalancingStrategy, QueryPlan, Request};
use cdrs_tokio::transport::TransportTcp;

use super::connect::Connections;

/// All nodes in turn: those of the local data centre first, and those that are down last.
pub(super) struct InTurn {
    local_dc: Option<String>,
    next: AtomicUsize,
}

/// Lower is asked earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Near,
    Far,
    Down,
}

impl InTurn {
    pub(super) fn new(local_dc: Option<String>) -> Self {
        Self { local_dc, next: AtomicUsize::new(0) }
    }

    fn rank(&self, data_centre: &str, state: NodeState) -> Rank {
        match state {
            NodeState::Down | NodeState::ForcedDown => Rank::Down,
            _ if self.local_dc.as_deref().is_none_or(|local| local == data_centre) => Rank::Near,
            _ => Rank::Far,
        }
    }
}

impl LoadBalancingStrategy<TransportTcp, Connections> for InTurn {
    fn query_plan(
        &self,
        _request: Option<Request<'_>>,
        cluster: &ClusterMetadata<TransportTcp, Connections>,
    ) -> QueryPlan<TransportTcp, Connections> {
        let mut nodes: Vec<Arc<Node<_, _>>> = cluster.nodes().values().cloned().collect();
        // The driver keeps them in no order.
        nodes.sort_unstable_by_key(|node| node.broadcast_rpc_address());
        if let Some(first) = self.next.fetch_add(1, Ordering::Relaxed).checked_rem(nodes.len()) {
            nodes.rotate_left(first);
        }
        // Equals stay in their turn.
        nodes.sort_by_key(|node| self.rank(node.datacenter(), node.state()));
        QueryPlan::new(nodes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_near_is_asked_before_one_far_away_and_one_that_is_down_last() {
        let in_turn = InTurn::new(Some("west".to_owned()));
        let ranks = [
            in_turn.rank("west", NodeState::Up),
            in_turn.rank("east", NodeState::Up),
            in_turn.rank("west", NodeState::Down),
        ];
        assert!(ranks.is_sorted() && ranks[0] < ranks[1] && ranks[1] < ranks[2]);
        assert_eq!(in_turn.rank("west", NodeState::Unknown), Rank::Near, "one whose state nobody told may be up");
        assert_eq!(InTurn::new(None).rank("east", NodeState::Up), Rank::Near);
    }
}
