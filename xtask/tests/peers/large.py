"""Sends large messages that are no readings, and a reading behind each: large.py BROKERS TOPIC BYTES...

Nothing compresses what is refused: BYTES of it are the value, or the key where a k stands before the number, or a header
where an h does. Prints each of them as read_topic.py would."""

import json
import random
import sys

from confluent_kafka import Producer

brokers, topic, *sizes = sys.argv[1:]
producer = Producer({"bootstrap.servers": brokers, "message.max.bytes": 20_000_000})


def send(key, value, headers):
    delivered = []
    producer.produce(topic, value, key, 0, headers=headers, on_delivery=lambda error, sent: delivered.append((error, sent)))
    producer.flush()
    ((error, sent),) = delivered
    if error is not None:
        sys.exit(f"not delivered: {error}")
    return sent


for number, size in enumerate(sizes):
    noise = random.Random(number).randbytes(int(size.lstrip("kh")))
    key, value, headers = b"P1", b"{", [("ward", None), ("ward", b"\xff")]
    if size.startswith("k"):
        key = noise
    elif size.startswith("h"):
        headers.append(("noise", noise))
    else:
        value = noise
    sent = send(key, value, headers)
    reading = {"patient_id": "P1", "timestamp": f"2025-10-26T10:30:{number:02}Z", "spo2": 97}
    send(b"P1", json.dumps(reading), [])
    line = {
        "partition": sent.partition(),
        "offset": sent.offset(),
        "key": key.hex(),
        "value": value.hex(),
        "headers": [[name.encode().hex(), content and content.hex()] for name, content in headers],
    }
    print(json.dumps(line))
