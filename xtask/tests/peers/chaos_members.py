"""Waits until a group has so many members, each with partitions: chaos_members.py BROKERS GROUP COUNT.

Prints their ids with their partitions. A member that was given up and came back has another id."""

import json
import sys
import time

from confluent_kafka import ConsumerGroupState
from confluent_kafka.admin import AdminClient

brokers, group, count = sys.argv[1:]
admin = AdminClient({"bootstrap.servers": brokers})
while True:
    found = admin.describe_consumer_groups([group])[group].result(timeout=20)
    members = {
        member.member_id: sorted(place.partition for place in member.assignment.topic_partitions)
        for member in found.members
        if member.assignment is not None
    }
    if found.state == ConsumerGroupState.STABLE and len(members) == int(count) and all(members.values()):
        break
    time.sleep(0.1)
print(json.dumps(members, sort_keys=True))
