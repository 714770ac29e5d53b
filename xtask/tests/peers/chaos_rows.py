"""The rows of a store, by a client that is not ours. STORE is cassandra:NODE/KEYSPACE or sqlite:PATH."""

import sqlite3

from cassandra_session import connect
from chaos_readings import SIGNS, narrow

COLUMNS = ", ".join(["patient_id", "timestamp", *SIGNS])


def sqlite_rows(path):
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=20)
    yield from connection.execute(f"SELECT {COLUMNS} FROM patient_vitals")


def cassandra_rows(where):
    node, keyspace = where.split("/")
    with connect(node) as session:
        session.default_fetch_size = 2000
        yield from session.execute(f'SELECT {COLUMNS} FROM "{keyspace}".patient_vitals')


def rows(store):
    """By patient and time: the signs."""
    kind, where = store.split(":", 1)
    found = sqlite_rows(where) if kind == "sqlite" else cassandra_rows(where)
    return {(patient, time): (*counts, narrow(temperature)) for patient, time, *counts, temperature in found}
