"""A member of a group that reads nothing and commits nothing, until it is told to end: chaos_guest.py BROKERS TOPIC GROUP."""

import signal
import sys

from confluent_kafka import Consumer

brokers, topic, group = sys.argv[1:]
told = []
signal.signal(signal.SIGTERM, lambda *_: told.append("enough"))
consumer = Consumer(
    {
        "bootstrap.servers": brokers,
        "group.id": group,
        "enable.auto.commit": False,
        "partition.assignment.strategy": "range",
        "session.timeout.ms": 10_000,
    }
)


def assigned(consumer, partitions):
    consumer.assign(partitions)
    consumer.pause(partitions)


consumer.subscribe([topic], on_assign=assigned)
while not told:
    consumer.poll(0.2)
consumer.close()
