use super::clock::HOUR;
use super::course::Course;
use super::facts::duration;
use super::raised::Raised;
use super::summary::{Builder, Seen};
use super::*;
use crate::alarm::rules::{Micros, SECOND};
use crate::reading::Signs;
use crate::store::StoredAlarm;

const MINUTE: Micros = 60 * SECOND;
/// 2025-10-26T10:00:00Z.
const SINCE: Micros = 1_761_472_800 * SECOND;
const PERIOD: Period = Period { since: SINCE, until: SINCE + 12 * HOUR, now: SINCE + 12 * HOUR };

fn time(minute: Micros) -> String {
    Timestamp::from_micros(SINCE + minute * MINUTE).unwrap().to_string()
}

/// An alarm that was raised and ended at these minutes of the time.
fn alarm(patient: &str, rule: &str, priority: &str, start: Micros, end: Option<Micros>) -> Raised {
    let row = StoredAlarm {
        patient_id: patient.to_owned(),
        onset: time(start),
        rule: rule.to_owned(),
        priority: Some(priority.to_owned()),
        value: Some(90.0),
        limit: Some(92.0),
        peak: Some(85.0),
        started: Some(time(start)),
        returned: Some(String::new()),
        ended: end.map(time),
        acknowledged_by: None,
        acknowledged_at: None,
        message: Some("Low SpO2: 85".to_owned()),
        rules: Some("classic".to_owned()),
    };
    Raised::of(row, patient).unwrap()
}

fn acknowledged(mut alarm: Raised) -> Raised {
    alarm.row.acknowledged_by = Some("Anna".to_owned());
    alarm.row.acknowledged_at = Some(time(700));
    alarm
}

/// What was seen of a patient with these alarms, and a reading a minute from this one to that.
fn seen(patient: &str, alarms: Vec<Raised>, from: Micros, to: Micros) -> Seen {
    let mut course = Course::new(PERIOD, true, None);
    for minute in from..to {
        let signs = Signs { heart_rate: Some(95), respiratory_rate: Some(22), ..Signs::default() };
        course.take(SINCE + minute * MINUTE, &signs);
    }
    let alarms = alarms.into_iter().filter(|alarm| alarm.is_in(&PERIOD)).collect();
    let (patient, label) = (patient.to_owned(), patient.to_owned());
    Seen { patient, label, alarms, lines: 0, is_cut_off: false, course, timeless: 0 }
}

fn summary(patients: Vec<Seen>) -> Summary {
    let mut builder = Builder::new(PERIOD, false);
    for seen in patients {
        builder.take(seen);
    }
    builder.finish()
}

fn burden(alarms: Vec<Raised>) -> super::burden::Burden {
    summary(vec![seen("P1", alarms, 0, 10)]).patients.remove(0).burden
}

#[test]
fn alarms_that_overlap_count_each_and_their_time_once() {
    let of = burden(vec![
        alarm("P1", "a", "high", 10, Some(30)),
        alarm("P1", "b", "medium", 20, Some(25)),
        alarm("P1", "c", "medium", 25, Some(40)),
        alarm("P1", "d", "low", 100, Some(101)),
    ]);
    assert_eq!((of.raised.all, of.raised.high, of.raised.medium, of.raised.low), (4, 1, 2, 1));
    assert_eq!((of.in_alarm / MINUTE, of.longest), (31, Some(20 * MINUTE)));
    assert_eq!((of.carried, of.on, of.unacknowledged), (0, 0, 4));
}

#[test]
fn one_that_began_before_counts_for_its_time_within_and_was_not_raised_now() {
    let of = burden(vec![
        alarm("P1", "a", "high", -60, Some(30)),
        alarm("P1", "b", "high", -60, Some(0)),
        alarm("P1", "c", "high", -60, Some(-30)),
        alarm("P1", "d", "high", 720, None),
    ]);
    assert_eq!((of.raised.all, of.carried, of.in_alarm / MINUTE), (0, 1, 30), "what ended before is no part of it");
    assert_eq!(of.longest, Some(90 * MINUTE), "the whole of it");
}

