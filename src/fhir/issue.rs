//! An alarm as a `DetectedIssue`.

use serde_json::{Value, json};

use super::id;
use crate::reading::Timestamp;
use crate::store::StoredAlarm;

/// The alarm; `None` where its onset is none that can be told.
pub fn of(alarm: &StoredAlarm) -> Option<Value> {
    let onset = Timestamp::parse(&alarm.onset).ok()?;
    let severity = match alarm.priority.as_deref() {
        Some("high") => "high",
        Some("medium") => "moderate",
        _ => "low",
    };
    let text = alarm.message.as_deref().unwrap_or(&alarm.rule);
    let mut issue = json!({
        "resourceType": "DetectedIssue",
        "id": id::of_parts(&[&alarm.patient_id, &alarm.rule, &alarm.onset]),
        "identifier": [{ "value": alarm.id().to_string() }],
        // It was detected by the rules, and is as they have found it; whether it goes on is told by the span.
        "status": "final",
        "code": { "coding": [{ "code": alarm.rule }], "text": text },
        "severity": severity,
        "patient": { "reference": format!("Patient/{}", id::of_patient(&alarm.patient_id)) },
        "detail": text,
    });
    let members = issue.as_object_mut()?;
    let mut span = json!({ "start": onset });
    if let (Some(end), Some(span)) = (alarm.end(), span.as_object_mut()) {
        span.insert("end".to_owned(), json!(end));
    }
    members.insert("identifiedPeriod".to_owned(), span);
    if alarm.is_acknowledged() {
        let who = alarm.acknowledged_by.as_deref().unwrap_or("somebody");
        let mitigation = json!({
            "action": { "text": format!("acknowledged by {who}") },
            "date": alarm.acknowledged_at,
            "author": { "display": who },
        });
        members.insert("mitigation".to_owned(), json!([mitigation]));
    }
    Some(issue)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_has_its_severity_its_span_and_who_acknowledged_it() {
        let time = |minute: u32| Some(format!("2025-10-26T10:{minute}:00+00:00"));
        let alarm = StoredAlarm {
            patient_id: "P1".to_owned(),
            onset: time(30).expect("a time"),
            rule: "spo2_low".to_owned(),
            priority: Some("medium".to_owned()),
            value: Some(85.0),
            limit: Some(90.0),
            peak: Some(80.0),
            started: time(31),
            returned: None,
            ended: None,
            acknowledged_by: None,
            acknowledged_at: None,
            message: Some("Low SpO2: 80".to_owned()),
            rules: None,
        };
        let on = of(&alarm).expect("an issue");
        assert_eq!((&on["severity"], on["identifiedPeriod"].get("end")), (&json!("moderate"), None));
        assert_eq!(on.get("mitigation"), None);
        let over = StoredAlarm {
            ended: time(40),
            acknowledged_by: Some("Anna".to_owned()),
            acknowledged_at: time(35),
            ..alarm
        };
        let over = of(&over).expect("an issue");
        assert_eq!(over["identifiedPeriod"]["end"], "2025-10-26T10:40:00+00:00");
        assert_eq!(over["mitigation"][0]["author"]["display"], "Anna");
        assert_eq!(on["id"], over["id"], "it is the same one");
    }
}
