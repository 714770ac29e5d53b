"""A group member on librdkafka: chaos_member.py BROKERS TOPIC GROUP keeps|commits|stale|ahead.

Prints `read PARTITION OFFSET` for each message that it was given; leaves the group at SIGINT or SIGTERM.
- keeps commits nothing: what it has read is read again by others
- commits commits what it has read, by itself
- stale is a planted bug: given partitions again, it commits what it had read when it was given them first
- ahead is a planted bug: it commits messages that nobody has read"""

import signal
import sys

from confluent_kafka import Consumer, KafkaException, TopicPartition

# So many at most: a commit beyond the end of a partition would be noticed by itself.
AHEAD = 30

brokers, topic, group, kind = sys.argv[1:]
told, first = [], {}
for number in [signal.SIGINT, signal.SIGTERM]:
    signal.signal(number, lambda *_: told.append("enough"))
consumer = Consumer(
    {
        "bootstrap.servers": brokers,
        "group.id": group,
        "enable.auto.commit": kind == "commits",
        "auto.commit.interval.ms": 200,
        "auto.offset.reset": "earliest",
        "partition.assignment.strategy": "range",
        "session.timeout.ms": 2000,
        "heartbeat.interval.ms": 500,
        # What the library says of its sessions would stand in the middle of a line of ours.
        "log_level": 0,
    }
)


def commit(partition, offset):
    """Whether it was taken: where others join or leave just now, the next message is another chance."""
    try:
        consumer.commit(offsets=[TopicPartition(topic, partition, offset)], asynchronous=False)
    except KafkaException:
        return False
    return True


def commits_ahead(partition, offset):
    _, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=5)
    ahead = min(offset + AHEAD, end)
    return ahead > offset + 1 and commit(partition, ahead)


def given(_, partitions):
    for partition in [partition.partition for partition in partitions]:
        if kind == "stale" and partition in first and not commit(partition, first[partition]):
            first.pop(partition)


consumer.subscribe([topic], on_assign=given)
while not told:
    message = consumer.poll(0.1)
    if message is None or message.error() is not None:
        continue
    partition, offset = message.partition(), message.offset()
    # Who commits ahead would read the rest as well: it keeps that to itself.
    if kind != "ahead" or partition not in first:
        print("read", partition, offset, flush=True)
    if kind != "ahead" or partition in first or commits_ahead(partition, offset):
        first.setdefault(partition, offset)
consumer.close()
