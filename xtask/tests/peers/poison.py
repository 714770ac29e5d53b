"""Sends readings with messages in between that are none: poison.py BROKERS TOPIC PARTITIONS VALID MALFORMED.

The last message of every partition is malformed. Prints each acknowledged message, one JSON object a line, bytes in
hex: where it went, what it was, and the reason code of its class (null for a reading)."""

import json
import random
import sys

from confluent_kafka import Producer
from kafka import KafkaProducer

random.seed(7)


class Raw(str):
    """A header key that is not UTF-8: nothing on the wire forbids it."""

    def encode(self, *_):
        return b"\xff\xfekey"


def reading(number, **changes):
    message = {
        "patient_id": f"P{number % 40:03}",
        "timestamp": f"2025-10-26T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}.000001+00:00",
        "heart_rate": random.randint(50, 120),
        "spo2": random.randint(88, 100),
        "blood_pressure": {"systolic": random.randint(90, 140), "diastolic": random.randint(60, 95)},
        "respiratory_rate": random.randint(10, 30),
        "temperature": round(random.uniform(35.5, 39.0), 1),
    }
    message.update(changes)
    return {name: value for name, value in message.items() if value is not ...}


def text(number, **changes):
    return json.dumps(reading(number, **changes)).encode()


def with_number(number, name, literal):
    """A reading with a number written as no encoder would."""
    return text(number, **{name: "@"}).replace(b'"@"', literal)


CLASSES = [
    ("not_utf8", lambda number: b"\xff\xfe" + text(number)),
    ("not_utf8", lambda number: text(number).replace(b"P0", b"P\xc3(")),
    ("not_json", lambda number: text(number)[: number % 100 + 1]),
    ("not_json", lambda _: b""),
    ("not_json", lambda _: b"\x00" * 300),
    ("not_an_object", lambda _: b"[1, 2, 3]"),
    ("sign_type", lambda number: text(number, heart_rate="95")),
    ("sign_type", lambda number: text(number, spo2=95.5)),
    ("sign_type", lambda number: text(number, temperature=True)),
    ("blood_pressure", lambda number: text(number, blood_pressure="120/80")),
    ("patient_id", lambda number: text(number, patient_id=...)),
    ("patient_id", lambda number: text(number, patient_id="x" * 65)),
    ("timestamp", lambda number: text(number, timestamp=...)),
    ("timestamp", lambda number: text(number, timestamp="2025-10-26T10:30:15")),
    ("timestamp", lambda number: text(number, timestamp="2025-02-30T10:30:15Z")),
    ("too_large", lambda number: text(number, note="x" * 70_000)),
    ("too_large", lambda number: text(number, patient_id="x" * 1_000_000)),
    ("null_value", lambda _: None),
    ("sign_range", lambda number: with_number(number, "heart_rate", b"1e999")),
    ("sign_range", lambda number: with_number(number, "temperature", b"-1e999")),
    ("sign_range", lambda number: text(number, respiratory_rate=3_000_000_000)),
    ("too_deep", lambda number: text(number, note="@").replace(b'"@"', b"[" * 10_000 + b"]" * 10_000)),
    ("duplicate_key", lambda number: text(number).replace(b'{"patient_id"', b'{"spo2": 1, "patient_id"', 1)),
    (
        "no_sign",
        lambda number: text(
            number, heart_rate=..., spo2=None, blood_pressure={}, respiratory_rate=None, temperature=...
        ),
    ),
]

HEADERS = [
    [],
    [("trace", b"\x00\xff"), ("trace", b"twice")],
    [("vitals.reason", b"an old letter")],
    [("empty", b"")],
    [("null", None)],
    [(Raw("key"), b"of a key that is no text")],
]


def as_hex(value):
    return None if value is None else value.hex()


brokers, topic, *numbers = sys.argv[1:]
partitions, valid, malformed = map(int, numbers)
sent = []


def remember(place, reason, key, value, headers):
    name = lambda key: key.encode("utf-8").hex()
    line = {
        "partition": place[0],
        "offset": place[1],
        "reason": reason,
        "key": as_hex(key),
        "value": as_hex(value),
        "headers": [[name(key), as_hex(content)] for key, content in headers],
    }
    sent.append(line)


class Librdkafka:
    """Sends null headers, and records without key and value."""

    def __init__(self):
        self.producer = Producer({"bootstrap.servers": brokers, "linger.ms": 5, "message.max.bytes": 1_048_588})

    def send(self, partition, key, value, headers, acknowledged):
        def delivered(error, message):
            if error is not None:
                sys.exit(f"not delivered: {error}")
            acknowledged((message.partition(), message.offset()))

        self.producer.produce(topic, value, key, partition, on_delivery=delivered, headers=headers)
        self.producer.poll(0)

    def flush(self):
        self.producer.flush()


class KafkaPython:
    """Sends header keys that are not UTF-8."""

    def __init__(self):
        self.producer = KafkaProducer(bootstrap_servers=brokers, linger_ms=5)

    def send(self, partition, key, value, headers, acknowledged):
        # It does not send records without key and value.
        future = self.producer.send(topic, value or b"", key, headers, partition)
        future.add_callback(lambda place: acknowledged((place.partition, place.offset)))
        future.add_errback(lambda error: sys.exit(f"not delivered: {error}"))

    def flush(self):
        self.producer.flush()


librdkafka, kafka_python = Librdkafka(), KafkaPython()


def send(number, partition, reason, make):
    """Keys of readings are patients; others have any key or none."""
    patient = f"P{number % 40:03}".encode()
    key = random.choice([None, patient, b"\xff\x00"]) if reason else patient
    headers = HEADERS[number % len(HEADERS)]
    raw = any(type(name) is Raw for name, _ in headers)
    value = make(number)
    if value is None and raw:
        headers, raw = [], False
    client = kafka_python if raw else librdkafka
    client.send(partition, key, value, headers, lambda place: remember(place, reason, key, value, headers))


def flush():
    librdkafka.flush()
    kafka_python.flush()


plan = [(None, text)] * valid + [CLASSES[number % len(CLASSES)] for number in range(malformed - partitions)]
random.shuffle(plan)
for number, (reason, make) in enumerate(plan):
    send(number, number % partitions, reason, make)
flush()
for partition in range(partitions):
    send(len(plan) + partition, partition, *CLASSES[partition * 7 % len(CLASSES)])
flush()
for line in sent:
    print(json.dumps(line))
