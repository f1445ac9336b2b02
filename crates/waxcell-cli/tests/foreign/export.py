"""Reads what `waxcell audit export` wrote with software that others wrote: FORM FILE VKEY.

Prints `OK` and how many events there are, or `FAIL` and why.
"""

import base64
import json
import sys

from google.protobuf import json_format
from in_toto_attestation.v1 import resource_descriptor_pb2, statement_pb2
from in_toto_attestation.v1.statement import Statement
from py_ocsf_models.events.base_event import BaseEvent
from py_ocsf_models.events.findings.detection_finding import DetectionFinding
from py_ocsf_models.objects.fingerprint import FingerPrint
from py_ocsf_models.objects.operating_system import OperatingSystem
from pydantic import BaseModel
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey


# The package has models of findings, and of the parts that other classes share; those of Script Activity that it lacks
# are put together here, as the schema has them.
class File(BaseModel):
    name: str
    path: str
    type_id: int
    hashes: list[FingerPrint]


class LongString(BaseModel):
    value: str
    is_truncated: bool


class Script(BaseModel):
    type_id: int
    script_content: LongString
    hashes: list[FingerPrint]
    file: File


class Device(BaseModel):
    type_id: int
    hostname: str
    os: OperatingSystem


class ScriptActivity(BaseEvent):
    activity_id: int
    category_uid: int
    class_uid: int
    type_uid: int
    time: int
    actor: dict
    device: Device
    script: Script


def ocsf(lines, _vkey):
    for line in lines:
        event = json.loads(line)
        kind = event["class_uid"]
        assert event["type_uid"] == kind * 100 + event["activity_id"], "the type does not follow from the class"
        model = {1009: ScriptActivity, 2004: DetectionFinding}.get(kind, BaseEvent)
        model.model_validate(event)
    classes = {json.loads(line)["class_uid"] for line in lines}
    assert {1009, 2004} <= classes, f"only of classes {classes}"
    return len(lines)


def in_toto(lines, vkey):
    (line,) = lines
    _, keyid, key = vkey.split("+", 2)
    public = base64.b64decode(key)[1:]
    key = SSlibKey(keyid, "ed25519", "ed25519", {"public": public.hex()})
    envelope = Envelope.from_dict(json.loads(line))
    envelope.verify([key], 1)
    assert envelope.payload_type == "application/vnd.in-toto+json"
    statement = json_format.Parse(envelope.payload, statement_pb2.Statement())
    Statement.copy_from_pb(statement).validate()
    for file in json.loads(envelope.payload)["predicate"]["monitorLog"]["fileAccess"]:
        json_format.ParseDict(file, resource_descriptor_pb2.ResourceDescriptor())
    return 1


def main():
    form, path, vkey = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
    try:
        count = {"ocsf": ocsf, "in-toto": in_toto}[form](lines, vkey)
    except Exception as error:
        print("FAIL", type(error).__name__, " ".join(str(error).split()))
        sys.exit(1)
    print("OK", count)


main()
