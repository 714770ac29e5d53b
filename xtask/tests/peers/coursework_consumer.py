"""The old README's consumer with its table: one INSERT after the other, its offsets committed by a timer.

Broker, Cassandra (HOST:PORT), keyspace, topic and group come from BROKER, CASS, KS, TOPIC and GROUP in the environment."""

import json
import os

from cassandra.cluster import Cluster
from kafka import KafkaConsumer

host, port = os.environ["CASS"].split(":")
session = Cluster([host], port=int(port)).connect(os.environ["KS"])
insert = """INSERT INTO patient_vitals
    (patient_id, timestamp, heart_rate, spo2, systolic, diastolic, respiratory_rate, temperature)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"""
consumer = KafkaConsumer(
    os.environ["TOPIC"],
    bootstrap_servers=[os.environ["BROKER"]],
    auto_offset_reset="earliest",
    enable_auto_commit=True,
    auto_commit_interval_ms=200,
    group_id=os.environ["GROUP"],
    value_deserializer=lambda value: json.loads(value.decode("utf-8")),
)
for message in consumer:
    vitals = message.value
    if vitals["heart_rate"] > 110:
        print(vitals["patient_id"], "high heart rate", vitals["heart_rate"])
    if vitals["spo2"] < 92:
        print(vitals["patient_id"], "low SpO2", vitals["spo2"])
    pressure = vitals["blood_pressure"]
    values = [vitals["patient_id"], vitals["timestamp"], vitals["heart_rate"], vitals["spo2"]]
    values += [pressure["systolic"], pressure["diastolic"], vitals["respiratory_rate"], vitals["temperature"]]
    session.execute(insert, values)
