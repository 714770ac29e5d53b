"""How often a node of Cassandra was asked by clients inside TLS: chaos_clients.py NODE. Prints the number."""

import sys

from cassandra_session import connect

with connect(sys.argv[1]) as session:
    rows = session.execute("SELECT ssl_enabled, request_count FROM system_views.clients")
    print(sum(row.request_count for row in rows if row.ssl_enabled))
