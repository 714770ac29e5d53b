"""What is kept of a campaign: the rows, read by drivers that are not ours."""

import sqlite3

from cassandra_session import connect
from chaos_readings import SIGNS

COLUMNS = ", ".join(["patient_id", "timestamp", *SIGNS])


def rows(store):
    """STORE is cassandra:NODE/KEYSPACE or sqlite:PATH."""
    kind, where = store.split(":", 1)
    return sqlite_rows(where) if kind == "sqlite" else cassandra_rows(where)


def sqlite_rows(path):
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=20)
    return [tuple(found) for found in connection.execute(f"SELECT {COLUMNS} FROM patient_vitals")]


def cassandra_rows(where):
    node, keyspace = where.split("/")
    with connect(node) as session:
        session.default_fetch_size = 2000
        return [tuple(found) for found in session.execute(f'SELECT {COLUMNS} FROM "{keyspace}".patient_vitals')]
