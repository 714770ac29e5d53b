"""Changes and reads what a broker has on its disk of one partition, while it is down:

chaos_log.py strange FOLDER CODEC             appends a batch of three records whose codec nobody knows; prints its offset
chaos_log.py forget FOLDER OFFSET             drops what is before this offset, which is the first of a batch, as
                                              retention would
chaos_log.py letter FOLDER OFFSET BROKERS TOPIC
                                              looks whether the dead letter of the strange batch holds all its bytes

FOLDER holds segments as Kafka has them, each named after its first offset."""

import os
import struct
import sys

LENGTH = struct.Struct(">qi")
# Leader epoch, magic and checksum stand before what the checksum covers.
CHECKED_FROM = 21
# Attributes, last offset delta, two times, producer id, epoch and sequence, and the number of records.
CHECKED = struct.Struct(">hiqqqhii")
TIME = 1_750_000_000_000
RECORDS = 3


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0x82F63B78 * (crc & 1)
    return crc ^ 0xFFFFFFFF


def last_segment(folder):
    return os.path.join(folder, max(name for name in os.listdir(folder) if name.endswith(".log")))


def batches(path):
    """Offset, position and bytes of each."""
    with open(path, "rb") as file:
        data = file.read()
    position = 0
    while position < len(data):
        offset, length = LENGTH.unpack_from(data, position)
        end = position + LENGTH.size + length
        yield offset, position, data[position:end]
        position = end


def last_offset(offset, batch):
    return offset + struct.unpack_from(">i", batch, CHECKED_FROM + 2)[0]


def strange(folder, codec):
    path = last_segment(folder)
    *_, (offset, _, last) = batches(path)
    offset, epoch = last_offset(offset, last) + 1, last[12:16]
    checked = CHECKED.pack(int(codec), RECORDS - 1, TIME, TIME, -1, -1, -1, RECORDS) + b"nobody can open this"
    body = epoch + b"\x02" + struct.pack(">I", crc32c(checked)) + checked
    with open(path, "ab") as log:
        log.write(LENGTH.pack(offset, len(body)) + body)
    print(offset)


def forget(folder, first):
    path = last_segment(folder)
    kept = b"".join(batch for offset, _, batch in batches(path) if offset >= int(first))
    if not kept or LENGTH.unpack_from(kept)[0] != int(first):
        sys.exit(f"no batch begins at {first}")
    with open(os.path.join(folder, f"{int(first):020}.log"), "wb") as log:
        log.write(kept)
    os.remove(path)


def letter(folder, first, brokers, topic):
    from every_message import headers, messages
    from kept_letters import Joiner

    sent = next(batch for offset, _, batch in batches(last_segment(folder)) if offset == int(first))
    marks = {b"vitals.reason": b"undecodable_batch", b"vitals.offset": first.encode()}
    letters = [message for message in messages(brokers, f"{topic}.dlq") if marks.items() <= dict(headers(message)).items()]
    joiner = Joiner()
    wholes = (joiner.join(message.key, message.value, headers(message)) for message in letters)
    found = [whole[1] for whole in wholes if whole]
    if found != [sent]:
        sys.exit(f"{len(found)} letters, and not the one with the bytes of the batch")
    print("all bytes are there")


action, folder, *arguments = sys.argv[1:]
{"strange": strange, "forget": forget, "letter": letter}[action](folder, *arguments)
