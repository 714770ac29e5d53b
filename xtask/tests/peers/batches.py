"""Sends record batches that few producers make: batches.py BROKERS TOPIC PARTITION.

Prints each acknowledged message that counts, one JSON object a line: what kind of batch it came in, and its value.
Messages of transactions that were aborted are not among them."""

import json
import sys

from confluent_kafka import Producer

brokers, topic, partition = sys.argv[1:]
second = 0


def message():
    global second
    second += 1
    time = f"2025-10-26T11:{second // 60:02}:{second % 60:02}+00:00"
    return json.dumps({"patient_id": "P001", "timestamp": time, "heart_rate": 60 + second % 40, "note": "x" * 200})


def producer(**settings):
    return Producer({"bootstrap.servers": brokers, "linger.ms": 100, "message.max.bytes": 1_048_588, **settings})


def send(to, kind, value, counts=True):
    def delivered(error, _):
        if error is not None and counts:
            sys.exit(f"{kind}: not delivered: {error}")
        if counts:
            print(json.dumps({"kind": kind, "value": value}))

    to.produce(topic, value, "P001", int(partition), on_delivery=delivered)


def transaction(to, commit):
    to.begin_transaction()
    for _ in range(5):
        send(to, "transaction", message(), counts=commit)
    to.flush()
    (to.commit_transaction if commit else to.abort_transaction)()


for codec in ["gzip", "snappy", "lz4", "zstd"]:
    compressing = producer(**{"compression.type": codec})
    for _ in range(25):
        send(compressing, codec, message())
    # One that is refused, inside a compressed batch.
    send(compressing, f"{codec} refused", "{")
    compressing.flush()

transactional = producer(**{"transactional.id": topic})
transactional.init_transactions()
for commit in [True, False, True]:
    transaction(transactional, commit)

# As large as the broker takes one: 1,048,588 bytes with the batch around it.
large = producer()
send(large, "large refused", "x" * 1_048_480)
large.flush()
# The end of the log is a transaction's marker.
transaction(transactional, False)
