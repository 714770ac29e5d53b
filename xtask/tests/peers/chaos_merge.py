"""The same patient and time five times, with other signs each time:

chaos_merge.py send BROKERS TOPIC SEED FIRST COUNT LEDGER [FROM TO]
                                                             sends the messages of COUNT keys from number FIRST on; of
                                                             each those from FROM on and before TO, else all five
chaos_merge.py check STORE SEED LEDGER EXPORT                compares the table and its export with what has to be
                                                             there: sign by sign that of the message with the highest
                                                             offset that carries it

chaos_merge.py ahead STORE FIRST COUNT                       stores something in Cassandra with a clock that is ahead
chaos_merge.py shifted SECONDS LINES                         looks whether a reading that `vitals produce` has sent is
                                                             of a clock that is off by so much

A quarter of the readings are from the year 1970, a quarter from 9999, a quarter from the year 1, and the records say that
they were sent an hour ago, in 1970, now, or soon. Each line of LEDGER is a number, which of its five messages, a partition and an offset. STORE is as in chaos_rows.py."""

import csv
import json
import random
import sys
from datetime import datetime, timedelta, timezone
from time import time as now

import chaos_rows
from cassandra_session import connect
from chaos_readings import PATIENTS, SIGNS, narrow
from confluent_kafka import Producer

TIMES = 5
BEGINS = [datetime(year, month, 2, tzinfo=timezone.utc) for year, month in [(2025, 1), (1970, 1), (9999, 12), (1, 1)]]
# Kafka takes nothing from later than in an hour.
SENT_SECONDS_AGO = [0, 3_600, -3_000]
LEAVE_OUT = object()


def moment(number):
    # No two numbers have the same; none is a whole second, which would be printed without decimals.
    return BEGINS[number % len(BEGINS)] + timedelta(milliseconds=number, microseconds=1)


def place(number):
    return f"C{number % PATIENTS:03}", moment(number).isoformat()


def signs(seed, number, time):
    """By name: a value, nothing (a null), or LEAVE_OUT; one has a value at least."""
    chance = random.Random(f"{seed} {number} {time}")
    found = {}
    for name in SIGNS:
        value = chance.randint(300, 420) / 10 if name == "temperature" else chance.randint(1, 250)
        found[name] = chance.choice([value, value, None, LEAVE_OUT])
    found[chance.choice(SIGNS[:5])] = chance.randint(1, 250)
    return found


def message(seed, number, time):
    # The same moment in other words each time.
    timestamp = moment(number).astimezone(timezone(timedelta(minutes=time * 165 - 330))).isoformat()
    patient = place(number)[0]
    found = {name: value for name, value in signs(seed, number, time).items() if value is not LEAVE_OUT}
    pressure = {name: found.pop(name) for name in ["systolic", "diastolic"] if name in found}
    if pressure:
        found["blood_pressure"] = pressure
    return patient, json.dumps({"patient_id": patient, "timestamp": timestamp, **found})


def sent_at(chance):
    return chance.choice([1, *(int((now() - ago) * 1000) for ago in SENT_SECONDS_AGO)])


def order(chance, first, count, times):
    """Half of the keys have their five messages in a row, those of the others lie far apart."""
    placed = []
    for number in range(first, first + count):
        here = chance.random()
        is_in_a_row = chance.random() < 0.5
        placed += [(here if is_in_a_row else chance.random(), number, time) for time in times]
    chance.shuffle(placed)
    return [entry[1:] for entry in sorted(placed, key=lambda entry: entry[0])]


def send(brokers, topic, seed, first, count, path, *times):
    chance = random.Random(f"{seed} {first}")
    producer = Producer(
        {
            "bootstrap.servers": brokers,
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "linger.ms": 5,
            # Batches of one size now, of another the next time.
            "batch.num.messages": chance.choice([1, 7, 100, 10_000]),
        }
    )
    ledger = open(path, "a", encoding="ascii")

    def delivered(number, time):
        def note(error, answer):
            if error is not None:
                sys.exit(f"not delivered: {error}")
            ledger.write(f"{number} {time} {answer.partition()} {answer.offset()}\n")

        return note

    for number, time in order(chance, int(first), int(count), range(*map(int, times)) if times else range(TIMES)):
        patient, value = message(seed, number, time)
        producer.produce(topic, value, patient, on_delivery=delivered(number, time), timestamp=sent_at(chance))
        producer.poll(0)
    producer.flush()
    ledger.close()


def expected_rows(seed, path):
    with open(path, encoding="ascii") as ledger:
        entries = [tuple(map(int, line.split())) for line in ledger]
    partitions = {}
    for number, _, partition, _ in entries:
        if partitions.setdefault(number, partition) != partition:
            sys.exit(f"number {number} is in two partitions")
    rows = {}
    for number, time, _, _ in sorted(entries, key=lambda entry: entry[3]):
        row = rows.setdefault(place(number), dict.fromkeys(SIGNS))
        row.update({name: value for name, value in signs(seed, number, time).items() if value not in (None, LEAVE_OUT)})
    return {key: (*list(row.values())[:5], narrow(row["temperature"])) for key, row in rows.items()}


def exported_rows(path):
    def value(name, text):
        return None if text == "" else narrow(float(text)) if name == "temperature" else int(text)

    with open(path, encoding="utf-8", newline="") as export:
        return {
            (line["patient_id"], line["timestamp"]): tuple(value(name, line[name]) for name in SIGNS)
            for line in csv.DictReader(export)
        }


def check(store, seed, path, export):
    rows, expected, exported = chaos_rows.rows(store), expected_rows(seed, path), exported_rows(export)
    lost = [key for key in expected if key not in rows]
    wrong = [key for key, row in expected.items() if key in rows and rows[key] != row]
    examples = [f"lost: {key}" for key in lost] + [f"wrong: {key} {rows[key]}, not {expected[key]}" for key in wrong]
    other = [key for key in rows.keys() | exported.keys() if rows.get(key) != exported.get(key)]
    examples += [f"wrong: the export of {key} is {exported.get(key)}, the row is {rows.get(key)}" for key in other]
    counts = {
        "checked": len(expected),
        "committed": 0,
        "lost": len(lost),
        "wrong": len(wrong) + len(other),
        "ahead": 0,
        "invented": len(rows.keys() - expected.keys()),
        "examples": examples[:5],
    }
    print(json.dumps(counts))


def ahead(store, first, count):
    """In Cassandra, what has the later time of writing wins, and a client may give that time itself."""
    node, keyspace = store.removeprefix("cassandra:").split("/")
    microseconds = int((now() + 3_600) * 1_000_000)
    with connect(node) as session:
        update = f'UPDATE "{keyspace}".patient_vitals USING TIMESTAMP {microseconds} SET heart_rate = 1, spo2 = 1'
        for number in range(int(first), int(first) + int(count)):
            session.execute(f"{update} WHERE patient_id = %s AND timestamp = %s", place(number))


def shifted(seconds, said):
    sent = next(line for line in said.splitlines() if line.startswith("SENT "))
    time = datetime.fromisoformat(json.loads(sent.removeprefix("SENT "))["timestamp"]).timestamp()
    if abs(time - now() - int(seconds)) > 120:
        sys.exit(f"the clock is off by {time - now():.0f} s, not {seconds}")


if __name__ == "__main__":
    action, *arguments = sys.argv[1:]
    {"send": send, "check": check, "ahead": ahead, "shifted": shifted}[action](*arguments)
