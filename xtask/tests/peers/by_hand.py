"""What the old README has people type into cqlsh, with the keyspace's name: by_hand.py NODE KEYSPACE [without-table | wrong-table]."""

import sys

from cassandra_session import connect

KEYSPACE = """CREATE KEYSPACE IF NOT EXISTS {keyspace}
WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}"""

TABLE = """CREATE TABLE IF NOT EXISTS patient_vitals (
    patient_id TEXT,
    timestamp TEXT,
    heart_rate INT,
    spo2 INT,
    systolic INT,
    diastolic INT,
    respiratory_rate INT,
    temperature FLOAT,
    PRIMARY KEY (patient_id, timestamp)
)"""

node, keyspace, *without = sys.argv[1:]
with connect(node) as session:
    session.execute(KEYSPACE.format(keyspace=keyspace))
    session.set_keyspace(keyspace)
    if without == ["wrong-table"]:
        # As people do who take the column's name for its type.
        session.execute(TABLE.replace("timestamp TEXT", "timestamp TIMESTAMP"))
    elif not without:
        session.execute(TABLE)
