"""Gives or takes rights as lines of kafka-acls say: acls.py BROKERS add|remove LINE…"""

import argparse
import shlex
import sys

from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    KafkaAdminClient,
    ResourcePattern,
    ResourceType,
)

OPERATIONS = {
    "All": ACLOperation.ALL,
    "Create": ACLOperation.CREATE,
    "Delete": ACLOperation.DELETE,
    "Describe": ACLOperation.DESCRIBE,
    "DescribeConfigs": ACLOperation.DESCRIBE_CONFIGS,
    "Read": ACLOperation.READ,
    "Write": ACLOperation.WRITE,
}


def acls(line):
    parser = argparse.ArgumentParser()
    parser.add_argument("tool")
    parser.add_argument("--bootstrap-server")
    parser.add_argument("--command-config")
    parser.add_argument("--add", action="store_true", required=True)
    parser.add_argument("--allow-principal", required=True)
    parser.add_argument("--operation", action="append", required=True)
    parser.add_argument("--topic")
    parser.add_argument("--group")
    parser.add_argument("--resource-pattern-type", default="literal")
    said = parser.parse_args(shlex.split(line))
    kind, name = (ResourceType.TOPIC, said.topic) if said.topic else (ResourceType.GROUP, said.group)
    for operation in said.operation:
        yield ACL(
            principal=said.allow_principal,
            host="*",
            operation=OPERATIONS[operation],
            permission_type=ACLPermissionType.ALLOW,
            resource_pattern=ResourcePattern(kind, name, ACLResourcePatternType[said.resource_pattern_type.upper()]),
        )


brokers, what, *lines = sys.argv[1:]
client = KafkaAdminClient(bootstrap_servers=brokers)
wanted = [acl for line in lines for acl in acls(line)]
if what == "add":
    answer = client.create_acls(wanted)
    assert not answer["failed"], answer
else:
    answer = client.delete_acls(wanted)
    assert all(gone for _, gone, _ in answer), answer
