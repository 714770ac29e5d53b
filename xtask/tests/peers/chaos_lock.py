"""Holds the write lock of an SQLite file until it is told to end: chaos_lock.py PATH. Says `locked` when it has it."""

import signal
import sqlite3
import sys
import time

LIMIT_SECONDS = 60

signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
# SQLite's own waiting sleeps up to 0.1 s between two looks: beside a busy writer it would come when all is written.
connection = sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None)
deadline = time.monotonic() + LIMIT_SECONDS
while True:
    try:
        connection.execute("BEGIN EXCLUSIVE")
        break
    except sqlite3.OperationalError:
        if time.monotonic() > deadline:
            raise
print("locked", flush=True)
signal.sigwait([signal.SIGTERM])
connection.execute("ROLLBACK")
