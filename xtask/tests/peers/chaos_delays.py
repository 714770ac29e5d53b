"""How long readings took from being sent to their rows: chaos_delays.py BROKERS TOPIC STORE MOMENT...

STORE is cassandra:NODE/KEYSPACE. Each MOMENT is when a fault began, in milliseconds since 1970. A record has the time of
its sender, and a row the time at which Cassandra wrote it. Prints a JSON object, times in milliseconds:
- readings: those that were looked at
- calm: how many times there were between faults, before the first and after the last one included
- calm_p99: of those that were sent between two faults, 10 s or more after the first of them, the 99th percentile; that
  of the two faults between which it was worst
- slowest: of all"""

import bisect
import json
import sys

from cassandra_session import connect
from confluent_kafka import Consumer, TopicPartition

SETTLED = 10_000


def written(store):
    node, keyspace = store.removeprefix("cassandra:").split("/")
    with connect(node) as session:
        session.default_fetch_size = 2000
        rows = session.execute(
            f'SELECT patient_id, timestamp, WRITETIME(spo2) FROM "{keyspace}".patient_vitals'
        )
        return {(patient, time): micros / 1000 for patient, time, micros in rows}


def sent(brokers, topic):
    """The time of sending and the key of the row, for each record that is a reading."""
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "chaos-reader", "enable.auto.commit": False})
    left = {}
    for partition in consumer.list_topics(topic, 20).topics[topic].partitions:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), 20)
        if low < high:
            left[partition] = high
    consumer.assign([TopicPartition(topic, partition, 0) for partition in left])
    while left:
        record = consumer.poll(20)
        if record is None or record.error():
            sys.exit(f"the topic cannot be read: {record and record.error()}")
        value = json.loads(record.value())
        yield record.timestamp()[1], (value["patient_id"], value["timestamp"])
        if left.get(record.partition(), 0) <= record.offset() + 1:
            left.pop(record.partition(), None)
    consumer.close()


brokers, topic, store, *moments = sys.argv[1:]
moments = sorted(map(int, moments))
rows = written(store)
delays, calm = [], {}
for at, key in sent(brokers, topic):
    if key not in rows:
        continue
    delay = rows[key] - at
    delays.append(delay)
    fault = bisect.bisect_right(moments, at)
    if fault == 0 or at - moments[fault - 1] >= SETTLED:
        calm.setdefault(fault, []).append(delay)


def p99(values):
    return sorted(values)[len(values) * 99 // 100]


print(
    json.dumps(
        {
            "readings": len(delays),
            "calm": len(calm),
            "calm_p99": max(map(p99, calm.values()), default=0.0),
            "slowest": max(delays, default=0.0),
        }
    )
)
