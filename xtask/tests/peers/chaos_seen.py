"""Notes when rows of readings came into the table: chaos_seen.py STORE FILE.

STORE is cassandra:NODE[,NODE...]/KEYSPACE. A consumer that writes everything again gives rows a later time of writing; so
this looks once a second, and notes the time that a row has when it is first seen. Each line of FILE is a patient, a
time and when Cassandra wrote that, in milliseconds since 1970. Rows of a patient have to come in the order of their times.
Nodes may come and go. SIGTERM ends it."""

import signal
import sys
import time

from cassandra_session import connect
from chaos_readings import PATIENTS, place

store, path = sys.argv[1:]
nodes, keyspace = store.removeprefix("cassandra:").split("/")
told = []
signal.signal(signal.SIGTERM, lambda *_: told.append("enough"))
newest = {place(number)[0]: "" for number in range(PATIENTS)}


def look(session, find, file):
    futures = {patient: session.execute_async(find, (patient, after)) for patient, after in newest.items()}
    for patient, future in futures.items():
        try:
            rows = list(future.result())
        # A node has gone, or too few are there: the next look sees what is there then.
        except Exception as error:
            print(patient, type(error).__name__, file=sys.stderr, flush=True)
            continue
        for time_of_row, micros in rows:
            file.write(f"{patient} {time_of_row} {micros // 1000}\n")
            newest[patient] = max(newest[patient], time_of_row)


with connect(nodes) as session, open(path, "w") as file:
    find = session.prepare(
        f'SELECT timestamp, WRITETIME(spo2) FROM "{keyspace}".patient_vitals'
        " WHERE patient_id = ? AND timestamp > ? ORDER BY timestamp ASC"
    )
    print("noting", flush=True)
    while not told:
        look(session, find, file)
        time.sleep(1)
    look(session, find, file)
