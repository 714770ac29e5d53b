"""What the readings of a file come to, minute by minute, against the table of minutes of an SQLite file.

It shares nothing with the program but the file's columns and the ranges of values that are believed.
"""

import csv
import sqlite3
import sys
from collections import defaultdict
from datetime import datetime, timezone

RANGES = {
    "heart_rate": (1, 350),
    "spo2": (1, 100),
    "systolic": (20, 350),
    "diastolic": (10, 250),
    "respiratory_rate": (1, 120),
    "temperature": (20, 46),
}


def believed(row):
    values = {sign: float(row[sign]) for sign in RANGES if row[sign] not in (None, "")}
    kept = {sign: value for sign, value in values.items() if RANGES[sign][0] <= value <= RANGES[sign][1]}
    if "systolic" in values and "diastolic" in values and values["diastolic"] >= values["systolic"]:
        kept.pop("systolic", None)
        kept.pop("diastolic", None)
    return kept


def sent(path):
    """Each moment of a patient once: what a later reading does not carry stays."""
    moments = defaultdict(dict)
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            time = datetime.fromisoformat(row["timestamp"].replace("Z", "+00:00")).astimezone(timezone.utc)
            known = moments[row["patient_id"], time]
            known.update({sign: row[sign] for sign in RANGES if row[sign] != ""})
    return moments


def minutes(moments):
    found = {}
    for (patient, time), signs in sorted(moments.items()):
        start = time.replace(second=0, microsecond=0).isoformat()
        minute = found.setdefault((patient, start), {"n": 0})
        minute["n"] += 1
        for sign, value in believed({sign: signs.get(sign) for sign in RANGES}).items():
            minute.setdefault(sign, []).append(value)
    return found


def main(file, database):
    expected = minutes(sent(file))
    connection = sqlite3.connect(database)
    connection.row_factory = sqlite3.Row
    rows = connection.execute("SELECT * FROM patient_vitals_1m").fetchall()
    faults = []
    stored = {(row["patient_id"], row["minute"]): row for row in rows}
    for key in sorted(expected.keys() | stored.keys()):
        if key not in stored or key not in expected:
            faults.append(f"{key}: {'missing' if key not in stored else 'too much'}")
            continue
        row, minute = stored[key], expected[key]
        is_right = row["n"] == minute["n"] and row["month"] == key[1][:7]
        for sign in RANGES:
            values = minute.get(sign)
            figures = [row[f"{sign}_{of}"] for of in ("n", "min", "max", "sum", "last")]
            if values is None:
                is_right &= figures == [None] * 5
            else:
                wanted = [len(values), min(values), max(values), round(sum(values), 5), values[-1]]
                is_right &= figures == wanted
                if figures != wanted:
                    faults.append(f"{key} {sign}: {figures}, not {wanted}")
        if not is_right:
            faults.append(f"{key}: n {row['n']}, not {minute['n']}")
    print(f"{len(expected)} minutes of {sum(minute['n'] for minute in expected.values())} moments, {len(faults)} faults")
    print("\n".join(faults[:20]))
    return 1 if faults or not expected else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