#[test]
fn one_that_goes_on_has_lasted_until_now() {
    let of = burden(vec![alarm("P1", "a", "high", 600, None), acknowledged(alarm("P1", "b", "low", -30, None))]);
    assert_eq!((of.raised.all, of.on, of.on_unacknowledged, of.unacknowledged), (1, 2, 1, 1));
    assert_eq!((of.in_alarm, of.longest), (12 * HOUR, Some(750 * MINUTE)));
    let going_on = alarm("P1", "a", "high", 60, None);
    let seen_in = |now| going_on.lasted(&Period { now: SINCE + now * MINUTE, ..PERIOD }) / MINUTE;
    assert_eq!((seen_in(90), seen_in(2000), seen_in(-2000)), (30, 660, 660), "else to the end of the time");
    assert_eq!(seen_in(30), 0, "the clock of the device is ahead");
}

#[test]
fn one_that_ended_after_that_time_is_measured_as_one_that_is_still_on() {
    let seen = |end| alarm("P1", "a", "high", 700, end);
    for later in [seen(None), seen(Some(5000))] {
        assert_eq!((later.lasted(&PERIOD) / MINUTE, duration(&later, &PERIOD)), (20, "≥20m00s".to_owned()));
    }
    assert_eq!(duration(&seen(Some(710)), &PERIOD), "10m00s");
    // Twenty seconds of it were in that time: it need not have been short.
    let cut = Raised { start: PERIOD.until - 20 * SECOND, ..seen(Some(800)) };
    assert_eq!(summary(vec![seen_of(vec![cut])]).rules[0].short, 0);
}

fn seen_of(alarms: Vec<Raised>) -> Seen {
    seen("P1", alarms, 0, 10)
}

#[test]
fn one_that_ended_as_it_began_or_before_counts_and_takes_no_time() {
    let of = burden(vec![alarm("P1", "a", "high", 5, Some(5)), alarm("P1", "b", "high", 9, Some(8))]);
    assert_eq!((of.raised.all, of.in_alarm, of.longest), (2, 0, Some(0)));
}

#[test]
fn a_row_of_an_earlier_vitals_is_no_alarm_and_one_of_an_unknown_priority_is() {
    let row = alarm("P1", "a", "high", 5, None).row;
    assert_eq!(Raised::of(StoredAlarm { started: None, ..row.clone() }, "P1"), None);
    assert_eq!(Raised::of(StoredAlarm { started: Some("soon".to_owned()), ..row.clone() }, "P1"), None);
    let odd = Raised::of(StoredAlarm { priority: None, ended: Some("later".to_owned()), ..row }, "P1").unwrap();
    assert_eq!((odd.is_on(), odd.lasted(&PERIOD)), (false, 0));
    let of = burden(vec![odd]);
    assert_eq!((of.raised.all, of.raised.high + of.raised.medium + of.raised.low), (1, 0));
}

#[test]
fn rates_are_by_the_time_that_readings_cover_and_need_an_hour_of_it() {
    let alarms = |patient: &str| (0..3).map(|at| alarm(patient, "a", "high", at * 10, Some(at * 10 + 1))).collect();
    let of =
        summary(vec![seen("P1", alarms("P1"), 0, 361), seen("P2", alarms("P2"), 0, 31), seen("P3", vec![], 0, 30)]);
    let rates: Vec<_> = of.patients.iter().map(|patient| patient.burden.per_day()).collect();
    assert_eq!(rates, [Some(12.0), None, None]);
    assert_eq!(of.totals.watched, (360 + 30 + 29) * MINUTE);
    assert_eq!(of.totals.per_day, Some(6.0 / (419.0 / 1440.0)));
    assert_eq!((of.totals.patients, of.totals.tenth, of.totals.noisiest_tenth), (3, 1, Some(0.5)));
    assert_eq!(of.patients[1].burden.share(6), Some(0.5));
    let peak = of.patients[0].burden.peak.unwrap();
    assert_eq!((peak.score.total, peak.score.is_partial, peak.time), (3, true, SINCE));
}

