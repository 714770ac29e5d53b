"""A year of readings, step by step, and what their minutes come to.

chaos_years.py send BROKERS TOPIC SEED STEP FROM UNTIL FLOOR LEDGER
                                       sends the readings of a step of the year, which goes from FROM to UNTIL; some
                                       come late, in other order, twice with other signs, or are too old to be kept.
                                       None of those that come late is of a time before FLOOR
chaos_years.py time SECONDS            prints them as a time
chaos_years.py rows STORE FILE         writes what the tables hold into FILE, as JSON
chaos_years.py check LEDGER FILE ARCHIVE RETENTION_DAYS GONE_BEFORE UNTIL
                                       compares: the archive with what was sent, the minutes with what DuckDB makes of
                                       the archive, and the readings of the last RETENTION_DAYS with the table, but for
                                       those before GONE_BEFORE, which an archive has replaced

`check` needs DuckDB, the others the clients. Times are seconds since 1970. A line of LEDGER is a step's UNTIL and a
reading as it was sent. Prints for `check`: checked (moments and minutes), committed (as many), lost, wrong, ahead (0),
invented."""

import json
import random
import sys
from datetime import datetime, timezone

SIGNS = ["heart_rate", "spo2", "systolic", "diastolic", "respiratory_rate", "temperature"]
RANGES = [(1, 350), (1, 100), (20, 350), (10, 250), (1, 120), (20, 46)]
PATIENTS = 20
# In a step, of each patient.
STRETCHES = 3
STRETCH_SECONDS = 240
DAY = 86_400
FIGURES = ["n", "min", "max", "sum", "last"]


def written(seconds):
    """To the millisecond: none is a whole second."""
    return datetime.fromtimestamp(round(seconds, 3), timezone.utc).isoformat()


def signs(chance):
    """One sign at least; some that nobody believes, which minutes leave out."""
    found = {
        "heart_rate": 0 if chance.random() < 0.02 else chance.randint(40, 180),
        "spo2": chance.randint(85, 100),
        "systolic": chance.randint(90, 180),
        "diastolic": chance.randint(50, 200 if chance.random() < 0.05 else 85),
        "respiratory_rate": chance.randint(8, 40),
        "temperature": chance.randint(350, 410) / 10,
    }
    kept = {name: value for name, value in found.items() if chance.random() < 0.7}
    return kept or {"spo2": found["spo2"]}


def message(patient, time, values):
    values = dict(values)
    pressure = {name: values.pop(name) for name in ("systolic", "diastolic") if name in values}
    return {"patient_id": patient, "timestamp": written(time), **({"blood_pressure": pressure} if pressure else {}), **values}


def of_step(seed, step, since, until, floor):
    """By patient, in the order in which they are sent."""
    chance = random.Random(f"{seed} {step}")
    for number in range(PATIENTS):
        patient = f"Y{number:03}"
        for _ in range(STRETCHES):
            begin = chance.uniform(since, until - STRETCH_SECONDS - 60)
            times = [begin + second + 0.001 for second in range(0, STRETCH_SECONDS, 3)]
            sent = [(time + (chance.uniform(0, 100) if chance.random() < 0.1 else 0), time) for time in times]
            for _, time in sorted(sent):
                yield message(patient, time, signs(chance))
                if chance.random() < 0.1:
                    yield message(patient, time, signs(chance))
        # Of the time of an earlier step, where something is there or nothing.
        for _ in range(5):
            late = chance.uniform(max(floor, since - 10 * DAY), since)
            if step > 0 and late >= floor:
                yield message(patient, late, signs(chance))
        # Too old to be kept: nothing may become of it.
        yield message(patient, until - 400 * DAY, signs(chance))


def send(brokers, topic, seed, step, since, until, floor, path):
    from confluent_kafka import Producer

    producer = Producer(
        {"bootstrap.servers": brokers, "enable.idempotence": True, "partitioner": "murmur2_random", "linger.ms": 5}
    )

    def delivered(error, _):
        if error is not None:
            sys.exit(f"not delivered: {error}")

    count = 0
    with open(path, "a", encoding="utf-8") as ledger:
        for reading in of_step(seed, int(step), float(since), float(until), float(floor)):
            value = json.dumps(reading)
            producer.produce(topic, value, reading["patient_id"], on_delivery=delivered)
            producer.poll(0)
            ledger.write(f"{until} {value}\n")
            count += 1
    producer.flush()
    print(f"sent {count}")


def rows(store, path):
    kind, where = store.split(":", 1)
    columns = ", ".join(["patient_id", "timestamp", *SIGNS])
    if kind == "sqlite":
        import sqlite3

        connection = sqlite3.connect(f"file:{where}?mode=ro", uri=True, timeout=20)
        readings = [list(row) for row in connection.execute(f"SELECT {columns} FROM patient_vitals")]
        figures = ", ".join(f"{sign}_{of}" for sign in SIGNS for of in FIGURES)
        minutes = []
        for patient, minute, n, *found in connection.execute(
            f"SELECT patient_id, minute, n, {figures} FROM patient_vitals_1m"
        ):
            minutes.append([patient, minute, n, *(found[at * 5 : at * 5 + 5] for at in range(len(SIGNS)))])
    else:
        from cassandra_session import connect

        node, keyspace = where.split("/")
        with connect(node) as session:
            session.default_fetch_size = 2000
            readings = [list(row) for row in session.execute(f'SELECT {columns} FROM "{keyspace}".patient_vitals')]
            found = session.execute(
                f"SELECT patient_id, minute, n, {', '.join(SIGNS)} FROM \"{keyspace}\".patient_vitals_1m"
            )
            minutes = [
                [patient, minute, n, *([None] * 5 if sign is None else list(sign) for sign in figures)]
                for patient, minute, n, *figures in found
            ]
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"readings": readings, "minutes": minutes}, file)
    print(f"{len(readings)} readings, {len(minutes)} minutes")


