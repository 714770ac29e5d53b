"""Sends each line of its standard input as a message, keyed by its patient: send.py BROKERS TOPIC."""

import json
import sys

from confluent_kafka import Producer


def delivered(error, _):
    if error is not None:
        sys.exit(f"not delivered: {error}")


brokers, topic = sys.argv[1:]
producer = Producer({"bootstrap.servers": brokers})
for line in sys.stdin:
    line = line.rstrip("\n")
    producer.produce(topic, line, json.loads(line)["patient_id"], on_delivery=delivered)
producer.flush()
