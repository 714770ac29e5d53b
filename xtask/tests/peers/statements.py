"""Runs CQL statements one after the other: statements.py NODE STATEMENT…"""

import sys

from cassandra_session import connect

with connect(sys.argv[1]) as session:
    for statement in sys.argv[2:]:
        session.execute(statement, timeout=60)
