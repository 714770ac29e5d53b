//! HAPI, a validator of FHIR that is not ours, judges what is written for other systems: it has nothing against what is
//! ours, and finds what was broken on purpose.

use std::fmt::Write as _;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::home::{Home, wait_for};
use super::serve::Ward;
use crate::program::Program as _;
use crate::running::Running;

/// On a calm machine it takes half a minute.
const JUDGE_LIMIT: Duration = Duration::from_secs(5 * 60);

/// Each simulated reading is five observations.
const READINGS: u32 = 2_100;
const FEWEST_OBSERVATIONS: usize = 10_000;
/// Of each patient's observations so many pages are judged a second time, as `vitals serve` gives them.
const PAGES: usize = 4;

/// Ids that are not allowed as ids of FHIR, and a name with what JSON has to escape.
const PEOPLE: [(&str, &str, &str); 3] =
    [("P001", "Ada Bell", "1950-02-28"), ("P/2", "Zoë \"<Ä>\" & \\", "2019-12-31"), ("a b", "Bo", "1900-01-01")];

/// Halves of pressures, what was observed beside the signs, the first and the last year, what nobody can have, and numbers
/// that are written with an exponent.
const ODD_READINGS: &str = "\
patient_id,timestamp,heart_rate,spo2,systolic,diastolic,respiratory_rate,temperature,supplemental_oxygen,consciousness
P/2,2025-10-26T10:30:15Z,,,120,,,,true,V
P/2,2025-10-26T10:30:15.000001Z,,,,80,,,,
P/2,2025-10-26T12:30:16+02:00,0,0,0,0,0,0,false,U
P/2,0001-01-01T00:00:00Z,95,98,120,80,16,36.8,,A
P/2,9999-12-31T23:59:59.999999Z,95,98,80,120,16,36.6,,
P/2,2025-10-26T10:30:17Z,-2147483648,2147483647,300,-1,999,1e30,,
a b,2024-02-29T23:59:59.9Z,60,100,,,,1e-7,,
";

/// Stored by another program: a temperature without an end.
const ENDLESS: &str = "INSERT INTO patient_vitals (patient_id, timestamp, temperature) VALUES ('P/2', '2025-10-27T00:00:00+00:00', 9e999)";

#[test]
fn nothing_that_is_written_breaks_fhir_and_what_was_broken_is_found() {
    let home = filled();
    home.done("export -o fhir Observation.ndjson");
    let exported = home.read("Observation.ndjson");
    assert!(exported.lines().count() > FEWEST_OBSERVATIONS, "{}", exported.lines().count());
    assert!(exported.contains("positive-infinity") && exported.contains("\"unknown\""), "the odd ones are there");
    let all: Vec<_> = exported.lines().map(parsed).collect();
    let (signs, observed): (Vec<_>, Vec<_>) =
        all.iter().partition(|found| found["category"][0]["coding"][0]["code"] == "vital-signs");
    assert!(signs.iter().all(|sign| sign["meta"]["profile"][0].is_string()), "each names its profile");
    let mut said: Vec<_> =
        observed.iter().map(|found| found["valueCodeableConcept"]["coding"][0]["display"].as_str().unwrap()).collect();
    said.sort_unstable();
    assert_eq!(said, ["Mentally alert", "No", "Responds to voice", "Unresponsive", "Yes"]);
    home.file("answers.ndjson", answers(&home));
    home.file("broken.ndjson", broken(&exported));

    let found = judged(&home, &["Observation.ndjson", "answers.ndjson", "broken.ndjson"]);
    let (expected, wrong): (Vec<_>, Vec<_>) = found.iter().partition(|error| error.starts_with("broken.ndjson:"));
    assert!(wrong.is_empty(), "{} errors: {:#?}", wrong.len(), &wrong[..wrong.len().min(10)]);
    for (line, place) in [(1, "value"), (2, "category"), (3, "value"), (4, "code"), (5, "value"), (6, "entry[0]")] {
        let beginning = format!("broken.ndjson:{line} ");
        let is_found = expected.iter().any(|error| error.starts_with(&beginning) && error.contains(place));
        assert!(is_found, "nothing against line {line}: {expected:#?}");
    }
}

/// With people who were admitted, readings and alarms.
fn filled() -> Home {
    let home = Home::ready(6);
    for (id, name, birth_date) in PEOPLE {
        let admit = ["patient", "admit", id, "--name", name, "--birth-date", birth_date, "--by", "Anna"];
        crate::running::run("vitals patient admit", home.command("").args(admit)).well();
    }
    let patients = "P001,P002,P003,P004,P005,P006";
    home.done(&format!("produce --interval 0 --count {READINGS} --seed 7 --patients {patients}"));
    home.file("odd.csv", ODD_READINGS);
    home.done("produce --mode csv --csv odd.csv --once --interval 0");
    home.consume();
    home.sql(ENDLESS);
    home
}

