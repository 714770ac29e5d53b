"""Sends and reads through TLS and SCRAM by kafka-python and by librdkafka: secure_clients.py BROKERS TOPIC CA USER PASSWORD.

Prints how many messages each has read of those that both have sent.
"""

import sys

from confluent_kafka import Consumer, Producer
from kafka import KafkaConsumer, KafkaProducer

brokers, topic, authority, user, password = sys.argv[1:]
COUNT = 10

theirs = {
    "bootstrap.servers": brokers,
    "security.protocol": "SASL_SSL",
    "ssl.ca.location": authority,
    "sasl.mechanism": "SCRAM-SHA-512",
    "sasl.username": user,
    "sasl.password": password,
}
producer = Producer(theirs)
for number in range(COUNT):
    producer.produce(topic, f"librdkafka {number}")
assert producer.flush(20) == 0

ours = {
    "bootstrap_servers": brokers,
    "security_protocol": "SASL_SSL",
    "ssl_cafile": authority,
    "sasl_mechanism": "SCRAM-SHA-256",
    "sasl_plain_username": user,
    "sasl_plain_password": password,
}
sender = KafkaProducer(**ours)
for number in range(COUNT):
    sender.send(topic, f"kafka-python {number}".encode())
sender.flush(20)
sender.close()

reader = KafkaConsumer(
    topic, group_id="python", auto_offset_reset="earliest", consumer_timeout_ms=20000, **ours
)
read = 0
for _ in reader:
    read += 1
    if read == 2 * COUNT:
        break
reader.close()
print("kafka-python", read)

consumer = Consumer(theirs | {"group.id": "librdkafka", "auto.offset.reset": "earliest"})
consumer.subscribe([topic])
read = 0
while read < 2 * COUNT:
    message = consumer.poll(20)
    assert message is not None and not message.error(), message and message.error()
    read += 1
consumer.close()
print("librdkafka", read)
