"""Drops each keyspace that its standard input names, so that the server's memory does not fill: drop_keyspaces.py NODE."""

import sys

from cassandra_session import connect

with connect(sys.argv[1]) as session:
    for line in sys.stdin:
        session.execute(f'DROP KEYSPACE IF EXISTS "{line.strip()}"', timeout=60)
