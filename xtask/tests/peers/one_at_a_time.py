"""Sends messages of 150 bytes, each when the one before is acknowledged, and prints how long that took, as JSON.

one_at_a_time.py BROKERS TOPIC COUNT
"""

import json
import sys
import time

from confluent_kafka import KafkaException, Producer

VALUE = b"x" * 150
# Connections, caches and the broker's own start: these are sent and not counted.
WARM_UP = 200


def main(brokers, topic, count):
    settings = {"bootstrap.servers": brokers, "acks": "all", "linger.ms": 0, "socket.nagle.disable": True}
    producer = Producer(settings)
    acknowledged = []

    def done(error, _message):
        acknowledged.append(time.perf_counter())
        if error is not None:
            raise KafkaException(error)

    def send():
        acknowledged.clear()
        begun = time.perf_counter()
        producer.produce(topic, VALUE, partition=0, on_delivery=done)
        while not acknowledged:
            producer.poll(1)
        return (acknowledged[0] - begun) * 1000

    for _ in range(WARM_UP):
        send()
    times = sorted(send() for _ in range(int(count)))
    p50, p99 = (times[len(times) * percent // 100] for percent in (50, 99))
    print(json.dumps({"p50_ms": p50, "p99_ms": p99}))


main(*sys.argv[1:])
