"""Prints the tables of a keyspace with the order of their clustering columns, as JSON: tables.py NODE KEYSPACE."""

import json
import sys

from cassandra_session import connect

node, keyspace = sys.argv[1:]
COLUMNS = "SELECT table_name, column_name, kind, clustering_order FROM system_schema.columns WHERE keyspace_name = %s"
tables = {}
with connect(node) as session:
    for row in session.execute(COLUMNS, [keyspace]):
        order = tables.setdefault(row.table_name, {})
        if row.kind == "clustering":
            order[row.column_name] = row.clustering_order
print(json.dumps(tables))
