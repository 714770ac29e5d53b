"""Holds the write lock of an SQLite file until it is told to end: chaos_lock.py PATH. Says `locked` when it has it."""

import signal
import sqlite3
import sys

signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
connection = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
signal.sigwait([signal.SIGTERM])
connection.execute("ROLLBACK")
