"""Readings with poison in between:

chaos_poison.py send BROKERS TOPIC SEED COUNT LEDGER     sends COUNT poisoned messages among as many readings, and one
                                                         more as the last of each partition; goes on behind the LEDGER
chaos_poison.py abort BROKERS TOPIC SEED COUNT           sends some in transactions, half of which are aborted
chaos_poison.py check BROKERS TOPIC STORE SEED LEDGER    compares, and prints the counts as JSON

Each number has one message, so that number, partition and offset are all that the ledger needs. STORE is as in
chaos_rows.py. The check fails where a class was not sent."""

import json
import os
import sys
from collections import Counter

import chaos_rows
from chaos_readings import PATIENTS, fields, number_of, place, row
from confluent_kafka import Consumer, Producer
from every_message import headers as headers_of
from every_message import messages
from kept_letters import Joiner
from poisons import ALL, DEEP, HEADERS, HUGE, MEGABYTE, SMALL, Raw, headers_as_bytes, text
from strange_senders import Both

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
MASK = (1 << 64) - 1


def draw(seed, number):
    """SplitMix64: what is left to chance, the same for the sender and the check."""
    state = (seed * 0x9E3779B97F4A7C15 + number * 0xD1342543DE82EF95 + 1) & MASK
    for shift, factor in [(30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)]:
        state = ((state ^ state >> shift) * factor) & MASK
    return state ^ state >> 31


