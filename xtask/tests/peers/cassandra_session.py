"""A session with one node."""

from contextlib import contextmanager

from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
from cassandra.policies import WhiteListRoundRobinPolicy


@contextmanager
def connect(node):
    host, port = node.rsplit(":", 1)
    profile = ExecutionProfile(load_balancing_policy=WhiteListRoundRobinPolicy([host]), request_timeout=20)
    cluster = Cluster(
        [host], port=int(port), protocol_version=4, connect_timeout=20, execution_profiles={EXEC_PROFILE_DEFAULT: profile}
    )
    try:
        yield cluster.connect()
    finally:
        cluster.shutdown()
