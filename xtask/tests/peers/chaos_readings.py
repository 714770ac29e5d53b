"""The messages of a campaign: each number has one message, so whoever knows the number knows what must be stored."""

import json
import struct
from datetime import datetime, timedelta, timezone

PATIENTS = 60
BEGIN = datetime(2025, 1, 1, tzinfo=timezone.utc)
SIGNS = ["heart_rate", "spo2", "systolic", "diastolic", "respiratory_rate", "temperature"]


def is_malformed(number):
    """One in 250 is no reading and must become a dead letter."""
    return number % 250 == 77


def place(number):
    """Patient and time: no two numbers share them."""
    # A time of whole seconds would be printed without decimals, so none of them is one.
    return f"C{number % PATIENTS:03}", (BEGIN + timedelta(milliseconds=number, microseconds=1)).isoformat()


def number_of(timestamp):
    """The number whose time this would be."""
    return (datetime.fromisoformat(timestamp) - BEGIN) // timedelta(milliseconds=1)


def signs(number):
    return [
        50 + number * 7 % 71,
        88 + number * 5 % 13,
        110 + number * 3 % 31,
        60 + number * 11 % 36,
        10 + number * 13 % 21,
        (355 + number * 17 % 36) / 10,
    ]


def fields(number):
    """The reading as the message has it."""
    patient, timestamp = place(number)
    heart_rate, spo2, systolic, diastolic, respiratory_rate, temperature = signs(number)
    return {
        "patient_id": patient,
        "timestamp": timestamp,
        "heart_rate": heart_rate,
        "spo2": spo2,
        "blood_pressure": {"systolic": systolic, "diastolic": diastolic},
        "respiratory_rate": respiratory_rate,
        "temperature": temperature,
    }


def message(number):
    value = fields(number)
    if is_malformed(number):
        value["heart_rate"] = f"no number, but message {number}"
    return value["patient_id"], json.dumps(value).encode()


def row(number):
    """The signs as the table has them: the temperature is a FLOAT."""
    *counts, temperature = signs(number)
    return (*counts, narrow(temperature))


def narrow(temperature):
    return temperature if temperature is None else struct.unpack("f", struct.pack("f", temperature))[0]
