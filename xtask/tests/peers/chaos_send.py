"""Sends the messages of a campaign, and writes down what was acknowledged: chaos_send.py BROKERS TOPIC COUNT RATE LEDGER [FIRST].

RATE is in messages a second, FIRST the first number, else 0. What the LEDGER holds already stays in it. Each line of LEDGER is a number with its partition and offset. SIGTERM is the end of
sending; what was sent is waited for. Ends with code 1 when a message was given up."""

import signal
import sys
import time

from chaos_readings import message
from confluent_kafka import Producer

brokers, topic, count, rate, path, *first = sys.argv[1:]
count, rate, first = int(count), int(rate), int((first or [0])[0])
failures, told = [], []
signal.signal(signal.SIGTERM, lambda *_: told.append("enough"))

producer = Producer(
    {
        "bootstrap.servers": brokers,
        # A retry writes nothing twice.
        "enable.idempotence": True,
        "partitioner": "murmur2_random",
        "linger.ms": 5,
        # Longer than any fault.
        "message.timeout.ms": 600_000,
        "reconnect.backoff.max.ms": 500,
        # A connection that died without a word is given up soon.
        "socket.timeout.ms": 5_000,
    }
)
ledger = open(path, "a", encoding="ascii", buffering=1 << 16)


def delivered(number):
    def note(error, answer):
        if error is None:
            ledger.write(f"{number} {answer.partition()} {answer.offset()}\n")
        else:
            failures.append(str(error))

    return note


begun, number = time.monotonic(), 0
while number < count and not told:
    due = min(count, int((time.monotonic() - begun) * rate))
    while number < due and not told:
        patient, value = message(first + number)
        try:
            producer.produce(topic, value, patient, on_delivery=delivered(first + number))
            number += 1
        except BufferError:
            producer.poll(0.1)
    producer.poll(0.02)
producer.flush()
ledger.close()
print(f"sent {number}, given up {len(failures)} {failures[:3]}")
sys.exit(1 if failures else 0)
