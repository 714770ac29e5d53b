"""Compares what a broker acknowledged with what is kept: chaos_check.py BROKERS TOPIC GROUP STORE COUNT LEDGER
[PADDED_FROM] [theirs=LOG...].

STORE is cassandra:NODE/KEYSPACE or sqlite:PATH; COUNT is how many messages were sent at most; for PADDED_FROM see
chaos_readings.py; LOG is what a member of another kind has said that it was given. Prints a JSON object:
- checked: acknowledged messages that were looked for
- theirs: those that are neither a row nor a dead letter, were given to a member of another kind, and are committed
- lost: those that are neither, otherwise
- wrong: those that are kept otherwise than they were sent
- ahead: those of the lost and wrong ones whose offset the group has committed
- committed: acknowledged messages whose offset the group has committed
- invented: rows and dead letters that nobody sent"""

import json
import sys

import chaos_group
import chaos_rows
from chaos_readings import is_malformed, message, number_of, place, row
from confluent_kafka import Consumer, TopicPartition
from kept_letters import Joiner

THEIRS = "theirs="


def letters(brokers, topic):
    """By partition and offset of the source: every value that was kept for them."""
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "chaos-reader", "enable.auto.commit": False})
    name, kept, joiner = f"{topic}.dlq", {}, Joiner()
    found = consumer.list_topics(name, 20).topics[name]
    left = {}
    for partition in found.partitions:
        low, high = consumer.get_watermark_offsets(TopicPartition(name, partition), 20)
        if low < high:
            left[partition] = high
    consumer.assign([TopicPartition(name, partition, 0) for partition in left])
    while left:
        letter = consumer.poll(20)
        if letter is None or letter.error():
            sys.exit(f"the dead letters cannot be read: {letter and letter.error()}")
        names = [(name.encode(), content) for name, content in letter.headers() or []]
        marks = dict(names)
        if marks[b"vitals.topic"].decode() != topic:
            sys.exit("a dead letter is of another topic")
        whole = joiner.join(letter.key(), letter.value(), names)
        # A batch that nobody can open is no message: who has sent it looks for it.
        if whole and marks[b"vitals.reason"] != b"undecodable_batch":
            source = int(marks[b"vitals.partition"]), int(marks[b"vitals.offset"])
            kept.setdefault(source, set()).add(whole[1])
        if left.get(letter.partition(), 0) <= letter.offset() + 1:
            left.pop(letter.partition(), None)
    consumer.close()
    return kept


def acknowledged(path):
    """Number, partition and offset; the last line may be half written."""
    with open(path, encoding="ascii") as ledger:
        for line in ledger:
            if line.endswith("\n"):
                yield tuple(map(int, line.split()))


def given_to(path):
    """Partition and offset of each message; the last line may be half written."""
    with open(path, encoding="ascii") as log:
        for line in log:
            if line.startswith("read ") and line.endswith("\n"):
                yield tuple(map(int, line.split()[1:]))


brokers, topic, group, store, count, path, *more = sys.argv[1:]
padded = [text for text in more if not text.startswith("theirs=")]
padded_from = int(padded[0]) if padded else None
consumer = chaos_group.connect(brokers, group)
done = {partition: offset for partition, (offset, _) in chaos_group.committed(consumer, topic).items()}
consumer.close()
# The ledger before the store: what is written down meanwhile is not looked for.
ledger = list(acknowledged(path))
rows = chaos_rows.rows(store)
kept = letters(brokers, topic)
given = {place for option in more if option.startswith(THEIRS) for place in given_to(option.removeprefix(THEIRS))}
verdict = {"checked": 0, "committed": 0, "theirs": 0, "lost": 0, "wrong": 0, "ahead": 0, "invented": 0, "examples": []}


def judge(name, number, partition, offset):
    verdict[name] += 1
    verdict["ahead"] += offset < done.get(partition, 0)
    if len(verdict["examples"]) < 5:
        verdict["examples"].append(f"{name}: number {number}, partition {partition}, offset {offset}")


for number, partition, offset in ledger:
    verdict["checked"] += 1
    verdict["committed"] += offset < done.get(partition, 0)
    if is_malformed(number):
        found, expected = kept.get((partition, offset)), {message(number, padded_from)[1]}
    else:
        found, expected = rows.get(place(number)), row(number, padded_from)
    if found is None and (partition, offset) in given and offset < done.get(partition, 0):
        verdict["theirs"] += 1
    elif found is None:
        judge("lost", number, partition, offset)
    elif found != expected:
        judge("wrong", number, partition, offset)


def is_sent(number):
    return 0 <= number < int(count)


def is_a_row_of_ours(key):
    number = number_of(key[1])
    return is_sent(number) and not is_malformed(number) and place(number) == key


def is_a_letter_of_ours(value):
    number = number_of(json.loads(value)["timestamp"])
    return is_sent(number) and is_malformed(number) and message(number, padded_from)[1] == value


verdict["invented"] += sum(not is_a_row_of_ours(key) for key in rows)
verdict["invented"] += sum(not all(map(is_a_letter_of_ours, values)) for values in kept.values())
print(json.dumps(verdict))
