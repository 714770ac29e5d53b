"""Messages that are no readings, and headers that are strange: what each is made of, and why it is refused."""

import json


class Raw(str):
    """A header key that is not UTF-8: nothing on the wire forbids it."""

    def encode(self, *_):
        return b"\xff\xfekey"


def text(fields, **changes):
    """The fields of a reading as a message; `...` leaves one out."""
    changed = {**fields, **changes}
    return json.dumps({name: value for name, value in changed.items() if value is not ...}).encode()


def with_literal(fields, name, literal):
    """A reading with a value written as no encoder would."""
    return text(fields, **{name: "@"}).replace(b'"@"', literal)


def of_size(fields, size):
    """As long as this, by a note that nobody needs."""
    return text(fields, note="x" * (size - len(text(fields, note=""))))


# The largest value that fits into a batch of 1,048,588 bytes with a key and some headers.
NEAR_THE_LIMIT = 1_048_300

# The class, the code of the reason, and what makes it of the fields of a reading and its number.
SMALL = [
    ("not UTF-8", "not_utf8", lambda fields, _: b"\xff\xfe" + text(fields)),
    ("not UTF-8", "not_utf8", lambda fields, _: text(fields).replace(b'": "', b'": "\xc3(', 1)),
    ("cut", "not_json", lambda fields, number: text(fields)[: number % 100 + 1]),
    ("cut", "not_json", lambda *_: b""),
    ("cut", "not_json", lambda *_: b"\x00" * 300),
    ("wrong type", "not_an_object", lambda *_: b"[1, 2, 3]"),
    ("wrong type", "not_an_object", lambda *_: b"null"),
    ("wrong type", "sign_type", lambda fields, _: text(fields, heart_rate="95")),
    ("wrong type", "sign_type", lambda fields, _: text(fields, spo2=95.5)),
    ("wrong type", "sign_type", lambda fields, _: text(fields, temperature=True)),
    ("wrong type", "blood_pressure", lambda fields, _: text(fields, blood_pressure="120/80")),
    ("wrong type", "patient_id", lambda fields, _: text(fields, patient_id="x" * 65)),
    ("missing key", "patient_id", lambda fields, _: text(fields, patient_id=...)),
    ("missing key", "timestamp", lambda fields, _: text(fields, timestamp=...)),
    (
        "missing key",
        "no_sign",
        lambda fields, _: text(
            fields, heart_rate=..., spo2=None, blood_pressure={}, respiratory_rate=None, temperature=...
        ),
    ),
    ("null", "null_value", lambda *_: None),
    ("1e999", "sign_range", lambda fields, _: with_literal(fields, "heart_rate", b"1e999")),
    ("1e999", "sign_range", lambda fields, _: with_literal(fields, "temperature", b"-1e999")),
    ("out of range", "sign_range", lambda fields, _: text(fields, respiratory_rate=3_000_000_000)),
    ("bad time", "timestamp", lambda fields, _: text(fields, timestamp="2025-10-26T10:30:15")),
    ("bad time", "timestamp", lambda fields, _: text(fields, timestamp="2025-02-30T10:30:15Z")),
    ("duplicate key", "duplicate_key", lambda fields, _: text(fields).replace(b"{", b'{"spo2": 1, ', 1)),
]
DEEP = ("depth", "too_deep", lambda fields, _: with_literal(fields, "note", b"[" * 10_000 + b"]" * 10_000))
HUGE = ("huge", "too_large", lambda fields, number: of_size(fields, 66_000 + number * 37 % 100_000))
MEGABYTE = [
    ("1 MB", "too_large", lambda fields, _: text(fields, patient_id="x" * 1_000_000)),
    ("1 MB", "too_large", lambda fields, _: of_size(fields, NEAR_THE_LIMIT)),
]
ALL = [*SMALL, DEEP, HUGE, *MEGABYTE]

HEADERS = [
    [],
    [("trace", b"\x00\xff"), ("trace", b"twice")],
    [("vitals.reason", b"an old letter")],
    [("empty", b"")],
    [("null", None)],
    [(Raw("key"), b"of a key that is no text")],
]


def headers_as_bytes(headers):
    return [(name.encode("utf-8"), content) for name, content in headers]
