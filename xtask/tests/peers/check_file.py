"""Compares a table with the CSV file that was sent, field by field: check_file.py NODE KEYSPACE CSV.

Prints the number of rows that are equal; every difference ends it with code 1."""

import csv
import struct
import sys

from cassandra_session import connect

COUNTS = ["heart_rate", "spo2", "systolic", "diastolic", "respiratory_rate"]


def narrow(text):
    """A number as a FLOAT column holds it."""
    return struct.unpack("f", struct.pack("f", float(text)))[0]


def expected(row):
    signs = {name: int(float(row[name])) if row[name].strip() else None for name in COUNTS}
    signs["temperature"] = narrow(row["temperature"]) if row["temperature"].strip() else None
    return signs


node, keyspace, path = sys.argv[1:]
with open(path, newline="", encoding="utf-8") as file:
    sent = {(row["patient_id"], row["timestamp"]): expected(row) for row in csv.DictReader(file)}
with connect(node) as session:
    rows = list(session.execute(f'SELECT * FROM "{keyspace}".patient_vitals'))
stored = {(row.patient_id, row.timestamp): {name: getattr(row, name) for name in [*COUNTS, "temperature"]} for row in rows}
different = [key for key in sent.keys() | stored.keys() if sent.get(key) != stored.get(key)]
for key in different[:20]:
    print(key, "sent", sent.get(key), "stored", stored.get(key), file=sys.stderr)
print(len(rows))
sys.exit(1 if different else 0)
