"""Looks at what a group has committed: chaos_group.py drained|moved|every|next BROKERS TOPIC GROUP.

drained waits until that is everything; moved waits until it is everything or something else than at first; every waits
until it is something else than at first in every partition. They print after how many seconds that was. next waits until
it is something else than at first: it says `looking` when it knows what was first, and then `moved`. All wait for
ever."""

import sys
import time

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

LOOK_AGAIN = 0.05
# A broker that is killed takes a request of ours along, and it is the group's progress that is measured, not this wait.
ASK_AGAIN_MS = 3_000


def connect(brokers, group):
    """Never joins the group, since it subscribes to nothing."""
    return KafkaConsumer(
        bootstrap_servers=brokers,
        group_id=group,
        enable_auto_commit=False,
        reconnect_backoff_max_ms=200,
        request_timeout_ms=ASK_AGAIN_MS,
    )


def committed(consumer, topic):
    """By partition: the offset, with the text that the member added; nothing where nothing is committed."""
    places = {}
    for partition in consumer.partitions_for_topic(topic) or ():
        found = consumer.committed(TopicPartition(topic, partition), metadata=True)
        if found is not None:
            places[partition] = (found.offset, found.metadata)
    return places


def is_drained(consumer, topic):
    places = committed(consumer, topic)
    partitions = [TopicPartition(topic, partition) for partition in consumer.partitions_for_topic(topic) or ()]
    ends, beginnings = consumer.end_offsets(partitions), consumer.beginning_offsets(partitions)
    reached = {partition: places.get(partition.partition, (beginnings[partition], ""))[0] for partition in partitions}
    return bool(partitions) and all(reached[partition] >= ends[partition] for partition in partitions)


def has_moved(consumer, topic, first):
    places = committed(consumer, topic)
    first.append(places)
    return places != first[0]


def has_moved_everywhere(consumer, topic, first):
    places = committed(consumer, topic)
    first.append(places)
    partitions = consumer.partitions_for_topic(topic) or ()
    return bool(partitions) and all(places.get(partition) != first[0].get(partition) for partition in partitions)


def until(reached):
    while True:
        try:
            if reached():
                return
        except KafkaError:
            pass
        time.sleep(LOOK_AGAIN)


def main():
    what, brokers, topic, group = sys.argv[1:]
    begun = time.monotonic()
    consumer = connect(brokers, group)
    if what == "drained":
        until(lambda: is_drained(consumer, topic))
    elif what == "next":
        first = []
        until(lambda: has_moved(consumer, topic, first) or True)
        print("looking", flush=True)
        until(lambda: has_moved(consumer, topic, first))
        print("moved", flush=True)
    elif what == "every":
        first = []
        until(lambda: has_moved_everywhere(consumer, topic, first))
    else:
        first = []
        until(lambda: has_moved(consumer, topic, first) or is_drained(consumer, topic))
    print(f"{time.monotonic() - begun:.3f}")
    consumer.close()


if __name__ == "__main__":
    main()
