"""Every message of a topic up to its present end, also those that kafka-python takes for broken."""

from kafka import KafkaConsumer, TopicPartition
from kafka.record.default_records import DefaultRecordBatch


class Lenient(bytearray):
    """Header keys need not be UTF-8 on the wire; kafka-python takes it for granted. Latin-1 keeps every byte."""

    def __getitem__(self, where):
        part = super().__getitem__(where)
        return Lenient(part) if isinstance(where, slice) else part

    def decode(self, *_):
        return bytes(self).decode("latin-1")


original = DefaultRecordBatch._maybe_uncompress


def lenient(batch):
    original(batch)
    batch._buffer = Lenient(batch._buffer)


DefaultRecordBatch._maybe_uncompress = lenient


def headers(message):
    """Names and contents as bytes; a content may be missing."""
    return [(name.encode("latin-1"), content and bytes(content)) for name, content in message.headers]


def messages(brokers, topic, isolation="read_uncommitted"):
    """They come as they are read; those of one partition in the order of their offsets."""
    consumer = KafkaConsumer(
        bootstrap_servers=brokers, group_id=None, enable_auto_commit=False, isolation_level=isolation
    )
    partitions = sorted(TopicPartition(topic, partition) for partition in consumer.partitions_for_topic(topic))
    consumer.assign(partitions)
    consumer.seek_to_beginning()
    ends = consumer.end_offsets(partitions)
    while any(consumer.position(partition) < end for partition, end in ends.items()):
        for records in consumer.poll(timeout_ms=200).values():
            yield from records
    consumer.close()
