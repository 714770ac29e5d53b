"""A commit that was on its way when its topic was deleted, and comes late: chaos_late.py BROKERS TOPIC GROUP keep FILE
writes down what the group has committed; arrives FILE commits that again, in the partitions that there are now; believed
FILE does so without the text beside the offsets, as a program would that knows of no topic."""

import json
import sys

import chaos_group
from kafka import OffsetAndMetadata, TopicPartition
from kafka.errors import OffsetOutOfRangeError

brokers, topic, group, action, path = sys.argv[1:]
consumer = chaos_group.connect(brokers, group)
if action == "keep":
    with open(path, "w", encoding="utf-8") as file:
        json.dump(list(chaos_group.committed(consumer, topic).items()), file)
else:
    with open(path, encoding="utf-8") as file:
        kept = json.load(file)
    there = consumer.partitions_for_topic(topic) or ()
    late = {
        TopicPartition(topic, partition): OffsetAndMetadata(offset, text if action == "arrives" else "", -1)
        for partition, (offset, text) in kept
        if partition in there
    }
    try:
        consumer.commit(late)
    except* OffsetOutOfRangeError:
        # The embedded broker takes no offset that lies beyond the end.
        pass
consumer.close()
