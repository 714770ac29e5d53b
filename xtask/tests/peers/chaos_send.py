"""Sends the messages of a campaign, and writes down what was acknowledged: chaos_send.py BROKERS TOPIC COUNT RATE LEDGER
[FIRST [PADDED_FROM]].

RATE is in messages a second, FIRST the first number, else 0; for PADDED_FROM see chaos_readings.py. What the LEDGER holds
already stays in it. Each line of LEDGER is a number with its partition and offset. SIGTERM is the end of
sending; what was sent is waited for. Ends with code 1 when a message was given up."""

import logging
import signal
import sys
import time

from chaos_readings import message
from confluent_kafka import KafkaError, Producer

brokers, topic, count, rate, path, *more = sys.argv[1:]
count, rate = int(count), int(rate)
first, padded_from = [*map(int, more), *[0, None][len(more) :]]
failures, taken_back, told = [], [], []
signal.signal(signal.SIGTERM, lambda *_: told.append("enough"))
# How long what is on its way to the broker is waited for before it is taken back as well, in seconds.
ANSWER_LIMIT = 10
# How long messages are gathered. Of several brokers on one machine a request takes 4 ms of a processor, copies included:
# fewer and larger ones.
LINGER_MS = 100 if "," in brokers else 5


class Log(logging.Handler):
    """Prints what librdkafka says, and notices when it forgets a partition.

    From 2.5 to 2.16 at least it never sends to a partition again for which a broker that is stopping named no leader (its
    issue 5430): what waits for such a partition would wait until its timeout."""

    forgot = False

    def emit(self, record):
        print(record.getMessage(), file=sys.stderr, flush=True)
        self.forgot |= "new leader-1 not found in cache" in record.getMessage()


log = Log()
logger = logging.getLogger("librdkafka")
logger.addHandler(log)


def new_producer():
    return Producer(
        {
            "bootstrap.servers": brokers,
            # A retry writes nothing twice.
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "linger.ms": LINGER_MS,
            # Longer than any fault.
            "message.timeout.ms": 600_000,
            "reconnect.backoff.max.ms": 500,
            # A connection that died without a word is given up soon.
            "socket.timeout.ms": 5_000,
        },
        logger=logger,
    )


def delivered(number):
    def note(error, answer):
        if error is None:
            ledger.write(f"{number} {answer.partition()} {answer.offset()}\n")
        elif error.code() in (KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT):
            taken_back.append(number)
        else:
            failures.append(str(error))

    return note


def send(number):
    """Whether there was room for it."""
    patient, value = message(number, padded_from)
    try:
        producer.produce(topic, value, patient, on_delivery=delivered(number))
    except BufferError:
        return False
    return True


def look(seconds):
    """Takes in what was delivered; sends by a new producer what the old one will never send."""
    global producer
    producer.poll(seconds)
    if not log.forgot:
        return
    limit = time.monotonic() + ANSWER_LIMIT
    while len(producer):
        producer.purge(in_flight=time.monotonic() > limit)
        producer.poll(0.1)
    log.forgot = False
    producer = new_producer()
    again, taken_back[:] = taken_back[:], []
    print(f"{len(again)} messages are sent again by a new producer", file=sys.stderr, flush=True)
    for number in again:
        while not send(number):
            producer.poll(0.1)


ledger = open(path, "a", encoding="ascii", buffering=1 << 16)
producer = new_producer()
begun, number = time.monotonic(), 0
while number < count and not told:
    due = min(count, int((time.monotonic() - begun) * rate))
    while number < due and not told:
        if send(first + number):
            number += 1
        else:
            look(0.1)
    look(0.02)
while len(producer) or taken_back:
    look(0.1)
ledger.close()
print(f"sent {number}, given up {len(failures)} {failures[:3]}")
sys.exit(1 if failures else 0)
