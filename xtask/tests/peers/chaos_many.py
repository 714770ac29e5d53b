"""Does the work of chaos_check.py where the messages are too many to hold: a byte for each of them, by its number.

The arguments and the JSON object are the same."""

import json
import sys
from pathlib import Path

import chaos_group
from chaos_readings import is_malformed, message, narrow, number_of, place, row
from chaos_rows import cassandra_rows, sqlite_rows
from confluent_kafka import Consumer, TopicPartition

MISSING, WRONG, RIGHT = range(3)


def letters(brokers, topic):
    """What was kept as a dead letter."""
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "chaos-reader", "enable.auto.commit": False})
    name = f"{topic}.dlq"
    left = {}
    for partition in consumer.list_topics(name, 20).topics[name].partitions:
        low, high = consumer.get_watermark_offsets(TopicPartition(name, partition), 20)
        if low < high:
            left[partition] = high
    consumer.assign([TopicPartition(name, partition, 0) for partition in left])
    while left:
        letter = consumer.poll(20)
        if letter is None or letter.error():
            sys.exit(f"the dead letters cannot be read: {letter and letter.error()}")
        yield letter.value()
        if left.get(letter.partition(), 0) <= letter.offset() + 1:
            left.pop(letter.partition(), None)
    consumer.close()


def acknowledged(path, length):
    """Number, partition and offset of each line within this length; the last one may be half written."""
    with open(path, encoding="ascii") as ledger:
        for line in ledger:
            length -= len(line)
            if length < 0 or not line.endswith("\n"):
                return
            yield tuple(map(int, line.split()))


def kept_rows(store):
    """Number of each row, and whether it is as it was sent."""
    kind, where = store.split(":", 1)
    for patient, timestamp, *signs, temperature in sqlite_rows(where) if kind == "sqlite" else cassandra_rows(where):
        number = number_of(timestamp)
        is_place = number >= 0 and not is_malformed(number) and place(number) == (patient, timestamp)
        yield (number, (*signs, narrow(temperature)) == row(number)) if is_place else (-1, False)


def kept_letters(brokers, topic):
    for value in letters(brokers, topic):
        number = number_of(json.loads(value)["timestamp"])
        is_ours = number >= 0 and is_malformed(number) and message(number)[1] == value
        yield (number, True) if is_ours else (-1, False)


brokers, topic, group, store, count, path = sys.argv[1:]
consumer = chaos_group.connect(brokers, group)
done = {partition: offset for partition, (offset, _) in chaos_group.committed(consumer, topic).items()}
consumer.close()
# The ledger before the store: what is written down meanwhile is not looked for.
length = Path(path).stat().st_size
state = bytearray(int(count))
verdict = {"checked": 0, "committed": 0, "lost": 0, "wrong": 0, "ahead": 0, "invented": 0, "examples": []}
for kept in kept_rows(store), kept_letters(brokers, topic):
    for number, is_right in kept:
        if 0 <= number < len(state):
            state[number] = RIGHT if is_right else WRONG
        else:
            verdict["invented"] += 1
for number, partition, offset in acknowledged(path, length):
    is_committed = offset < done.get(partition, 0)
    verdict["checked"] += 1
    verdict["committed"] += is_committed
    if state[number] != RIGHT:
        name = "lost" if state[number] == MISSING else "wrong"
        verdict[name] += 1
        verdict["ahead"] += is_committed
        if len(verdict["examples"]) < 5:
            verdict["examples"].append(f"{name}: number {number}, partition {partition}, offset {offset}")
print(json.dumps(verdict))
