"""Sends readings with messages in between that are none: poison.py BROKERS TOPIC PARTITIONS VALID MALFORMED.

The last message of every partition is malformed. Prints each acknowledged message, one JSON object a line, bytes in
hex: where it went, what it was, and the reason code of its class (null for a reading)."""

import json
import random
import sys

from poisons import ALL, HEADERS, Raw, headers_as_bytes, text
from strange_senders import Both

random.seed(7)


def reading(number):
    return {
        "patient_id": f"P{number % 40:03}",
        "timestamp": f"2025-10-26T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}.000001+00:00",
        "heart_rate": random.randint(50, 120),
        "spo2": random.randint(88, 100),
        "blood_pressure": {"systolic": random.randint(90, 140), "diastolic": random.randint(60, 95)},
        "respiratory_rate": random.randint(10, 30),
        "temperature": round(random.uniform(35.5, 39.0), 1),
    }


def as_hex(value):
    return None if value is None else value.hex()


brokers, topic, *numbers = sys.argv[1:]
partitions, valid, malformed = map(int, numbers)
sender = Both(brokers)
sent = []


def remember(place, reason, key, value, headers):
    line = {
        "partition": place[0],
        "offset": place[1],
        "reason": reason,
        "key": as_hex(key),
        "value": as_hex(value),
        "headers": [[name.hex(), as_hex(content)] for name, content in headers_as_bytes(headers)],
    }
    sent.append(line)


def send(number, partition, poison):
    """Keys of readings are patients; others have any key or none."""
    patient = f"P{number % 40:03}".encode()
    headers = HEADERS[number % len(HEADERS)]
    if poison is None:
        reason, key, value = None, patient, text(reading(number))
    else:
        _, reason, make = poison
        key, value = random.choice([None, patient, b"\xff\x00"]), make(reading(number), number)
    if value is None and any(type(name) is Raw for name, _ in headers):
        headers = []
    sender.send(topic, partition, key, value, headers, lambda *place: remember(place, reason, key, value, headers))


plan = [None] * valid + [ALL[number % len(ALL)] for number in range(malformed - partitions)]
random.shuffle(plan)
for number, poison in enumerate(plan):
    send(number, number % partitions, poison)
sender.flush()
for partition in range(partitions):
    send(len(plan) + partition, partition, ALL[partition * 7 % len(ALL)])
sender.flush()
for line in sent:
    print(json.dumps(line))