fn ward() -> Summary {
    let mut first = vec![alarm("P1", "spo2_low", "high", 600, None), alarm("P1", "spo2_low", "high", 10, Some(15))];
    first.push(acknowledged(alarm("P1", "heart_rate_high", "medium", 30, Some(31))));
    first.extend((0..12).map(|at| alarm("P1", "heart_rate_high", "medium", 40 + at * 3, Some(40 + at * 3))));
    let second = alarm("P2", "heart_rate_high", "low", -30, None);
    summary(vec![
        seen("P2", vec![second], 0, 720),
        seen("P1", first, 0, 720),
        seen("P3-with-a-long-name", vec![], 700, 720),
    ])
}

#[test]
fn lists_begin_with_what_matters_most() {
    let of = ward();
    let names: Vec<_> = of.patients.iter().map(|patient| &*patient.burden.patient).collect();
    assert_eq!(names, ["P1", "P2", "P3-with-a-long-name"], "who has most alarms");
    let ids: Vec<_> = of.unacknowledged.iter().take(3).map(|alarm| alarm.row.id().to_string()).collect();
    let at = |minute| time(minute);
    assert_eq!(
        ids,
        [
            format!("P1/spo2_low/{}", at(600)),
            format!("P2/heart_rate_high/{}", at(-30)),
            format!("P1/spo2_low/{}", at(10))
        ],
        "what is on, and then what is more urgent"
    );
    let longest: Vec<_> = of.longest.iter().take(3).map(|alarm| alarm.lasted(&PERIOD) / MINUTE).collect();
    assert_eq!((longest, of.longest.len()), (vec![750, 120, 5], 10));
    let rules: Vec<_> = of.rules.iter().map(|of| (&*of.rule, of.raised, of.median / SECOND, of.short)).collect();
    assert_eq!(rules, [("heart_rate_high", 13, 0, 12), ("spo2_low", 2, 7200, 0)]);
}

fn printed(summary: &Summary, format: Format) -> (String, String) {
    let (output, memory) = Output::into_memory();
    let format = FormatArgs { format: Some(format) };
    let args = Args {
        since: Timestamp::from_micros(SINCE).unwrap(),
        until: None,
        patient: None,
        ward: None,
        html: None,
        format,
    };
    show(summary, &args, &Clock::of_utc(), &output).unwrap();
    (memory.stdout(), memory.stderr())
}

#[test]
fn people_get_what_fits_eighty_columns() {
    let (shown, said) = printed(&ward(), Format::Table);
    let expected = "\
Alarms from 2025-10-26 10:00 +00:00 to 2025-10-26 22:00 +00:00
       in UTC 2025-10-26T10:00:00+00:00 to 2025-10-26T22:00:00+00:00

patients        3 with readings or alarms; 1.0 patient-days of readings
alarms raised   15 (2 ***, 13 **), 14.8 a patient-day
noisiest tenth  100 % of all alarms, 1 patient of 3
on before       1 alarm, not counted above
still on        2, 2 of them not acknowledged
unacknowledged  15
longest         ≥12h30m: P2 Low SpO2: 85, raised 2025-10-26 09:30

By patient
PATIENT   ***  **  *  ALL  A DAY  SHARE      ON     MAX  UNACK  NEWS2  AT
P1          2  13  0   15   30.0  100 %   2h06m   2h00m     14     ≥3  10:00
P2          0   0  0    0   0.00  0.0 %  12h00m  12h30m      1     ≥3  10:00
P3-with…    0   0  0    0      -  0.0 %       -       -      0     ≥3  21:40

Not acknowledged
***  P1 Low SpO2: 85; active, 2h00m old
     P1/spo2_low/2025-10-26T20:00:00+00:00
*    P2 Low SpO2: 85; active, 12h30m old
     P2/heart_rate_high/2025-10-26T09:30:00+00:00
***  P1 Low SpO2: 85; ended, 11h50m old
";
    assert!(shown.starts_with(expected), "{shown}");
    assert!(shown.contains("\n     and 5 more; `vitals alarms list` shows them\n"), "{shown}");
    let rest = "\
\nLongest
PRI      FOR  RAISED            PATIENT  ALARM
*    ≥12h30m  2025-10-26 09:30  P2       Low SpO2: 85
***   ≥2h00m  2025-10-26 20:00  P1       Low SpO2: 85
***    5m00s  2025-10-26 10:10  P1       Low SpO2: 85
";
    assert!(shown.contains(rest), "{shown}");
    let rules = "\
\nBy rule
RULE             ALARMS  MEDIAN  UNDER 30 S
heart_rate_high      13      0s          12
spo2_low              2   2h00m           0
";
    assert!(shown.ends_with(rules), "{shown}");
    assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    assert_eq!(said, "");
}

