"""Waits until a group has so many members, each with partitions: chaos_members.py BROKERS GROUP COUNT.

Prints their ids with their partitions. A member that was given up and came back has another id."""

import json
import sys
import time

from confluent_kafka import ConsumerGroupState, KafkaException
from confluent_kafka.admin import AdminClient

brokers, group, count = sys.argv[1:]
admin = AdminClient({"bootstrap.servers": brokers})
while True:
    time.sleep(0.1)
    try:
        found = admin.describe_consumer_groups([group])[group].result(timeout=20)
    except KafkaException:
        # A new group has no coordinator for a moment.
        continue
    members = {
        member.member_id: sorted(place.partition for place in member.assignment.topic_partitions)
        for member in found.members
        if member.assignment is not None
    }
    if found.state == ConsumerGroupState.STABLE and len(members) == int(count) and all(members.values()):
        break
print(json.dumps(members, sort_keys=True))
