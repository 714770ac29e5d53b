"""Prints the rows of a table, one JSON object a line: rows.py NODE KEYSPACE TABLE."""

import json
import sys

from cassandra_session import connect

node, keyspace, table = sys.argv[1:]
with connect(node) as session:
    rows = session.execute(f'SELECT * FROM "{keyspace}"."{table}"')
    for row in rows:
        print(json.dumps(row._asdict()))
