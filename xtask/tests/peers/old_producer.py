"""The old README's producer in random mode, with a count: old_producer.py BROKERS TOPIC COUNT.

No keys, json.dumps, a flush for each message. Prints each message as JSON."""

import json
import random
import sys
from datetime import datetime, timezone

from kafka import KafkaProducer

random.seed(11)
PATIENTS = ["P001", "P002", "P003", "P004"]


def random_vitals(patient_id):
    return {
        "patient_id": patient_id,
        "timestamp": datetime.now(timezone.utc).isoformat(),
        "heart_rate": random.randint(50, 120),
        "spo2": random.randint(88, 100),
        "blood_pressure": {"systolic": random.randint(90, 140), "diastolic": random.randint(60, 95)},
        "respiratory_rate": random.randint(10, 30),
        "temperature": round(random.uniform(35.5, 39.0), 1),
    }


brokers, topic, count = sys.argv[1:]
producer = KafkaProducer(bootstrap_servers=[brokers], value_serializer=lambda value: json.dumps(value).encode("utf-8"))
for number in range(int(count)):
    message = random_vitals(PATIENTS[number % len(PATIENTS)])
    producer.send(topic, message).get(20)
    producer.flush()
    print(json.dumps(message))
