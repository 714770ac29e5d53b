"""Looks at what a group has committed: chaos_group.py drained|moved BROKERS TOPIC GROUP.

drained waits until that is everything; moved waits until it is something else than at first, and prints after how many
seconds. Both wait for ever."""

import sys
import time

from confluent_kafka import Consumer, KafkaException, TopicPartition

LOOK_AGAIN = 0.1
LIMIT = 2


def committed(consumer, topic):
    """By partition: the offset, with the text that the member added."""
    partitions = [TopicPartition(topic, partition) for partition in consumer.list_topics(topic, LIMIT).topics[topic].partitions]
    return {place.partition: (place.offset, place.metadata) for place in consumer.committed(partitions, LIMIT)}


def is_drained(consumer, topic):
    for partition, (offset, _) in committed(consumer, topic).items():
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), LIMIT)
        # Nothing is committed where nothing ever was.
        if offset < high and low < high:
            return False
    return True


def until(reached):
    while True:
        try:
            if reached():
                return
        except (KafkaException, KeyError):
            pass
        time.sleep(LOOK_AGAIN)


def main():
    what, brokers, topic, group = sys.argv[1:]
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": group, "reconnect.backoff.max.ms": 200})
    begun = time.monotonic()
    if what == "drained":
        until(lambda: is_drained(consumer, topic))
    else:
        first = []
        until(lambda: first.append(committed(consumer, topic)) or first[-1] != first[0])
    print(f"{time.monotonic() - begun:.3f}")
    consumer.close()


if __name__ == "__main__":
    main()