def poison(seed, number):
    """Its class, reason and maker; nothing for a reading. The large ones are few, since they take their room twice; the
    first numbers make sure that each is there."""
    if 0 <= number < len(ALL):
        return ALL[number]
    drawn = draw(seed, number)
    if drawn % 2 == 0:
        return None
    slot = drawn // 2 % 2_000
    if slot < 1:
        return MEGABYTE[drawn // 4_000 % len(MEGABYTE)]
    if slot < 10:
        return HUGE
    return DEEP if slot < 50 else SMALL[drawn // 4_000 % len(SMALL)]


def message(seed, number):
    """Reason (none for a reading), key, value and headers."""
    drawn, found = draw(seed + 1, number), poison(seed, number)
    patient, headers = place(number)[0].encode(), HEADERS[drawn % len(HEADERS)]
    if found is None:
        return None, patient, text(fields(number)), headers
    _, reason, make = found
    value, key = make(fields(number), number), [None, patient, b"\xff\x00", b""][drawn // 8 % 4]
    if value is None and any(type(name) is Raw for name, _ in headers):
        # No client sends both.
        headers = []
    return reason, key, value, headers


def is_poison(seed, number):
    return poison(seed, number) is not None


def entries(path):
    """Number, partition and offset."""
    with open(path, encoding="ascii") as ledger:
        return [tuple(map(int, line.split())) for line in ledger]


def next_number(path):
    """Behind the last one: what was sent last of all stands in the last lines."""
    if not os.path.exists(path):
        return 0
    with open(path, "rb") as ledger:
        ledger.seek(max(0, os.path.getsize(path) - 4096))
        return max(int(line.split()[0]) for line in ledger.readlines()[1:]) + 1


def partitions_of(brokers, topic):
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "chaos-reader"})
    return len(consumer.list_topics(topic, 20).topics[topic].partitions)


def send(brokers, topic, seed, count, path):
    seed, count, partitions = int(seed), int(count), partitions_of(brokers, topic)
    number = next_number(path)
    sender = Both(brokers, **{"compression.type": CODECS[draw(seed, number) % len(CODECS)]})
    acknowledged = []

    def send_one(number, partition):
        _, key, value, headers = message(seed, number)
        # One of the two clients tells it in a thread of its own: a list may be filled by several, a file may not.
        note = lambda *where: acknowledged.append((number, *where))
        sender.send(topic, partition, key, value, headers, note)

    while count > 0:
        # The readings of a patient stay in one partition.
        send_one(number, number % PATIENTS % partitions)
        count -= is_poison(seed, number)
        number += 1
    sender.flush()
    for partition in range(partitions):
        while not is_poison(seed, number):
            number += 1
        send_one(number, partition)
        number += 1
    sender.flush()
    with open(path, "a", encoding="ascii") as ledger:
        ledger.writelines(f"{number} {partition} {offset}\n" for number, partition, offset in acknowledged)


def abort(brokers, topic, seed, count):
    """Numbers below zero: who reads what was not committed keeps it, which is no fault."""
    producer = Producer({"bootstrap.servers": brokers, "transactional.id": f"chaos-{topic}"})
    producer.init_transactions()
    for transaction in range(int(count)):
        producer.begin_transaction()
        for number in range(-5 * transaction - 5, -5 * transaction):
            _, key, value, headers = message(int(seed), number)
            producer.produce(topic, value, key, headers=[header for header in headers if type(header[0]) is not Raw])
        producer.flush()
        (producer.commit_transaction if transaction % 2 else producer.abort_transaction)()


def judge(counts, name, what):
    counts[name] += 1
    if len(counts["examples"]) < 5:
        counts["examples"].append(f"{name}: {what}")


def check_letters(counts, brokers, topic, seed, expected):
    """Each must be byte for byte what was sent, with where and why; `expected` is by partition and offset."""
    seen, wrong, joiner = set(), set(), Joiner()
    for letter in messages(brokers, f"{topic}.dlq"):
        whole = joiner.join(letter.key, letter.value, headers_of(letter))
        if whole is None:
            continue
        headers = whole[2]
        names = dict(headers[-4:])
        where = int(names[b"vitals.partition"]), int(names[b"vitals.offset"])
        number = expected.get(where)
        if number is None:
            counts["strange"].append(letter)
            continue
        reason, key, value, sent = message(seed, number)
        marks = [("reason", reason), ("topic", topic), ("partition", where[0]), ("offset", where[1])]
        sent = headers_as_bytes(sent) + [(f"vitals.{name}".encode(), str(mark).encode()) for name, mark in marks]
        if whole != (key, value, sent):
            wrong.add(where)
        seen.add(where)
    for where, number in expected.items():
        if where not in seen or where in wrong:
            judge(counts, "wrong" if where in seen else "lost", f"{message(seed, number)[0]} at {where}")


def check(brokers, topic, store, seed, path):
    seed, ledger, rows = int(seed), entries(path), chaos_rows.rows(store)
    counts = {name: 0 for name in ["checked", "committed", "lost", "wrong", "ahead", "invented"]}
    counts.update(checked=len(ledger), examples=[], strange=[])
    letters = {(partition, offset): number for number, partition, offset in ledger if is_poison(seed, number)}
    readings = {number for number, *_ in ledger if not is_poison(seed, number)}
    classes = Counter(poison(seed, number)[0] for number in letters.values())
    missing = {name for name, *_ in ALL} - classes.keys()
    if missing:
        sys.exit(f"not sent: {missing}")
    check_letters(counts, brokers, topic, seed, letters)
    for number in readings:
        found = rows.get(place(number))
        if found != row(number):
            judge(counts, "lost" if found is None else "wrong", f"reading {number}")
    aborted = {message(seed, number)[2] for number in range(-10_000, 0)}
    for letter in counts.pop("strange"):
        if letter.value not in aborted:
            judge(counts, "invented", f"letter at {letter.partition}:{letter.offset}")
    for key in rows:
        number = number_of(key[1])
        if place(number) != key or (number >= 0 and number not in readings):
            judge(counts, "invented", f"row {key}")
    print(", ".join(f"{count} {name}" for name, count in sorted(classes.items())))
    print(json.dumps(counts))


action, *arguments = sys.argv[1:]
{"send": send, "abort": abort, "check": check}[action](*arguments)
