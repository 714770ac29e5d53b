"""Watches what a group commits, until SIGTERM: chaos_watch.py BROKERS TOPIC GROUP.

Says `watching` at its first look, then prints each change as `SECONDS PARTITION FROM TO`;
in the end a JSON object:
- looks: how often it has looked
- commits: how many changes it has seen
- back: those that took a committed offset back, or away"""

import json
import signal
import sys
import time

from confluent_kafka import Consumer, KafkaException, TopicPartition

# Shorter than the time between two commits of one member: one that is put right by the next is seen all the same.
LOOK_AGAIN = 0.02
# Longer than an answer takes; while a broker stands still there is nothing to see.
LOOK_LIMIT = 5

brokers, topic, group = sys.argv[1:]
told = []
signal.signal(signal.SIGTERM, lambda *_: told.append("enough"))
# It never joins the group, since it subscribes to nothing.
consumer = Consumer({"bootstrap.servers": brokers, "group.id": group, "enable.auto.commit": False})
found = consumer.list_topics(topic, 20).topics[topic]
places = [TopicPartition(topic, partition) for partition in found.partitions]
seen, looks, commits, back, begun = {}, 0, 0, [], time.monotonic()


def look():
    for place in consumer.committed(places, LOOK_LIMIT):
        if place.error is None:
            yield place.partition, max(place.offset, 0)


while not told:
    try:
        for partition, offset in look():
            before = seen.get(partition, 0)
            if offset != before:
                seen[partition] = offset
                commits += 1
                print(f"{time.monotonic() - begun:.2f}", partition, before, offset, flush=True)
            if offset < before:
                back.append(f"partition {partition}: committed {before}, then {offset}")
        looks += 1
        if looks == 1:
            print("watching", flush=True)
    except KafkaException:
        pass
    time.sleep(LOOK_AGAIN)
consumer.close()
print(json.dumps({"looks": looks, "commits": commits, "back": back}))