/// What `vitals serve` answers, a line each: pages of observations of everybody, their alarms, and the rest.
fn answers(home: &Home) -> String {
    let ward = Ward::of(home);
    let mut everybody = Value::Null;
    wait_for(|| {
        everybody = ward.get("/fhir/Patient");
        entries(&everybody).len() == 8
    });
    let mut answers = vec![ward.get("/fhir/metadata"), ward.ask("GET", "/fhir/Observation", "").1, everybody.clone()];
    for patient in entries(&everybody) {
        let id = patient["resource"]["id"].as_str().unwrap();
        answers.push(ward.get(&format!("/fhir/Patient/{id}")));
        let pages = observations(&ward, id);
        assert!(pages.iter().any(|page| !entries(page).is_empty()), "{id}");
        answers.extend(pages);
    }
    answers.extend(alarms(home, &ward, &everybody));
    let mut lines = String::new();
    for answer in answers {
        writeln!(lines, "{answer}").unwrap();
    }
    lines
}

/// The first pages of a patient's observations, each by the link in the one before.
fn observations(ward: &Ward, patient: &str) -> Vec<Value> {
    let mut path = Some(format!("/fhir/Observation?patient={patient}&_count=60"));
    let next = || {
        let page = ward.get(&path.take()?);
        let links = page["link"].as_array().unwrap();
        let link = links.iter().find(|link| link["relation"] == "next").map(|link| link["url"].as_str().unwrap());
        path = link.map(|url| url.split_once("localhost").unwrap().1.to_owned());
        Some(page)
    };
    std::iter::from_fn(next).take(PAGES).collect()
}

/// Those of everybody; somebody has acknowledged one.
fn alarms(home: &Home, ward: &Ward, everybody: &Value) -> Vec<Value> {
    let active = home.rows("alarms list --active");
    let alarm = active.first().unwrap_or_else(|| panic!("the simulated ward has alarms"));
    let [patient, rule] = ["patient_id", "rule"].map(|name| alarm[name].as_str().unwrap());
    let acknowledge = ["alarms", "ack", patient, "--rule", rule, "--by", "Zoë"];
    crate::running::run("vitals alarms ack", home.command("").args(acknowledge)).well();
    let of = |patient: &Value| {
        ward.get(&format!("/fhir/DetectedIssue?patient={}", patient["resource"]["id"].as_str().unwrap()))
    };
    let bundles: Vec<_> = entries(everybody).iter().map(of).collect();
    let issues: Vec<_> = bundles.iter().flat_map(entries).map(|entry| &entry["resource"]).collect();
    assert!(issues.iter().any(|issue| issue["identifiedPeriod"]["end"].is_string()), "{} alarms", issues.len());
    assert!(issues.iter().any(|issue| issue["mitigation"].is_array()), "{} alarms", issues.len());
    bundles
}

fn entries(bundle: &Value) -> &[Value] {
    bundle["entry"].as_array().map_or(&[], Vec::as_slice)
}

fn parsed(line: &str) -> Value {
    serde_json::from_str(line).unwrap()
}

/// Some of the observations, each with a mistake: another unit, no category, a pressure with a value of its own, oxygen
/// without its code, and a consciousness that is a code alone. And the first of them in a page.
fn broken(exported: &str) -> String {
    let some = |profile: &str| parsed(exported.lines().find(|line| line.contains(profile)).unwrap());
    let [mut unit, mut category, mut pressure] = ["heartrate", "bodytemp", "StructureDefinition/bp"].map(some);
    let [mut oxygen, mut awake] = ["371825009", "67775-7"].map(some);
    oxygen.as_object_mut().unwrap().remove("code");
    awake["valueCodeableConcept"] = json!("V");
    unit["valueQuantity"]["code"] = json!("Cel");
    category.as_object_mut().unwrap().remove("category");
    pressure["valueQuantity"] =
        json!({"value": 120, "unit": "mmHg", "system": "http://unitsofmeasure.org", "code": "mm[Hg]"});
    let url = format!("http://localhost/fhir/Observation/{}", unit["id"].as_str().unwrap());
    let page = json!({"resourceType": "Bundle", "type": "searchset", "entry": [{"fullUrl": url, "resource": unit}]});
    format!("{unit}\n{category}\n{pressure}\n{oxygen}\n{awake}\n{page}\n")
}

/// What the validator has against the lines of these files: `FILE:LINE PLACE: TEXT`.
fn judged(home: &Home, files: &[&str]) -> Vec<String> {
    let variable = |name: &str| std::env::var_os(name).expect("hint: run `cargo xtask test`");
    let mut java = Command::new(variable("VITALS_TEST_JAVA"));
    java.args(["-Xmx1g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"])
        .arg(variable("VITALS_TEST_FHIR_CLASSES"));
    java.arg(variable("VITALS_TEST_FHIR_JUDGE")).args(files).current_dir(home.path());
    let mut said = Running::start("HAPI", &mut java).wait_end(JUDGE_LIMIT).well().stdout;
    let count = said.pop().unwrap();
    let lines: usize = files.iter().map(|file| home.read(file).lines().count()).sum();
    assert_eq!(count, format!("judged: {lines} resources, {} errors", said.len()));
    said
}
