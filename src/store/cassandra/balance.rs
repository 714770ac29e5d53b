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

/// All nodes in turn, or those of one data centre: what is acknowledged there is asked of there.
pub(super) struct InTurn {
    local_dc: Option<String>,
    next: AtomicUsize,
}

impl InTurn {
    pub(super) fn new(local_dc: Option<String>) -> Self {
        // A session that is made anew does not begin with the node that its predecessor met its end at.
        Self { local_dc, next: AtomicUsize::new(rand::random_range(0..1024)) }
    }

    /// Those that are up, in their turn, before those that are down, in theirs.
    fn in_turn<T>(&self, nodes: Vec<(NodeState, T)>) -> Vec<T> {
        let is_down = |state: &NodeState| matches!(state, NodeState::Down | NodeState::ForcedDown);
        let (mut down, mut up): (Vec<_>, Vec<_>) = nodes.into_iter().partition(|(state, _)| is_down(state));
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        for group in [&mut up, &mut down] {
            if let Some(first) = turn.checked_rem(group.len()) {
                group.rotate_left(first);
            }
        }
        up.into_iter().chain(down).map(|(_, node)| node).collect()
    }
}

impl LoadBalancingStrategy<TransportTcp, Connections> for InTurn {
    fn query_plan(
        &self,
        _request: Option<Request<'_>>,
        cluster: &ClusterMetadata<TransportTcp, Connections>,
    ) -> QueryPlan<TransportTcp, Connections> {
        let is_near = |node: &&Arc<Node<_, _>>| self.local_dc.as_deref().is_none_or(|local| local == node.datacenter());
        let mut nodes: Vec<_> = cluster.nodes().values().filter(is_near).cloned().collect();
        // The driver keeps them in no order. That of their ids is none of addresses: a rack that is away is not one block.
        nodes.sort_unstable_by_key(|node| node.host_id());
        QueryPlan::new(self.in_turn(nodes.into_iter().map(|node| (node.state(), node)).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(states: &[(NodeState, char)], count: usize) -> Vec<String> {
        let in_turn = InTurn { local_dc: None, next: AtomicUsize::new(0) };
        (0..count).map(|_| in_turn.in_turn(states.to_vec()).into_iter().collect()).collect()
    }

    #[test]
    fn nodes_that_are_up_have_the_same_share_and_one_that_is_down_comes_last() {
        use NodeState::{Down, Unknown, Up};
        let three = [(Up, 'a'), (Down, 'b'), (Unknown, 'c')];
        assert_eq!(turns(&three, 4), ["acb", "cab", "acb", "cab"], "one whose state nobody told may be up");
        assert_eq!(turns(&[(Down, 'a'), (Down, 'b')], 2), ["ab", "ba"], "a plan is never empty");
        assert_eq!(turns(&[], 1), [""]);
    }
}
