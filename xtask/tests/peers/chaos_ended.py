"""What a `vitals consume` has left behind at its end: chaos_ended.py BROKERS TOPIC GROUP LOG [STORE STATE].

LOG is what it has printed. STORE is looked at where nobody else is at work; STATE is a file that keeps what the look
before has found. Prints a JSON object:
- taken: messages that it has shown of the partitions that it had last
- repeated: those of them that the group has not committed, so that its next member reads them again
- uncommitted: partitions whose first message that is not committed became a row since the look before"""

import json
import re
import sys
from pathlib import Path

import chaos_group
from chaos_readings import number_of, place
from chaos_rows import rows
from confluent_kafka import Consumer, TopicPartition

SHOWN = re.compile(r"Topic: .*, Partition: (\d+), Offset: (\d+)$")


def shown(path):
    """By partition, the last offset; and how many messages there were."""
    last, count = {}, 0
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if line.startswith(("Partitions assigned: ", "Waiting for partition assignment")):
                last, count = {}, 0
            elif found := SHOWN.match(line):
                partition, offset = map(int, found.groups())
                last[partition] = offset
                count += 1
    return last, count


def uncommitted(brokers, topic, committed):
    """Every message behind what is committed: partition, offset, and the row that it becomes."""
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "chaos-reader", "enable.auto.commit": False})
    begin, left = {}, {}
    for partition in consumer.list_topics(topic, 20).topics[topic].partitions:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), 20)
        if committed.get(partition, low) < high:
            begin[partition], left[partition] = committed.get(partition, low), high
    consumer.assign([TopicPartition(topic, partition, offset) for partition, offset in begin.items()])
    while left:
        message = consumer.poll(20)
        if message is None or message.error():
            sys.exit(f"the topic cannot be read: {message and message.error()}")
        if left.get(message.partition(), 0) <= message.offset() + 1:
            left.pop(message.partition(), None)
        yield message.partition(), message.offset(), place(number_of(json.loads(message.value())["timestamp"]))
    consumer.close()


def became_rows(brokers, topic, committed, store, state):
    kept = rows(store)
    behind = [(partition, offset) for partition, offset, key in uncommitted(brokers, topic, committed) if key in kept]
    before = {tuple(found) for found in json.loads(state.read_text())} if state.exists() else set()
    state.write_text(json.dumps(behind))
    return [(partition, offset) for partition, offset in behind if committed.get(partition, 0) == offset and
            (partition, offset) not in before]


brokers, topic, group, log, *look = sys.argv[1:]
last, taken = shown(log)
looker = chaos_group.connect(brokers, group)
committed = {partition: offset for partition, (offset, _) in chaos_group.committed(looker, topic).items()}
looker.close()
repeated = sum(max(0, offset + 1 - committed.get(partition, 0)) for partition, offset in last.items())
found = became_rows(brokers, topic, committed, look[0], Path(look[1])) if look else []
print(json.dumps({"taken": taken, "repeated": repeated, "uncommitted": found}))
