"""Whether a program that does not go on holds the write lock of an SQLite file: chaos_locked.py PATH. Prints yes or no."""

import sqlite3
import sys

# Longer than who goes on holds it.
PATIENCE = 3

connection = sqlite3.connect(sys.argv[1], timeout=PATIENCE, isolation_level=None)
try:
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("ROLLBACK")
    print("no")
except sqlite3.OperationalError:
    print("yes")
