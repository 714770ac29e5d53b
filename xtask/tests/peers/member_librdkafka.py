"""A group member on librdkafka that commits nothing: member_librdkafka.py BROKERS TOPIC GROUP [newer].

With the newer protocol (KIP-848) it commits each message. Prints "assigned P P …" and "read P OFFSET"; leaves the group when its standard input has a line, or ends."""

import sys
import threading

from confluent_kafka import Consumer

brokers, topic, group, *newer = sys.argv[1:]
leave = threading.Event()


def listen():
    sys.stdin.readline()
    leave.set()


def tell(_, partitions):
    print("assigned", *(partition.partition for partition in partitions))


protocol = {"group.protocol": "consumer"} if newer else {"partition.assignment.strategy": "range"}
consumer = Consumer(
    protocol
    | {
        "bootstrap.servers": brokers,
        "group.id": group,
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
    }
)
consumer.subscribe([topic], on_assign=tell)
threading.Thread(target=listen, daemon=True).start()
while not leave.is_set():
    message = consumer.poll(0.2)
    if message is not None and message.error() is None:
        if newer:
            consumer.commit(message, asynchronous=False)
        print("read", message.partition(), message.offset())
consumer.close()
