"""The old README's consumer without its table, with a count: old_consumer.py BROKERS TOPIC GROUP COUNT.

Commits by itself and begins at the earliest message. Prints the fields that it knows, as JSON, then "done"."""

import json
import sys

from kafka import KafkaConsumer

brokers, topic, group, count = sys.argv[1:]
consumer = KafkaConsumer(
    topic,
    bootstrap_servers=[brokers],
    auto_offset_reset="earliest",
    enable_auto_commit=True,
    group_id=group,
    value_deserializer=lambda value: json.loads(value.decode("utf-8")),
)
for number, message in enumerate(consumer, start=1):
    vitals = message.value
    pressure = vitals["blood_pressure"]
    known = {
        "patient_id": vitals["patient_id"],
        "timestamp": vitals["timestamp"],
        "heart_rate": vitals["heart_rate"],
        "spo2": vitals["spo2"],
        "blood_pressure": {"systolic": pressure["systolic"], "diastolic": pressure["diastolic"]},
        "respiratory_rate": vitals["respiratory_rate"],
        "temperature": vitals["temperature"],
    }
    print(json.dumps(known))
    if number == int(count):
        break
consumer.close()
print("done")
