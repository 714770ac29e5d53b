//! Which node is asked next.
//!
//! The driver's own ways leave out every node whose distance it does not know. That is any node which joined later, and
//! all of them once the control connection has moved to another node: then nobody is asked at all (cdrs-tokio#158, #195,
//! #198). So distances do not count here. Whoever knows the patient asks a node that keeps its rows, which saves that node's
//! coordinator a way; everybody else asks the nodes in turn. Those that the cluster calls down come last, and so do those
//! that did not answer lately.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cdrs_tokio::cluster::topology::{Node, NodeState};
use cdrs_tokio::cluster::{ClusterMetadata, Murmur3Token};
use cdrs_tokio::load_balancing::{LoadBalancingStrategy, QueryPlan, Request};
use cdrs_tokio::transport::TransportTcp;

use super::connect::Connections;
use super::silent::SilentNodes;

/// What asks for rows of one partition.
pub(super) fn of_partition(key: &[u8]) -> Request<'_> {
    Request { keyspace: None, token: None, routing_key: Some(key), consistency: None }
}

/// All nodes in turn, or those of one data centre: what is acknowledged there is asked of there.
pub(super) struct InTurn {
    local_dc: Option<String>,
    silent: Arc<SilentNodes>,
    next: AtomicUsize,
}

impl InTurn {
    pub(super) fn new(local_dc: Option<String>, silent: Arc<SilentNodes>) -> Self {
        // A session that is made anew does not begin with the node that its predecessor met its end at.
        Self { local_dc, silent, next: AtomicUsize::new(rand::random_range(0..1024)) }
    }

    /// What its cluster says, unless it did not answer lately.
    fn state_of(&self, node: &Node<TransportTcp, Connections>) -> NodeState {
        if self.silent.has(node.broadcast_rpc_address()) { NodeState::Down } else { node.state() }
    }

    /// Those that are up, in their turn, before those that are down, in theirs.
    fn in_turn<T>(&self, nodes: Vec<(NodeState, T)>) -> Vec<T> {
        let [mut up, mut down] = up_and_down(nodes);
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        for group in [&mut up, &mut down] {
            if let Some(first) = turn.checked_rem(group.len()) {
                group.rotate_left(first);
            }
        }
        up.into_iter().chain(down).collect()
    }
}

fn up_and_down<T>(nodes: impl IntoIterator<Item = (NodeState, T)>) -> [Vec<T>; 2] {
    let (mut up, mut down) = (Vec::new(), Vec::new());
    for (state, node) in nodes {
        let is_down = matches!(state, NodeState::Down | NodeState::ForcedDown);
        if is_down { &mut down } else { &mut up }.push(node);
    }
    [up, down]
}

impl LoadBalancingStrategy<TransportTcp, Connections> for InTurn {
    fn query_plan(
        &self,
        request: Option<Request<'_>>,
        cluster: &ClusterMetadata<TransportTcp, Connections>,
    ) -> QueryPlan<TransportTcp, Connections> {
        let is_near = |node: &&Arc<Node<_, _>>| self.local_dc.as_deref().is_none_or(|local| local == node.datacenter());
        if let Some(key) = request.and_then(|request| request.routing_key) {
            // From the key's own place on, the ring's nodes are in the order in which they keep its rows. One that joined
            // lately may be missing, and is asked nothing until it has its place.
            let ring = cluster.token_map().nodes_for_token(Murmur3Token::generate(key));
            let nodes = ring.filter(|node| is_near(&node)).map(|node| (self.state_of(&node), node));
            let [up, down] = up_and_down(nodes);
            if !up.is_empty() {
                return QueryPlan::new(up.into_iter().chain(down).collect());
            }
        }
        let mut nodes: Vec<_> = cluster.nodes().values().filter(is_near).cloned().collect();
        // The driver keeps them in no order. That of their ids is none of addresses: a rack that is away is not one block.
        nodes.sort_unstable_by_key(|node| node.host_id());
        QueryPlan::new(self.in_turn(nodes.into_iter().map(|node| (self.state_of(&node), node)).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(states: &[(NodeState, char)], count: usize) -> Vec<String> {
        let in_turn = InTurn { local_dc: None, silent: Arc::default(), next: AtomicUsize::new(0) };
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
