"""Sends each line of its standard input as a message, keyed by its patient: send.py BROKERS TOPIC [AGE].

AGE is for how many seconds the messages claim to have been sent already."""

import json
import sys
import time

from confluent_kafka import Producer


def delivered(error, _):
    if error is not None:
        sys.exit(f"not delivered: {error}")


brokers, topic, *age = sys.argv[1:]
sent = {"timestamp": int((time.time() - float(age[0])) * 1000)} if age else {}
producer = Producer({"bootstrap.servers": brokers})
for line in sys.stdin:
    line = line.rstrip("\n")
    producer.produce(topic, line, json.loads(line)["patient_id"], on_delivery=delivered, **sent)
producer.flush()
