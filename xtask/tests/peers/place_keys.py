"""Where other clients put keys: place_keys.py BROKERS SCRATCH_TOPIC PARTITIONS KEY,KEY,…

Makes the topic, sends every key with each client, and prints by client and key the partition that it went to."""

import json
import sys

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from kafka import KafkaProducer

brokers, topic, partitions, keys = sys.argv[1:]
keys = keys.split(",")
admin = AdminClient({"bootstrap.servers": brokers})
for made in admin.create_topics([NewTopic(topic, int(partitions), 1)]).values():
    made.result(20)

by_librdkafka = {}


def delivered(error, message):
    if error is not None:
        sys.exit(f"not delivered: {error}")
    by_librdkafka[message.key().decode()] = message.partition()


librdkafka = Producer({"bootstrap.servers": brokers, "partitioner": "murmur2_random"})
for key in keys:
    librdkafka.produce(topic, b"", key.encode(), on_delivery=delivered)
librdkafka.flush()

kafka_python = KafkaProducer(bootstrap_servers=brokers)
sent = {key: kafka_python.send(topic, b"", key.encode()) for key in keys}
by_kafka_python = {key: future.get(20).partition for key, future in sent.items()}
print(json.dumps({"librdkafka": by_librdkafka, "kafka-python": by_kafka_python}))
