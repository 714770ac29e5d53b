"""Prints every message of a topic up to its present end, one JSON object a line, bytes in hex, in the order of
partitions and offsets: read_topic.py BROKERS TOPIC [read_committed]."""

import json
import sys

from every_message import headers, messages


def as_hex(value):
    return None if value is None else bytes(value).hex()


for message in sorted(messages(*sys.argv[1:]), key=lambda message: (message.partition, message.offset)):
    line = {
        "partition": message.partition,
        "offset": message.offset,
        "key": as_hex(message.key),
        "value": as_hex(message.value),
        "headers": [[name.hex(), as_hex(content)] for name, content in headers(message)],
    }
    print(json.dumps(line))