#[test]
fn programs_get_a_row_for_each_patient_or_one_document() {
    let (csv, _) = printed(&ward(), Format::Csv);
    let lines: Vec<_> = csv.lines().collect();
    assert_eq!(
        lines[..2],
        [
            "patient_id,alarms,high,medium,low,from_before,per_day,share_percent,watched_s,in_alarm_s,longest_s,on,\
             unacknowledged,on_unacknowledged,news2_peak,news2_partial,news2_level,news2_peak_at",
            "P1,15,2,13,0,0,30.0417,100.0,43140,7560,7200,1,14,1,3,true,low,2025-10-26T10:00:00+00:00",
        ]
    );
    assert_eq!(lines.len(), 4);
    let (json, _) = printed(&ward(), Format::Json);
    let document: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&document["alarms"], &document["until"]), (&15.into(), &"2025-10-26T22:00:00+00:00".into()));
    assert_eq!((&document["from_before"], &document["noisiest_tenth_percent"]), (&1.into(), &100.0.into()));
    assert_eq!(document["by_patient"].as_array().unwrap().len(), 3);
    assert_eq!(document["by_patient"][0]["share_percent"], 100.0);
    assert_eq!(document["unacknowledged_alarms"][0]["id"], format!("P1/spo2_low/{}", time(600)));
    assert_eq!(document["longest_alarms"][0]["lasted_s"], 45_000);
    assert_eq!(
        document["by_rule"][0],
        serde_json::json!({"rule": "heart_rate_high", "alarms": 13, "median_s": 0, "under_30_s": 12})
    );
}

#[test]
fn where_there_is_nothing_it_is_said_and_what_is_left_out_too() {
    let nothing = summary(vec![seen("P1", vec![], 0, 0)]);
    let told = "there are no readings and no alarms from 2025-10-26 10:00 +00:00 to 2025-10-26 22:00 +00:00\n";
    for (format, shown) in [(Format::Table, ""), (Format::Ndjson, "")] {
        assert_eq!(printed(&nothing, format), (shown.to_owned(), told.to_owned()));
    }
    assert!(printed(&nothing, Format::Csv).0.starts_with("patient_id,alarms,"));
    assert!(printed(&nothing, Format::Json).0.contains("\"by_patient\": []"));
    let old = Seen { lines: 2, timeless: 1, is_cut_off: true, ..seen("P1", vec![], 0, 10) };
    let (shown, said) = printed(&summary(vec![old]), Format::Table);
    assert!(shown.contains("\nP1         0   0  0    0 "), "{shown}");
    assert_eq!(
        said,
        "note: 2 rows of an earlier vitals left out, one a reading over a limit: these are no alarms\n\
         note: 1 reading left out whose time is none\n\
         note: of 1 patient only the newest 5000 rows of alarms were looked through, and what is on: what began before \
         these and is over may be missing\n"
    );
}

