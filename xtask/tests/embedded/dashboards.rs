//! The dashboard that Grafana fills over REST: a real server answers each of its questions, and has each column in the
//! answer.

use serde_json::Value;

use super::home::{Home, wait_for};
use super::serve::Ward;
use crate::program::Program as _;

/// It has to be escaped in an address.
const PATIENT: &str = "P/1";

fn dashboard() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/grafana/vitals-ward.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// What it asks, with the question for its variable.
fn questions(dashboard: &Value) -> Vec<Value> {
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let variables = dashboard["templating"]["list"].as_array().unwrap().iter();
    let of_panels = panels.flat_map(|panel| panel["targets"].as_array().unwrap()).cloned();
    let of_variables = variables.map(|variable| variable["query"]["infinityQuery"].clone()).filter(Value::is_object);
    of_panels.chain(of_variables).collect()
}

/// As Grafana and its plugin put it together.
fn address(question: &Value, chosen: &[(&str, &str)]) -> String {
    let fill = |text: &str| chosen.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value));
    let text = |value: &Value| fill(value.as_str().unwrap());
    let escaped = |text: String| text.replace('%', "%25").replace('+', "%2B").replace(':', "%3A");
    let parameters = question["url_options"]["params"].as_array().unwrap().iter();
    let parameters: Vec<_> = parameters
        .map(|parameter| format!("{}={}", text(&parameter["key"]), escaped(text(&parameter["value"]))))
        .collect();
    let path = text(&question["url"]);
    let address = if parameters.is_empty() { path } else { format!("{path}?{}", parameters.join("&")) };
    assert!(!address.contains('$'), "{address}");
    address
}

/// What is found on this way into a value.
fn at<'a>(value: &'a Value, way: &str) -> Option<&'a Value> {
    way.split('.').filter(|step| !step.is_empty()).try_fold(value, |value, step| value.get(step))
}

#[test]
fn each_question_of_the_dashboard_is_answered_with_all_of_its_columns() {
    let home = Home::ready(2);
    let consumer = home.start("consume --quiet");
    home.done("patient admit P/1 --name Ada --ward West --bed 3 --by Anna");
    let head = "patient_id,heart_rate,spo2,systolic,diastolic,respiratory_rate,temperature";
    home.file("in.csv", format!("{head}\nP/1,150,85,120,80,16,36.6\n"));
    home.done("produce --mode csv --csv in.csv --once --interval 0");
    wait_for(|| home.rows("alarms list --active").len() >= 2);
    home.done("alarms ack P/1 --rule heart_rate_high --by Anna");
    let ward = Ward::of(&home);
    wait_for(|| {
        let alarms = ward.ask("GET", "/api/v1/alarms", "").1;
        alarms["alarms"].as_array().is_some_and(|alarms| alarms.iter().any(|alarm| alarm["acknowledged_by"] == "Anna"))
    });
    // As Grafana writes times: those of a day around now.
    let day = chrono::TimeDelta::days(1);
    let [from, to] = [-day, day].map(|by| (chrono::Utc::now() + by).format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string());
    let escaped = PATIENT.replace('/', "%2F");
    let dashboard = dashboard();
    let questions = questions(&dashboard);
    assert_eq!(questions.len(), 8);
    let every = dashboard["templating"]["list"][2]["query"].as_str().unwrap().split(',');
    for every in every {
        let chosen = [
            ("${patient:percentencode}", escaped.as_str()),
            ("${__from:date:iso}", from.as_str()),
            ("${__to:date:iso}", to.as_str()),
            ("$every", every),
        ];
        for question in &questions {
            let address = address(question, &chosen);
            let (status, answer) = ward.ask("GET", &address, "");
            assert_eq!(status, 200, "{address}: {answer}");
            let root = at(&answer, question["root_selector"].as_str().unwrap())
                .unwrap_or_else(|| panic!("{address}: {answer}"));
            let rows = root.as_array().map_or_else(|| std::slice::from_ref(root), Vec::as_slice);
            for column in question["columns"].as_array().unwrap() {
                let way = column["selector"].as_str().unwrap();
                let found: Vec<_> = rows.iter().filter_map(|row| at(row, way)).collect();
                assert!(!found.is_empty(), "{address} has no {way}: {answer}");
                let fits = |value: &Value| match column["type"].as_str().unwrap() {
                    "number" => value.is_number(),
                    "boolean" => value.is_boolean(),
                    "timestamp" => {
                        value.as_str().is_some_and(|time| chrono::DateTime::parse_from_rfc3339(time).is_ok())
                    }
                    _ => value.is_string(),
                };
                assert!(found.iter().all(|value| value.is_null() || fits(value)), "{address}: {way} is {found:?}");
            }
        }
    }
    drop(consumer);
}
