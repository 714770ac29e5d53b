"""Dead letters that lie in their topic in parts, joined: see src/kafka/letter/parts.rs."""

from every_message import headers as headers_of
from kafka.record.default_records import DefaultRecordBatch

NAME = [b"vitals.topic", b"vitals.partition", b"vitals.offset", b"vitals.parts", b"vitals.whole"]


class Joiner:
    def __init__(self):
        self.open = {}

    def join(self, key, value, headers):
        """Key, value and headers of a letter, where this was all of it; nothing where parts are still missing."""
        found = dict(headers)
        if b"vitals.part" not in found:
            return key, value, headers
        name = tuple(found[part] for part in NAME)
        parts = self.open.setdefault(name, {})
        parts[int(found[b"vitals.part"])] = value
        if len(parts) < int(found[b"vitals.parts"]):
            return None
        del self.open[name]
        (record,) = DefaultRecordBatch(b"".join(parts[number] for number in sorted(parts)))
        return as_bytes(record.key), as_bytes(record.value), headers_of(record) + headers[-4:]


def as_bytes(content):
    return None if content is None else bytes(content)
