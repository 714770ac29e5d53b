"""Compares what `vitals produce` reported as sent with a topic: chaos_sent.py BROKERS TOPIC LOG...

Prints a JSON object: checked (messages reported as sent), lost (those that are not in the topic), invented (messages in
the topic that are no reading)."""

import json
import sys

from confluent_kafka import Consumer, TopicPartition

REPORTED = b"SENT "


def reported(paths):
    for path in paths:
        with open(path, "rb") as log:
            # A line that was cut by the kill reports nothing.
            yield from (line[len(REPORTED) : -1] for line in log if line.startswith(REPORTED) and line.endswith(b"\n"))


def is_reading(value):
    try:
        return "patient_id" in json.loads(value)
    except ValueError:
        return False


brokers, topic, *logs = sys.argv[1:]
consumer = Consumer({"bootstrap.servers": brokers, "group.id": "chaos-reader", "enable.auto.commit": False})
left = {}
for partition in consumer.list_topics(topic, 20).topics[topic].partitions:
    low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), 20)
    if low < high:
        left[partition] = high
consumer.assign([TopicPartition(topic, partition, 0) for partition in left])
# Of each message only its hash: there may be millions.
there, invented = set(), 0
while left:
    message = consumer.poll(20)
    if message is None or message.error():
        sys.exit(f"the topic cannot be read: {message and message.error()}")
    there.add(hash(message.value()))
    invented += not is_reading(message.value())
    if left.get(message.partition(), 0) <= message.offset() + 1:
        left.pop(message.partition(), None)
consumer.close()
sent = list(reported(logs))
lost = [value for value in sent if hash(value) not in there]
examples = [f"lost: {value.decode()}" for value in lost[:3]]
counts = {"checked": len(sent), "committed": 0, "lost": len(lost), "wrong": 0, "ahead": 0, "invented": invented}
print(json.dumps({**counts, "examples": examples}))
