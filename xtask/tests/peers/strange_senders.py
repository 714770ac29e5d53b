"""Two producers: each can send what the other one cannot."""

import sys

from confluent_kafka import Producer
from kafka import KafkaProducer
from poisons import Raw

LARGEST_BATCH = 1_048_588


class Librdkafka:
    """Sends null headers, and records without key and value."""

    def __init__(self, brokers, **settings):
        settings = {"bootstrap.servers": brokers, "linger.ms": 5, "message.max.bytes": LARGEST_BATCH, **settings}
        self.producer = Producer(settings)

    def send(self, topic, partition, key, value, headers, acknowledged):
        def delivered(error, message):
            if error is not None:
                sys.exit(f"not delivered: {error}")
            acknowledged(message.partition(), message.offset())

        while True:
            try:
                self.producer.produce(topic, value, key, partition, on_delivery=delivered, headers=headers)
                break
            except BufferError:
                self.producer.poll(0.1)
        self.producer.poll(0)

    def flush(self):
        self.producer.flush()


class KafkaPython:
    """Sends header keys that are not UTF-8."""

    def __init__(self, brokers):
        self.producer = KafkaProducer(bootstrap_servers=brokers, linger_ms=5)

    def send(self, topic, partition, key, value, headers, acknowledged):
        # It does not send records without key and value.
        future = self.producer.send(topic, value or b"", key, headers, partition)
        future.add_callback(lambda place: acknowledged(place.partition, place.offset))
        future.add_errback(lambda error: sys.exit(f"not delivered: {error}"))

    def flush(self):
        self.producer.flush()


class Both:
    """The one that can."""

    def __init__(self, brokers, **settings):
        self.librdkafka, self.kafka_python = Librdkafka(brokers, **settings), KafkaPython(brokers)

    def send(self, topic, partition, key, value, headers, acknowledged):
        is_raw = any(type(name) is Raw for name, _ in headers)
        client = self.kafka_python if is_raw else self.librdkafka
        client.send(topic, partition, key, value, headers, acknowledged)

    def flush(self):
        self.librdkafka.flush()
        self.kafka_python.flush()
