"""Compares what a sender of HL7 was answered with what is kept: chaos_hl7.py BROKERS TOPIC STORE LEDGER.

STORE is as in chaos_rows.py; LEDGER is what xtask/java/SendHl7.java has written. Prints a JSON object:
- checked: readings and refused messages that were answered and looked for
- lost: those that are neither a row nor a dead letter
- wrong: answers that are not the right ones, and rows that are kept otherwise than they were sent
- invented: rows and dead letters that nobody sent"""

import json
import math
import sys

import chaos_rows
from chaos_readings import SIGNS
from every_message import headers, messages
from kept_letters import Joiner

# The control id in a header.
CONTROL_ID = 9


def answered(path):
    with open(path, encoding="utf-8") as ledger:
        for line in ledger:
            # The last one may be half written.
            if line.endswith("\n"):
                yield json.loads(line)


def letters(brokers, topic):
    """The numbers of the messages that were kept."""
    joiner = Joiner()
    for letter in messages(brokers, f"{topic}.dlq"):
        whole = joiner.join(letter.key, letter.value, headers(letter))
        if whole:
            yield int(whole[1].split(b"|")[CONTROL_ID])


def is_same(found, sent):
    """Fahrenheit becomes what a table of 32 bits has room for."""
    expected = [sent.get(sign) for sign in SIGNS]
    pairs = list(zip(found, expected))
    return all((one is None) == (two is None) for one, two in pairs) and all(
        math.isclose(one, two, abs_tol=1e-4) for one, two in pairs if one is not None
    )


brokers, topic, store, path = sys.argv[1:]
verdict = {name: 0 for name in ["checked", "committed", "lost", "wrong", "ahead", "invented"]}
verdict["examples"] = []


def judge(name, example):
    verdict[name] += 1
    if len(verdict["examples"]) < 5:
        verdict["examples"].append(f"{name}: {example}")


rows = chaos_rows.rows(store)
kept, refused = set(letters(brokers, topic)), set()
for message in answered(path):
    number = f"message {message['number']}, answered {message['answer']}"
    if message["answer"] not in message["right"].split():
        judge("wrong", f"{number} instead of {message['right']}")
    if not message["readings"]:
        refused.add(message["number"])
        verdict["checked"] += 1
        if message["number"] not in kept:
            judge("lost", number)
    for reading in message["readings"]:
        verdict["checked"] += 1
        found = rows.pop((reading["patient_id"], reading["timestamp"]), None)
        if found is None:
            judge("lost", number)
        elif not is_same(found, reading):
            judge("wrong", f"{number}: {found}")
for key in rows:
    judge("invented", f"row {key}")
for number in kept - refused:
    judge("invented", f"dead letter of message {number}")
print(json.dumps(verdict))