def sent(path, retention):
    """By patient and moment, what is to be kept: of each sign the value that came last."""
    moments = {}
    with open(path, encoding="utf-8") as ledger:
        for line in ledger:
            until, value = line.split(" ", 1)
            reading = json.loads(value)
            at = datetime.fromisoformat(reading["timestamp"])
            if at.timestamp() <= float(until) - retention:
                continue
            values = {**reading, **reading.get("blood_pressure", {})}
            known = moments.setdefault((reading["patient_id"], at), dict.fromkeys(SIGNS))
            known.update({name: values[name] for name in SIGNS if values.get(name) is not None})
    return {key: list(known.values()) for key, known in moments.items()}


def same(values, others):
    return all(
        one == other or (one is not None and other is not None and abs(float(one) - float(other)) < 1e-4)
        for one, other in zip(values, others)
    )


def of_archive(folder):
    """The archive's moments, and what DuckDB makes of them, minute by minute."""
    import duckdb

    duck = duckdb.connect()
    duck.execute("SET TimeZone = 'UTC'")
    duck.execute(
        f"CREATE TABLE reading AS SELECT DISTINCT ON (patient_id, timestamp) * "
        f"FROM read_parquet('{folder}/*.parquet', filename = true) "
        f"ORDER BY patient_id, timestamp, length(filename) DESC, filename DESC"
    )
    stored = duck.execute(f"SELECT patient_id, timestamp, {', '.join(SIGNS)} FROM reading").fetchall()
    pressure = "(systolic IS NULL OR diastolic IS NULL OR diastolic < systolic)"
    believed = []
    for sign, (low, high) in zip(SIGNS, RANGES):
        also = f" AND {pressure}" if sign in ("systolic", "diastolic") else ""
        believed.append(f"CASE WHEN {sign} BETWEEN {low} AND {high}{also} THEN round({sign}::DOUBLE, 5) END AS {sign}")
    figures = ", ".join(
        f"count({sign}), min({sign}), max({sign}), sum({sign}), "
        f"max_by({sign}, CASE WHEN {sign} IS NOT NULL THEN timestamp END)"
        for sign in SIGNS
    )
    minutes = duck.execute(
        f"SELECT patient_id, date_trunc('minute', timestamp), count(*), {figures} "
        f"FROM (SELECT patient_id, timestamp, {', '.join(believed)} FROM reading) GROUP BY ALL"
    ).fetchall()
    return (
        {(patient, at.astimezone(timezone.utc)): values for patient, at, *values in stored},
        {
            (patient, at.astimezone(timezone.utc)): [n, *(found[at * 5 : at * 5 + 5] for at in range(len(SIGNS)))]
            for patient, at, n, *found in minutes
        },
    )


def check(ledger, path, archive, retention_days, gone_before, until):
    retention = float(retention_days) * DAY
    expected = sent(ledger, retention)
    archived, computed = of_archive(archive)
    with open(path, encoding="utf-8") as file:
        stored = json.load(file)
    lost, wrong, invented = [], [], []
    for key in expected.keys() | archived.keys():
        if key not in archived:
            lost.append(f"{key} is not in the archive")
        elif key not in expected:
            invented.append(f"{key} is in the archive")
        elif not same(expected[key], archived[key]):
            wrong.append(f"{key} is {archived[key]} in the archive, not {expected[key]}")
    table = {(patient, datetime.fromisoformat(at)): values for patient, at, *values in stored["readings"]}
    # The clock has gone on by an hour and more.
    young = max(float(until) - retention + 2 * 3600, float(gone_before))
    for key in expected.keys() | table.keys():
        if key not in expected:
            invented.append(f"{key} is in the table")
        elif key not in table:
            if key[1].timestamp() > young:
                lost.append(f"{key} is not in the table")
        elif not same(expected[key], table[key]):
            wrong.append(f"{key} is {table[key]} in the table, not {expected[key]}")
    minutes = {(patient, datetime.fromisoformat(at)): found for patient, at, *found in stored["minutes"]}
    for key in computed.keys() | minutes.keys():
        if key not in minutes:
            lost.append(f"minute {key}")
            continue
        if key not in computed:
            invented.append(f"minute {key}")
            continue
        (n, *signs_of), (found_n, *found) = computed[key], minutes[key]
        for sign, figures, other in zip(SIGNS, signs_of, found):
            if (figures[0] or other[0]) and not same(figures, other):
                wrong.append(f"minute {key}, {sign}: {other}, not {figures}")
        if n != found_n:
            wrong.append(f"minute {key}: {found_n} readings, not {n}")
    checked = len(expected) + len(computed)
    print(
        json.dumps(
            {
                "checked": checked,
                "committed": checked,
                "lost": len(lost),
                "wrong": len(wrong),
                "ahead": 0,
                "invented": len(invented),
                "examples": [*lost[:5], *wrong[:5], *invented[:5]],
            }
        )
    )


if __name__ == "__main__":
    {"send": send, "rows": rows, "check": check, "time": lambda at: print(written(int(at)))}[sys.argv[1]](*sys.argv[2:])