fn page(summary: &Summary) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.html");
    let bytes = page::write(Partial::begin(&path, true).unwrap(), summary, &Clock::of_utc()).unwrap();
    let page = std::fs::read_to_string(path).unwrap();
    assert_eq!(usize::try_from(bytes).unwrap(), page.len());
    page
}

#[test]
fn the_page_is_whole_asks_nobody_and_has_a_block_and_a_drawing_for_each_patient() {
    let page = page(&ward());
    assert!(page.starts_with("<!DOCTYPE html>") && page.trim_end().ends_with("</html>"));
    for word in ["http:", "https:", "//", "url(", "@import", "<script", "src=", "{{", "}}", "onload", "onclick"] {
        assert!(!page.contains(word), "{word}");
    }
    assert_eq!(page.matches("href=\"").count(), page.matches("href=\"#p").count());
    for (part, count) in [("<section", 3), ("<h3>", 3), ("<svg class=\"trend\"", 3), ("<title id=", 3), ("<h1>", 1)] {
        assert_eq!(page.matches(part).count(), count, "{part}");
    }
    assert_eq!(page.matches("<table>").count(), page.matches("<caption>").count());
    assert_eq!(page.matches("<table>").count(), 4 + 2, "two patients have alarms");
    for part in ["≥3", "≥12h30m", "on</bdi>", "ended, seen by Anna", "2025-10-26T10:00:00+00:00 to 2025-10-26T22:00:00"]
    {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn what_others_have_named_is_text_on_the_page() {
    let evil = "<script>alert('{{tables}}')</script>\u{202e}\"&";
    let mut of = alarm(evil, "</td><b>", "high", 5, None);
    of.row.message = Some("<img src=x onerror=alert(1)>".to_owned());
    of.row.acknowledged_by = Some("<i>".to_owned());
    of.row.acknowledged_at = Some(time(6));
    let page = page(&summary(vec![seen(evil, vec![of], 0, 10)]));
    for markup in ["<script", "<img", "<b>", "<i>", "\u{202e}", "alert('"] {
        assert!(!page.contains(markup), "{markup}");
    }
    let shown = "&lt;script&gt;alert(&#39;{{tables}}&#39;)&lt;/script&gt;\\u{202e}&quot;&amp;";
    assert!(page.contains(&format!("<h3><bdi>{shown}</bdi></h3>")) && page.contains("&lt;img src=x"), "{page}");
}

#[test]
fn a_page_without_patients_says_so() {
    let page = page(&summary(Vec::new()));
    assert!(page.contains("There are no readings and no alarms in that time.") && !page.contains("<h2"), "{page}");
}

#[test]
fn of_many_alarms_the_newest_are_listed_and_all_are_drawn() {
    let alarms = (0..150).map(|at| alarm("P1", "a", "high", at * 4, Some(at * 4 + 1))).collect();
    let of = summary(vec![seen("P1", alarms, 0, 720)]);
    let detail = of.patients[0].detail.as_ref().unwrap();
    assert_eq!((detail.alarms.len(), detail.unlisted, detail.bands.len()), (25, 125, 150));
    assert_eq!((detail.alarms[0].start - SINCE) / MINUTE, 500);
    assert!(page(&of).contains("Alarms of P1; 125 earlier ones are not listed"));
    assert_eq!((of.unacknowledged.len(), of.totals.unacknowledged), (100, 150));
}

#[test]
fn a_time_without_a_moment_and_a_page_for_standard_output_are_refused() {
    let at = |minute: Micros| Timestamp::from_micros(SINCE + minute * MINUTE).unwrap();
    assert!(Period::new(at(1), Some(at(1)), at(5)).is_err() && Period::new(at(6), None, at(5)).is_err());
    let period = Period::new(at(1), None, at(5)).unwrap();
    assert_eq!((period.since, period.until), (at(1).as_micros(), at(5).as_micros()));
    assert!(crate::cmd::common::parsed::<Args>("--html -").is_err());
    assert!(crate::cmd::common::parsed::<Args>("--html a.html --since -8h --patient P1").is_ok());
}
