"""Reads the ward by the client that was generated of the server's own description, as package `ward_client` in this
folder: ward_reader.py URL PATIENT. Prints what it has read as JSON."""

import json
import sys

sys.path.insert(0, ".")

from ward_client import Client
from ward_client.api.default import acknowledge, alarms, latest, patient, patient_alarms, patients
from ward_client.api.default import readings, scores, status
from ward_client.models import AcknowledgeBody, Problem

url, who = sys.argv[1:]
signs = ["heart_rate", "spo2", "systolic", "diastolic", "respiratory_rate", "temperature"]

with Client(base_url=url, raise_on_unexpected_status=True) as client:

    def asked(function, *arguments, **more):
        answer = function.sync(*arguments, client=client, **more)
        assert answer is not None and not isinstance(answer, Problem), answer
        return answer

    pages, rows, cursor = [], [], {}
    while True:
        page = asked(readings, who, limit=4, **cursor)
        pages.append(len(page.readings))
        rows += page.readings
        assert page.truncated == (page.next_ is not None)
        if page.next_ is None:
            break
        cursor = {"cursor": page.next_}
    spans = asked(readings, who, every="30s").buckets
    everybody = {bed.patient_id: bed for bed in asked(latest).beds}
    shown = asked(patient, who)
    on = asked(alarms).alarms
    worst = next(alarm for alarm in on if alarm.patient_id == who)
    acknowledged = asked(acknowledge, body=AcknowledgeBody(id=worst.id, by="Anna"))
    again = acknowledge.sync(client=client, body=AcknowledgeBody(id=worst.id, by="Anna"))
    of_nobody = patient.sync("nobody", client=client)
    assert isinstance(again, Problem) and isinstance(of_nobody, Problem)
    found = {
        "patients": [[one.patient_id, one.name, one.ward, one.bed] for one in asked(patients).patients],
        "pages": pages,
        "rows": [[row.timestamp] + [getattr(row, sign) for sign in signs] for row in rows],
        "observed": [rows[-1].supplemental_oxygen, rows[-1].consciousness],
        "spans": [[span.time.isoformat(), span.signs["heart_rate"].to_dict()] for span in spans],
        "latest": {sign: value.value for sign, value in everybody[who].signs.additional_properties.items()},
        "shown": [shown.patient_id, shown.name, shown.birth_date, len(shown.limits) > 0],
        "alarms": [[alarm.patient_id, alarm.rule, alarm.priority, alarm.value] for alarm in on],
        "of_patient": [alarm.rule for alarm in asked(patient_alarms, who).alarms],
        "acknowledged": [acknowledged.rule, acknowledged.acknowledged_by],
        "scores": len(asked(scores, who).scores) > 0,
        "troubles": asked(status).troubles.to_dict(),
        "problems": [again.status, of_nobody.status],
    }
print(json.dumps(found))
