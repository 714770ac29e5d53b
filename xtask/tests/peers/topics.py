"""Looks at topics and changes them, as their operator would:

topics.py BROKERS describe TOPIC…        prints partitions and settings as JSON
topics.py BROKERS create TOPIC COUNT
topics.py BROKERS grow TOPIC COUNT       more partitions
topics.py BROKERS delete TOPIC
topics.py BROKERS recreate TOPIC COUNT   deletes it and makes it again at once
topics.py BROKERS forget TOPIC OFFSET    deletes what is before an offset, in every partition
"""

import json
import sys
import time

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic

TIMEOUT = 20


def wait(futures):
    for future in futures.values():
        future.result(TIMEOUT)


def partitions(admin, topic):
    return len(admin.list_topics(topic, timeout=TIMEOUT).topics[topic].partitions)


def describe(admin, *topics):
    resources = [ConfigResource(ConfigResource.Type.TOPIC, topic) for topic in topics]
    found = {}
    for resource, future in admin.describe_configs(resources).items():
        settings = {name: entry.value for name, entry in future.result(TIMEOUT).items()}
        found[resource.name] = {"partitions": partitions(admin, resource.name), **settings}
    print(json.dumps(found))


def create(admin, topic, count):
    """A name is free again only some moments after the deletion of its topic."""
    deadline = time.monotonic() + TIMEOUT
    while True:
        try:
            return wait(admin.create_topics([NewTopic(topic, int(count), 1)]))
        except KafkaException:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def grow(admin, topic, count):
    wait(admin.create_partitions([NewPartitions(topic, int(count))]))


def delete(admin, topic):
    wait(admin.delete_topics([topic]))


def recreate(admin, topic, count):
    delete(admin, topic)
    create(admin, topic, count)


def forget(admin, topic, offset):
    places = [TopicPartition(topic, number, int(offset)) for number in range(partitions(admin, topic))]
    wait(admin.delete_records(places))


brokers, action, *arguments = sys.argv[1:]
actions = {"describe": describe, "create": create, "grow": grow, "delete": delete, "recreate": recreate, "forget": forget}
actions[action](AdminClient({"bootstrap.servers": brokers}), *arguments)
