"""How long readings took from being sent to their rows: chaos_delays.py BROKERS TOPIC SEEN MOMENT...

SEEN is what chaos_seen.py has noted. Each MOMENT is when a fault began, in milliseconds since 1970. A record has the time
of its sender, and a row the time at which Cassandra wrote it first. Prints a JSON object, times in milliseconds:
- readings: those that were looked at
- slow_until: for the time before the first fault and after each, after how many seconds of it readings were last slower
  than 2 s: 99 % of those that were sent within one second were not, from then on; null where none was sent
- slowest: of all
- p99_later: likewise, what 99 % of the readings did not exceed that were sent 10 s after the fault or later; null where
  none was sent"""

import json
import sys
from bisect import bisect_right

from confluent_kafka import Consumer, TopicPartition

SLOW = 2_000
LATER_SECONDS = 10


def written(path):
    with open(path) as lines:
        rows = [line.split() for line in lines]
    return {(patient, time): int(millis) for patient, time, millis in rows}


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


brokers, topic, seen, *moments = sys.argv[1:]
moments = sorted(map(int, moments))
rows = written(seen)
times, slowest, count = [{} for _ in range(len(moments) + 1)], 0.0, 0
for at, key in sent(brokers, topic):
    if key not in rows:
        continue
    delay = rows[key] - at
    fault = bisect_right(moments, at)
    since = at - moments[fault - 1] if fault else 0
    times[fault].setdefault(since // 1000, []).append(delay)
    slowest, count = max(slowest, delay), count + 1


def p99(delays):
    return sorted(delays)[len(delays) * 99 // 100]


def slow_until(seconds):
    return max((second + 1 for second, delays in seconds.items() if p99(delays) > SLOW), default=0)


def later(seconds):
    return [delay for second, delays in seconds.items() if second >= LATER_SECONDS for delay in delays]


print(
    json.dumps(
        {
            "readings": count,
            "slow_until": [slow_until(seconds) if seconds else None for seconds in times],
            "p99_later": [p99(later(seconds)) if later(seconds) else None for seconds in times],
            "slowest": slowest,
        }
    )
)
