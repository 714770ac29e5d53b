"""Prints every message of a topic up to its present end, one JSON object a line, bytes in hex, in the order of
partitions and offsets: read_topic.py BROKERS TOPIC [read_committed]."""

import json
import sys

from kafka import KafkaConsumer, TopicPartition
from kafka.record.default_records import DefaultRecordBatch


class Lenient(bytearray):
    """Header keys need not be UTF-8 on the wire; kafka-python takes it for granted. Latin-1 keeps every byte."""

    def __getitem__(self, where):
        part = super().__getitem__(where)
        return Lenient(part) if isinstance(where, slice) else part

    def decode(self, *_):
        return bytes(self).decode("latin-1")


original = DefaultRecordBatch._maybe_uncompress


def lenient(batch):
    original(batch)
    batch._buffer = Lenient(batch._buffer)


DefaultRecordBatch._maybe_uncompress = lenient


def as_hex(value):
    return None if value is None else bytes(value).hex()


def header(key, value):
    return [key.encode("latin-1").hex(), as_hex(value)]


brokers, topic, *isolation = sys.argv[1:]
consumer = KafkaConsumer(
    bootstrap_servers=brokers,
    group_id=None,
    enable_auto_commit=False,
    isolation_level=(isolation or ["read_uncommitted"])[0],
)
partitions = sorted(TopicPartition(topic, partition) for partition in consumer.partitions_for_topic(topic))
consumer.assign(partitions)
consumer.seek_to_beginning()
ends = consumer.end_offsets(partitions)
messages = []
while any(consumer.position(partition) < end for partition, end in ends.items()):
    for records in consumer.poll(timeout_ms=200).values():
        messages.extend(records)
consumer.close()
for message in sorted(messages, key=lambda message: (message.partition, message.offset)):
    line = {
        "partition": message.partition,
        "offset": message.offset,
        "key": as_hex(message.key),
        "value": as_hex(message.value),
        "headers": [header(key, value) for key, value in message.headers],
    }
    print(json.dumps(line))
