"""Readings that raise alarms, and the alarms that they have to raise:

chaos_alarms.py rules VERSION                       prints a file of rules; its versions differ in one that nothing meets
chaos_alarms.py send BROKERS TOPIC SEED RATE LEDGER sends readings until SIGTERM, RATE a second; what was acknowledged
                                                    stands in LEDGER, a line each: partition, offset, message
chaos_alarms.py check STORE LEDGER                  compares the alarms of the store with those that an evaluator finds that
                                                    has all readings at once

STORE is as in chaos_rows.py. Prints for `check`: checked (alarms that are expected), committed (as many), lost (not
there), wrong (with another start, end or peak), ahead (0), invented (those that nothing raised)."""

import json
import random
import signal
import sqlite3
import sys
import time
from datetime import datetime, timedelta, timezone

from cassandra_session import connect

PATIENTS = 40
# Readings of a patient that are of one mood.
MOOD = 8
# (name, sign, side, limit, hysteresis, delay in seconds)
RULES = [
    ("rate_at_once", "heart_rate", "above", 110, 5, 0),
    ("rate_lasting", "heart_rate", "above", 110, 5, 1.5),
    ("spo2_at_once", "spo2", "below", 92, 2, 0),
    ("spo2_lasting", "spo2", "below", 92, 2, 3),
]
RATES = {"well": (70, 105), "ill": (111, 140), "between": (104, 114)}
SPO2S = {"well": (95, 99), "ill": (80, 91), "between": (90, 95)}


def rules(version):
    for name, sign, side, limit, hysteresis, delay in RULES:
        print(f'[[rule]]\nname = "{name}"\nsign = "{sign}"\n{side} = {limit}\nhysteresis = {hysteresis}\ndelay = {delay}\n')
    print(f'[[rule]]\nname = "of_version"\nsign = "temperature"\nabove = {100 + int(version)}')


def values(seed, patient, step):
    """Heart rate and SpO2; either may be missing."""
    mood = random.Random(f"{seed} {patient} {step // MOOD}")
    chance = random.Random(f"{seed} {patient} {step} value")
    found = []
    for ranges in (RATES, SPO2S):
        kind = mood.choices(["well", "ill", "between"], [3, 2, 1])[0]
        found.append(None if chance.random() < 0.1 else chance.randint(*ranges[kind]))
    return found if any(value is not None for value in found) else [80, found[1]]


def send(brokers, topic, seed, rate, path):
    from confluent_kafka import Producer

    told = []
    signal.signal(signal.SIGTERM, lambda *_: told.append("enough"))
    producer = Producer(
        {
            "bootstrap.servers": brokers,
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "linger.ms": 5,
            "message.timeout.ms": 600_000,
        }
    )
    ledger = open(path, "a", encoding="utf-8", buffering=1)

    def delivered(value):
        def note(error, answer):
            if error is not None:
                sys.exit(f"not delivered: {error}")
            ledger.write(f"{answer.partition()} {answer.offset()} {value}\n")

        return note

    begun, number = time.monotonic(), 0
    while not told:
        while number < (time.monotonic() - begun) * int(rate):
            patient, step = f"A{number % PATIENTS:03}", number // PATIENTS
            heart_rate, spo2 = values(seed, patient, step)
            now = datetime.now(timezone.utc).isoformat()
            value = json.dumps({"patient_id": patient, "timestamp": now, "heart_rate": heart_rate, "spo2": spo2})
            producer.produce(topic, value, patient, on_delivery=delivered(value))
            number += 1
        producer.poll(0.005)
    producer.flush()
    print(f"sent {number}")


# ---- what has to be there


def evaluate(rule, samples):
    """The alarms of one rule over one patient's (time, value), sorted: (onset, start, end, peak)."""
    _, _, side, limit, hysteresis, delay = rule
    sign = 1 if side == "above" else -1
    delay = timedelta(seconds=delay)
    alarms, waiting, active = [], None, None
    for moment, value in [*samples, (None, None)]:
        if waiting and (moment is None or moment > waiting[0] + delay):
            active, waiting = [waiting[0], waiting[0] + delay, None, waiting[1]], None
        if moment is None:
            break
        beyond = sign * (value - limit)
        if active:
            if beyond <= -hysteresis:
                active[2] = moment
                alarms.append(active)
                active = None
            elif beyond > 0:
                active[3] = max(active[3], value, key=lambda each: sign * each)
        elif waiting and beyond <= 0:
            waiting = None
        elif waiting:
            waiting = (waiting[0], max(waiting[1], value, key=lambda each: sign * each))
        if not active and not waiting and beyond > 0:
            waiting = (moment, value)
        if waiting and moment >= waiting[0] + delay:
            active, waiting = [waiting[0], waiting[0] + delay, None, waiting[1]], None
    return [*alarms, *([active] if active else [])]


def expected(path):
    by_sign = {}
    with open(path, encoding="utf-8") as ledger:
        for line in ledger:
            reading = json.loads(line.split(" ", 2)[2])
            moment = datetime.fromisoformat(reading["timestamp"])
            for name in ("heart_rate", "spo2"):
                if reading[name] is not None:
                    by_sign.setdefault((reading["patient_id"], name), []).append((moment, reading[name]))
    found = {}
    for (patient, name), samples in by_sign.items():
        for rule in RULES:
            if rule[1] == name:
                for onset, start, end, peak in evaluate(rule, sorted(samples)):
                    found[patient, rule[0], onset] = (start, end, float(peak))
    return found


def stored(store):
    columns = "patient_id, rule, onset, started, ended, peak, value"
    kind, where = store.split(":", 1)
    if kind == "sqlite":
        connection = sqlite3.connect(f"file:{where}?mode=ro", uri=True, timeout=20)
        rows = connection.execute(f"SELECT {columns} FROM patient_alerts").fetchall()
    else:
        node, keyspace = where.split("/")
        with connect(node) as session:
            rows = list(session.execute(f'SELECT {columns} FROM "{keyspace}".patient_alerts'))
    moment = lambda text: datetime.fromisoformat(text) if text else None
    # Without a start it was raised at its onset, without a peak nothing was worse than what raised it.
    return {
        (patient, rule, moment(onset)): (moment(start or onset), moment(end), value if peak is None else peak)
        for patient, rule, onset, start, end, peak, value in rows
    }


def check(store, path):
    wanted, there = expected(path), stored(store)
    lost = [key for key in wanted if key not in there]
    invented = [key for key in there if key not in wanted]
    wrong = [key for key in wanted if key in there and there[key] != wanted[key]]
    shown = [f"lost: {key} {wanted[key]}" for key in lost[:3]]
    shown += [f"invented: {key} {there[key]}" for key in invented[:3]]
    shown += [f"wrong: {key} {there[key]} for {wanted[key]}" for key in wrong[:3]]
    counts = {"checked": len(wanted), "committed": len(wanted), "ahead": 0}
    counts |= {"lost": len(lost), "wrong": len(wrong), "invented": len(invented)}
    print(json.dumps({**counts, "examples": shown}))


if __name__ == "__main__":
    work, *words = sys.argv[1:]
    {"rules": rules, "send": send, "check": check}[work](*words)
