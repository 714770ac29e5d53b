"""A session with one node, HOST:PORT or USER:PASSWORD@HOST:PORT; or with several of one port, HOST:PORT,HOST:PORT."""

from contextlib import contextmanager

from cassandra import ConsistencyLevel
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
from cassandra.policies import WhiteListRoundRobinPolicy


@contextmanager
def connect(node):
    login, _, addresses = node.rpartition("@")
    hosts, ports = zip(*(address.rsplit(":", 1) for address in addresses.split(",")))
    profile = ExecutionProfile(
        load_balancing_policy=WhiteListRoundRobinPolicy(hosts),
        # One of several copies may have missed a row that the others acknowledged.
        consistency_level=ConsistencyLevel.LOCAL_QUORUM,
        request_timeout=20,
    )
    cluster = Cluster(
        hosts,
        port=int(ports[0]),
        protocol_version=4,
        connect_timeout=20,
        execution_profiles={EXEC_PROFILE_DEFAULT: profile},
        auth_provider=PlainTextAuthProvider(*login.split(":", 1)) if login else None,
    )
    try:
        yield cluster.connect()
    finally:
        cluster.shutdown()
