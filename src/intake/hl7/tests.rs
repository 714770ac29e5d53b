//! Messages as monitors and gateways send them, and what is made of them. The patients are invented.

use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::framing::{Frame, framed};
use super::judge::{Dated, Judged, judge};
use super::refusal::{Problem, Refusal, Verdict};
use super::sender::Sender;
use crate::kafka::producer::Outgoing;
use crate::reading::Signs;

const HEADER: &str = "MSH|^~\\&|MON|W7|VITALS|H|20251026103020+0000||ORU^R01^ORU_R01|77|P|2.6";
const PATIENT: &str = "PID|||P1^^^H^MR";

fn received() -> DateTime<Utc> {
    "2025-10-26T10:30:21Z".parse().unwrap()
}

fn judged_by(sender: &str, message: &[u8]) -> Judged {
    let sender = Sender::parse(sender).unwrap_or_else(|error| panic!("{sender}: {error}"));
    judge(&Frame::Whole(Bytes::copy_from_slice(message)), &sender, received(), 9)
}

/// The readings of a message with these segments behind header and patient.
fn readings_by(sender: &str, segments: &str) -> Result<Vec<Dated>, Refusal> {
    judged_by(sender, format!("{HEADER}\r{PATIENT}\r{segments}").as_bytes()).outcome
}

/// The signs of the one reading of such a message.
fn signs_by(sender: &str, segments: &str) -> Signs {
    let readings = readings_by(sender, segments).unwrap_or_else(|refusal| panic!("{segments}: {refusal}"));
    let [dated] = &readings[..] else { panic!("{segments}: {readings:?}") };
    *dated.reading.signs()
}

fn signs(segments: &str) -> Signs {
    signs_by("", segments)
}

fn refusal_by(sender: &str, segments: &str) -> String {
    readings_by(sender, segments).map(|readings| format!("{readings:?}")).expect_err(segments).to_string()
}

fn refusal(segments: &str) -> String {
    refusal_by("", segments)
}

fn is_nothing(segments: &str) -> bool {
    readings_by("", segments).is_ok_and(|readings| readings.is_empty())
}

/// Each reading as patient, time and heart rate.
fn beats(readings: &[Dated]) -> Vec<String> {
    let beat = |Dated { reading, .. }: &Dated| {
        format!("{} {} {:?}", reading.patient(), reading.time(), reading.signs().heart_rate)
    };
    readings.iter().map(beat).collect()
}

/// A heart rate, with these fields behind the code.
fn heart_rate(fields: &str) -> String {
    format!("OBX|1|NM|147842^MDC_ECG_HEART_RATE^MDC|{fields}")
}

#[test]
fn a_message_of_ihe_pcd_is_a_reading_as_produce_sends_it() {
    let text = "OBR|1|1^MON|1^MON|182777000^monitoring of patient^SCT|||20251026103015+0100\r\
        OBX|1|NM|147842^MDC_ECG_HEART_RATE^MDC|1.1.1|95|264864^MDC_DIM_BEAT_PER_MIN^MDC|||||R\r\
        OBX|2|NM|150456^MDC_PULS_OXIM_SAT_O2^MDC|1.2.1|98|262688^MDC_DIM_PERCENT^MDC|||||R\r\
        OBX|3|NM|150021^MDC_PRESS_BLD_NONINV_SYS^MDC|1.3.1|120|266016^MDC_DIM_MMHG^MDC|||||R\r\
        OBX|4|NM|150022^MDC_PRESS_BLD_NONINV_DIA^MDC|1.3.2|80|266016^MDC_DIM_MMHG^MDC|||||R\r\
        OBX|5|NM|151562^MDC_RESP_RATE^MDC|1.4.1|16|264928^MDC_DIM_RESP_PER_MIN^MDC|||||R\r\
        OBX|6|NM|150364^MDC_TEMP_BODY^MDC|1.5.1|36.8|268192^MDC_DIM_DEGC^MDC|||||R\r\
        OBX|7|NM|150488^MDC_BLD_PERF_INDEX^MDC|1.2.2|0.9|262688^MDC_DIM_PERCENT^MDC|||||R\rZXX|of the vendor\r";
    let readings = readings_by("", text).unwrap();
    let outgoing = Outgoing::from(&readings[0]);
    assert_eq!((readings.len(), &outgoing.key[..]), (1, &b"P1"[..]));
    assert_eq!(
        outgoing.value,
        r#"{"patient_id":"P1","timestamp":"2025-10-26T09:30:15+00:00","heart_rate":95,"spo2":98,"blood_pressure":{"systolic":120,"diastolic":80},"respiratory_rate":16,"temperature":36.8}"#
    );
}

#[test]
fn codes_are_known_by_their_system_also_as_the_other_of_two() {
    for (code, is_known) in [
        ("8867-4^HR^LN", true),
        ("8867-4^HR^LOINC", true),
        ("x^HR^L^147842^HR^MDC", true),
        ("147842^HR^LN", false),
        ("147842", false),
        ("101^HR", false),
    ] {
        let readings = readings_by("", &format!("OBX|1|NM|{code}||95||||||F"));
        assert_eq!(readings.is_ok(), is_known, "{code}: {readings:?}");
    }
    let mindray = "vendor = \"mindray\"\nzone = \"+00:00\"";
    assert_eq!(signs_by(mindray, "OBX||NM|101^HR||95||||||F").heart_rate, Some(95));
    assert_eq!(
        signs_by("vendor = \"philips\"", "OBX||NM|0002-4BB8^SpO2^MDIL||96|0004-0220^%^MDIL|||||F").spo2,
        Some(96)
    );
    assert_eq!(signs_by("vendor = \"ge\"", "OBX||NM|SPO2-%||96|%|||||F").spo2, Some(96));
    assert_eq!(signs_by("[codes]\nspo2 = [\"7^MINE\"]", "OBX||NM|7^sat^MINE||96|%|||||F").spo2, Some(96));
}

#[test]
fn a_message_of_which_no_code_is_known_is_refused_unless_the_sender_says_otherwise() {
    let unknown = "OBX|1|NM|1^X^Y||1||||||F";
    assert_eq!(refusal(unknown), "OBX[1]-3: none of its observations has a code that is known");
    assert_eq!(readings_by("unknown_only = \"take\"", unknown), Ok(Vec::new()));
    assert_eq!(refusal("NTE|1||nothing"), "OBX[1]-3: none of its observations has a code that is known");
}

#[test]
fn values_come_as_numbers_structured_numbers_and_texts() {
    for (fields, value) in [
        ("OBX|1|NM|147842^^MDC||95||||||F", 95),
        ("OBX|1|ST|147842^^MDC|| 95 ||||||F", 95),
        ("OBX|1||147842^^MDC||95.0||||||F", 95),
        ("OBX|1|NM|147842^^MDC||+95||||||F", 95),
        ("OBX|1|SN|147842^^MDC||^95||||||F", 95),
        ("OBX|1|SN|147842^^MDC||=^95||||||F", 95),
        ("OBX|1|NM|147842^^MDC||94.5||||||F", 95),
        ("OBX|1|NM|147842^^MDC||~95||||||F", 95),
    ] {
        // An empty repetition before a value is none.
        let text = fields.replace("||~95", "||95");
        assert_eq!(signs(&text).heart_rate, Some(value), "{fields}");
    }
    for (fields, problem) in [
        ("OBX|1|SN|147842^^MDC||>^95||||||F", "OBX[1]-5: not a number"),
        ("OBX|1|SN|147842^^MDC||^120^/^80||||||F", "OBX[1]-5: not a number"),
        ("OBX|1|ST|147842^^MDC||high||||||F", "OBX[1]-5: not a number"),
        ("OBX|1|ST|147842^^MDC||36,8||||||F", "OBX[1]-5: not a number"),
        ("OBX|1|NM|147842^^MDC||1e2||||||F", "OBX[1]-5: not a number"),
        ("OBX|1|NM|147842^^MDC||inf||||||F", "OBX[1]-5: not a number"),
        ("OBX|1|NM|147842^^MDC||95~96||||||F", "OBX[1]-5: several values where one is expected"),
        ("OBX|1|NM|147842^^MDC||99999999999||||||F", "OBX[1]-5: a number that does not fit"),
        ("OBX|1|ED|147842^^MDC||95||||||F", "OBX[1]-2: a value of a type that is not read here"),
    ] {
        assert_eq!(refusal(fields), problem, "{fields}");
    }
}

#[test]
fn the_place_counts_the_segments_of_its_name_through_the_whole_message() {
    let text = "OBR|1\rOBX|1|NM|1^X^Y||1||||||F\rOBR|2\rOBX|1|NM|147842^^MDC||x||||||F";
    assert_eq!(refusal(text), "OBX[2]-5: not a number");
}

#[test]
fn no_value_is_not_measured_however_it_is_written() {
    for value in ["", "\"\"", "-100", "-999", "-99.9", "-999.0", "---", " -- "] {
        assert!(is_nothing(&heart_rate(&format!("|{value}||||||R"))), "{value}");
    }
    let none = "none = [9999, \"off\"]";
    assert_eq!(readings_by(none, &heart_rate("|9999||||||R")), Ok(Vec::new()));
    assert_eq!(readings_by(none, &heart_rate("|off||||||R")), Ok(Vec::new()));
    assert_eq!(signs_by(none, &heart_rate("|-100||||||R")).heart_rate, Some(-100), "the list is the sender's");
    let both = format!("{}\rOBX|2|NM|150456^^MDC||97||||||R", heart_rate("|\"\"||||||R"));
    assert_eq!(signs(&both), Signs { spo2: Some(97), ..Signs::default() });
    // Zero is a value: an asystole, or a lead that is off.
    assert_eq!(signs(&heart_rate("|0||||||R")).heart_rate, Some(0));
}

#[test]
fn who_is_not_known_is_not_asked_for_while_nothing_is_measured() {
    let message = format!("{HEADER}\rPID|||^^^^PI\r{}", heart_rate("|-999||||||F"));
    assert_eq!(judged_by("", message.as_bytes()).outcome, Ok(Vec::new()));
}

#[test]
fn the_status_says_whether_there_is_a_value_and_the_sender_which_are_taken() {
    for status in ["F", "R", "C", "P", ""] {
        assert_eq!(signs(&heart_rate(&format!("|95||||||{status}"))).heart_rate, Some(95), "{status}");
    }
    for status in ["X", "N", "I", "O"] {
        assert!(is_nothing(&heart_rate(&format!("|95||||||{status}"))), "{status}");
    }
    for status in ["W", "D"] {
        let problem = "OBX[1]-11: it takes back a value, which is not done here";
        assert_eq!(refusal(&heart_rate(&format!("|95||||||{status}"))), problem);
    }
    assert_eq!(readings_by("status = [\"F\"]", &heart_rate("|95||||||P")), Ok(Vec::new()));
}

#[test]
fn tests_and_demonstrations_never_enter_and_what_is_questionable_where_the_sender_says_so() {
    for flag in ["TEST", "DEMO", "INV", "NAV", "CAL", "QUES", "R~DEMO", "DEMO^demonstration"] {
        assert!(is_nothing(&heart_rate(&format!("|95|||{flag}|||F"))), "{flag}");
    }
    let taken = signs_by("questionable = \"take\"", &heart_rate("|95|||QUES|||F"));
    assert_eq!(taken.heart_rate, Some(95));
    assert_eq!(signs(&heart_rate("|95|||HH~SEV|||F")).heart_rate, Some(95));
    let refused = |processing: &str| {
        let header = HEADER.replace("|P|2.6", &format!("|{processing}|2.6"));
        judged_by("", format!("{header}\r{PATIENT}\r{}", heart_rate("|95||||||F")).as_bytes()).outcome.err()
    };
    assert_eq!(refused("P"), None);
    for processing in ["T", "D"] {
        assert_eq!(refused(processing).map(|refusal| refusal.problem), Some(Problem::NotProduction), "{processing}");
    }
}

#[test]
fn units_are_converted_and_one_that_is_not_known_is_refused() {
    let temperature =
        |value: &str, unit: &str| signs(&format!("OBX|1|NM|8310-5^T^LN||{value}|{unit}|||||F")).temperature;
    for (value, unit, degrees) in [
        ("36.85", "Cel^degree Celsius^UCUM", 36.85),
        ("98.6", "[degF]", 37.0),
        ("98.6", "266560^MDC_DIM_FAHR^MDC", 37.0),
        ("101.3", "^F^", 38.5),
        ("36.8", "", 36.8),
        ("36.8", "0004-17a0^°C^MDIL", 36.8),
    ] {
        assert_eq!(temperature(value, unit), Some(degrees), "{value} {unit}");
    }
    assert_eq!(signs("OBX|1|NM|8480-6^S^LN||16.0|kPa|||||F").systolic, Some(120));
    for unit in ["furlong", "%", "mm[Hg]"] {
        let problem = "OBX[1]-6: a unit that is not known for this sign";
        assert_eq!(refusal(&format!("OBX|1|NM|8310-5^T^LN||36.8|{unit}|||||F")), problem, "{unit}");
    }
    let own = "[units]\n\"Schläge\" = \"/min\"";
    assert_eq!(signs_by(own, "OBX|1|NM|8867-4^HR^LN||95|schläge|||||F").heart_rate, Some(95));
    let of_code = "[codes]\ntemperature = [{ code = \"T1\", unit = \"[degF]\" }, { code = \"T2\", scale = 0.1 }]";
    assert_eq!(signs_by(of_code, "OBX|1|NM|T1||98.6||||||F").temperature, Some(37.0));
    assert_eq!(signs_by(of_code, "OBX|1|NM|T2||368||||||F").temperature, Some(36.8), "tenths as whole numbers");
}

#[test]
fn of_several_codes_of_a_sign_the_first_in_the_senders_list_is_taken_whatever_their_order() {
    let (pulse, heart) = ("OBX|1|NM|149530^^MDC||90||||||F", "OBX|2|NM|147842^^MDC||95||||||F");
    for text in [format!("{pulse}\r{heart}"), format!("{heart}\r{pulse}")] {
        assert_eq!(signs(&text).heart_rate, Some(95));
        assert_eq!(signs_by("[codes]\nheart_rate = [\"149530^MDC\"]", &text).heart_rate, Some(90));
    }
    let pressures = "OBX|1|NM|150021^^MDC||118||||||F\rOBX|2|NM|150037^^MDC||121||||||F";
    assert_eq!(signs(pressures).systolic, Some(121), "in the artery before by the cuff");
}

#[test]
fn of_one_code_that_comes_again_the_later_is_taken_whatever_its_sub_id() {
    let text = "OBX|1|NM|150344^^MDC|1.1.1|36.5||||||F\rOBX|2|NM|150344^^MDC|1.2.1|36.9||||||C";
    assert_eq!(signs(text).temperature, Some(36.9));
}

#[test]
fn values_of_different_times_are_different_readings() {
    let text = format!(
        "OBR|1||||||20251026103015+0000\r{}\rOBX|2|NM|150301^^MDC||147|266016^^MDC|||||R|||20251026101000+0000",
        heart_rate("|95||||||R")
    );
    let readings = readings_by("", &text).unwrap();
    let told: Vec<_> =
        readings.iter().map(|dated| (dated.reading.time().to_string(), dated.reading.signs().systolic)).collect();
    let expected = [("2025-10-26T10:10:00+00:00", Some(147)), ("2025-10-26T10:30:15+00:00", None)];
    assert_eq!(told, expected.map(|(time, systolic)| (time.to_owned(), systolic)));
}

#[test]
fn the_time_is_that_of_the_observation_else_of_the_order_else_of_the_message() {
    let time = |sender: &str, sent: &str, order: &str, observed: &str| {
        let header = HEADER.replace("20251026103020+0000", sent);
        let message =
            format!("{header}\r{PATIENT}\rOBR|1||||||{order}\r{}", heart_rate(&format!("|95||||||R|||{observed}")));
        let outcome = judged_by(sender, message.as_bytes()).outcome;
        outcome.map_or_else(|refusal| refusal.to_string(), |readings| readings[0].reading.time().to_string())
    };
    for (sent, order, observed, expected) in [
        ("20251026103020+0000", "20251026103010", "20251026103005", "2025-10-26T10:30:05+00:00"),
        ("20251026103020+0000", "20251026103010", "", "2025-10-26T10:30:10+00:00"),
        ("20251026103020.25+0000", "", "\"\"", "2025-10-26T10:30:20.250000+00:00"),
        ("20251026073020-0300", "20251026073010", "", "2025-10-26T10:30:10+00:00"),
        ("", "20251026103010-0000", "", "2025-10-26T10:30:10+00:00"),
        (
            "20251026103020",
            "20251026103010",
            "",
            "OBR[1]-7: a time without an offset, and the sender's zone is not known",
        ),
        ("", "", "", "MSH-7: no time is told"),
        ("20251026103020+0000", "", "20251026", "OBX[1]-14: no time to the minute at least"),
    ] {
        assert_eq!(time("", sent, order, observed), expected, "{sent} {order} {observed}");
    }
    let zone = "zone = \"+01:00\"\nsummer_time = \"eu\"";
    assert_eq!(time(zone, "20251026113020", "", ""), "2025-10-26T10:30:20+00:00");
}

#[test]
fn a_clock_that_is_far_from_right_is_not_believed_and_what_it_shows_is_kept() {
    let observed = |time: &str| readings_by("", &heart_rate(&format!("|95||||||F|||{time}"))).unwrap().remove(0);
    let wrong = observed("20130101000000+0000");
    assert_eq!(beats(std::slice::from_ref(&wrong)), ["P1 2025-10-26T10:30:21+00:00 Some(95)"]);
    let expected = r#"{"patient_id":"P1","timestamp":"2025-10-26T10:30:21+00:00","heart_rate":95,"device_time":"2013-01-01T00:00:00+00:00"}"#;
    let value = Outgoing::from(&wrong).value;
    assert_eq!(value, expected);
    assert_eq!(crate::reading::decode(&value).as_ref(), Ok(&wrong.reading), "every reader takes it");
    assert!(observed("20251026113000+0000").device_time.is_none(), "an hour ahead");
    assert!(observed("20251026113022+0000").device_time.is_some());
    assert!(observed("20251001000000+0000").device_time.is_none(), "a gateway that was cut off");
    let strict = readings_by("behind = \"5s\"", &heart_rate("|95||||||F|||20251026103000+0000")).unwrap();
    assert!(strict[0].device_time.is_some());
}

#[test]
fn the_patient_is_found_as_the_sender_says() {
    let found = |sender: &str, segments: &str| {
        let message = format!("{HEADER}\r{segments}\r{}", heart_rate("|95||||||F"));
        let outcome = judged_by(sender, message.as_bytes()).outcome;
        outcome.map_or_else(|refusal| refusal.to_string(), |readings| readings[0].reading.patient().to_string())
    };
    let beds = "[beds]\n\"ICU^12\" = \"P7\"";
    for (sender, segments, expected) in [
        ("", "PID|||P1", "P1"),
        ("", "PID|||^^^A~P2^^^B^MR~P3^^^C&1.2&ISO^MR", "P2"),
        ("[patient]\nauthority = \"C\"", "PID|||P1^^^A~P2^^^B^MR~P3^^^C&1.2&ISO^MR", "P3"),
        ("[patient]\ntype = \"MR\"", "PID|||P1^^^A^PI~P2^^^B^MR", "P2"),
        ("[patient]\ntype = \"SS\"", "PID|||P1^^^A^PI", "PID-3: nobody is named whom it is about"),
        ("[patient]\nfrom = [\"PID-3\", \"PID-2\"]", "PID||P5|\"\"", "P5"),
        ("", "PID|||a\\S\\b", "a^b"),
        ("", "PID|||", "PID-3: nobody is named whom it is about"),
        ("", "ZZZ|1", "PID-3: nobody is named whom it is about"),
        ("", "PID|||\rPV1||I|ICU^12", "PV1-3: a bed that the table of beds does not have"),
        (beds, "PID|||\rPV1||I|ICU^12^1", "P7"),
        (beds, "PV1||I|ICU^12", "P7"),
        (beds, "PID|||P1\rPV1||I|ICU^12", "P1"),
        (beds, "PID|||\rPV1||I|ICU^13", "PV1-3: a bed that the table of beds does not have"),
        (beds, "PID|||\rPV1||I|^^", "PID-3: nobody is named whom it is about"),
        ("[patient]\nfrom = [\"bed\"]\n[beds]\n\"ICU^12\" = \"P7\"", "PID|||P1\rPV1||I|ICU^12", "P7"),
        ("", "PID|||a\\X0D\\b", "PID-3: no patient id of 1 to 64 bytes without control characters"),
    ] {
        assert_eq!(found(sender, segments), expected, "{sender} {segments}");
    }
    let long = format!("PID|||{}", "x".repeat(65));
    assert!(found("", &long).starts_with("PID-3: no patient id"), "{long}");
}

#[test]
fn several_patients_in_one_message_have_a_reading_each() {
    let text = format!("{rate}\rPID|||P2\rOBR|1\r{rate}", rate = heart_rate("|95||||||F"));
    let expected = ["P1 2025-10-26T10:30:20+00:00 Some(95)", "P2 2025-10-26T10:30:20+00:00 Some(95)"];
    assert_eq!(beats(&readings_by("", &text).unwrap()), expected);
}

#[test]
fn a_message_that_comes_again_is_the_same_reading_again() {
    let text = heart_rate("|95||||||F");
    assert_eq!(readings_by("", &text), readings_by("", &text), "patient and time are the key of its row");
}

#[test]
fn what_is_no_such_message_is_rejected_with_what_it_is() {
    let rate = heart_rate("|95||||||F");
    let of = |header: &str| format!("{header}\r{PATIENT}\r{rate}").into_bytes();
    let utf16: Vec<u8> = HEADER.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (message, problem) in [
        (of(&HEADER.replace("ORU^R01^ORU_R01", "ADT^A01")), Problem::MessageType),
        (of(&HEADER.replace("ORU^R01^ORU_R01", "ORU^R40")), Problem::MessageType),
        (of(&HEADER.replace("|2.6", "|3.0")), Problem::Version),
        (of(&format!("FHS|^~\\&|a\rBHS|^~\\&\r{HEADER}")), Problem::Batch),
        (of(&format!("{HEADER}\r{HEADER}")), Problem::SecondHeader),
        (of(&format!("{HEADER}||||||EBCDIC")), Problem::Charset),
        (utf16, Problem::Utf16),
        (b"".to_vec(), Problem::NotHl7),
        (b"hello".to_vec(), Problem::NotHl7),
        (b"PID|||P1".to_vec(), Problem::NotHl7),
    ] {
        let Judged { outcome, .. } = judged_by("", &message);
        let refusal = outcome.expect_err("refused");
        assert_eq!((refusal.problem, refusal.problem.verdict()), (problem, Verdict::Reject));
    }
    let message = Bytes::from(of(HEADER));
    let unended = judge(&Frame::Unended(message), &Sender::parse("").unwrap(), received(), 9);
    assert_eq!(unended.outcome.map_err(|refusal| refusal.problem), Err(Problem::NoEnd));
    assert!(String::from_utf8_lossy(&unended.answer).contains("\rMSA|AE|77|"), "its header says which it was");
}

#[test]
fn lines_delimiters_and_character_sets_are_taken_as_they_come() {
    let rate = heart_rate("|95||||||F");
    for message in [
        format!("{HEADER}\n{PATIENT}\n{rate}\n"),
        format!("{HEADER}\r\n{PATIENT}\r\n\r\n{rate}\r\n"),
        format!("\u{feff}{HEADER}\r{PATIENT}\r{rate}"),
        format!("{HEADER}\r{PATIENT}\r{rate}\r\0\0"),
        format!("{HEADER}\r{PATIENT}\rNTE|1||two\nlines\r{rate}\r"),
        format!("{HEADER}\r{PATIENT}\r{rate}").replace("^~\\&", "^~&"),
        format!("{HEADER}\r{PATIENT}\r{rate}").replace('^', "*").replace('|', "#"),
    ] {
        let outcome =
            judged_by("", message.as_bytes()).outcome.unwrap_or_else(|refusal| panic!("{message:?}: {refusal}"));
        assert_eq!(beats(&outcome), ["P1 2025-10-26T10:30:20+00:00 Some(95)"], "{message:?}");
    }
    let marked = format!("\u{feff}{HEADER}\r{PATIENT}\r{rate}");
    assert!(judged_by("charset = \"8859/1\"", marked.as_bytes()).outcome.is_ok(), "the mark says what it is");
    let latin = format!("{HEADER}||||||8859/1\rPID|||J").into_bytes();
    let message = [&latin[..], b"\xfcrg", format!("\r{rate}").as_bytes()].concat();
    assert_eq!(judged_by("", &message).patient.unwrap().as_str(), "Jürg");
    let message = [format!("{HEADER}\rPID|||J").as_bytes(), b"\xfcrg", format!("\r{rate}").as_bytes()].concat();
    assert_eq!(judged_by("", &message).outcome.unwrap_err().problem, Problem::NotInCharset);
    assert_eq!(judged_by("charset = \"8859/1\"", &message).patient.unwrap().as_str(), "Jürg");
}

/// The answers to a good or a refused message whose header ends so.
fn answers(header: &str, is_good: bool) -> Vec<String> {
    let rate = heart_rate(if is_good { "|95||||||F" } else { "|x||||||F" });
    let answer = judged_by("", format!("{header}\r{PATIENT}\r{rate}").as_bytes()).answer;
    let text = String::from_utf8(answer).unwrap();
    let frames =
        text.split_terminator("\u{1c}\r").map(|frame| frame.strip_prefix('\u{b}').expect("a start").to_owned());
    frames.collect()
}

#[test]
fn the_answer_goes_back_to_the_sender_with_the_id_of_its_message() {
    assert_eq!(
        answers(HEADER, true),
        ["MSH|^~\\&|VITALS|H|MON|W7|20251026103021.000+0000||ACK^R01^ACK|9|P|2.6\rMSA|AA|77\r"]
    );
    assert_eq!(
        answers(HEADER, false),
        ["MSH|^~\\&|VITALS|H|MON|W7|20251026103021.000+0000||ACK^R01^ACK|9|P|2.6\r\
          MSA|AE|77|OBX[1]-5: not a number\r\
          ERR||OBX^1^5|102^Data type error^HL70357|E||||OBX[1]-5: not a number\r"]
    );
    let message = format!("{HEADER}\r{PATIENT}\r{}", heart_rate("|95||||||F")).replace('^', "*").replace('|', "#");
    let others = String::from_utf8(judged_by("", message.as_bytes()).answer).unwrap();
    assert!(others.starts_with("\u{b}MSH#*~\\&#VITALS#") && others.ends_with("\rMSA#AA#77\r\u{1c}\r"), "{others:?}");
    let nobody = judged_by("", b"hello").answer;
    let expected = "MSH|^~\\&|||||20251026103021.000+0000||ACK|9|P|2.4\rMSA|AR||MSH-2: it does not begin with MSH and its delimiters\r\
        ERR||MSH^1^2|100^Segment sequence error^HL70357|E||||MSH-2: it does not begin with MSH and its delimiters\r";
    assert_eq!(nobody, framed(expected.as_bytes()));
}

#[test]
fn the_header_says_which_answers_are_wanted() {
    let codes = |modes: &str, is_good| -> Vec<String> {
        let code = |text: String| text.split("\rMSA|").nth(1).unwrap()[..2].to_owned();
        answers(&format!("{HEADER}|||{modes}"), is_good).into_iter().map(code).collect()
    };
    for (modes, good, bad) in [
        ("|", &["AA"][..], &["AE"][..]),
        ("AL|NE", &["CA"], &["CE"]),
        ("NE|AL", &["AA"], &["AE"]),
        ("AL|AL", &["CA", "AA"], &["CE", "AE"]),
        ("NE|NE", &[], &[]),
        ("ER|NE", &[], &["CE"]),
        ("SU|ER", &["CA"], &["AE"]),
        ("AL|", &["CA"], &["CE"]),
    ] {
        assert_eq!(
            (codes(modes, true), codes(modes, false)),
            (good.iter().map(ToString::to_string).collect(), bad.iter().map(ToString::to_string).collect()),
            "{modes}"
        );
    }
    let rejected = judged_by("", format!("{}|||AL|NE", HEADER.replace("ORU^R01", "ADT^A01")).as_bytes()).answer;
    assert!(String::from_utf8_lossy(&rejected).contains("\rMSA|CR|77|MSH-9: another message than ORU^R01\r"));
}

#[test]
fn no_text_of_a_refusal_holds_what_the_message_said() {
    let refused = refusal(&heart_rate("|SECRET|SECRET|||||F"));
    assert!(!refused.contains("SECRET"), "{refused}");
}

#[test]
fn no_bytes_of_any_kind_panic_and_every_answer_is_framed() {
    use proptest::prelude::*;
    let whole = format!("{HEADER}|||AL|AL\r{PATIENT}\rPV1||I|ICU^1\rOBR|1\r{}\r", heart_rate("|95|/min|||||F"));
    let sender = Sender::parse("vendor = \"efficia\"\nzone = \"+01:00\"\nsummer_time = \"us\"").unwrap();
    proptest!(ProptestConfig::with_cases(512), |(
        at in 0..whole.len(), byte in any::<u8>(), cut in 0..whole.len(), noise in prop::collection::vec(any::<u8>(), 0..200)
    )| {
        let mut damaged = whole.clone().into_bytes();
        damaged[at] = byte;
        for message in [&damaged[..], &damaged[..cut], &noise] {
            let Judged { answer, .. } = judge(&Frame::Whole(Bytes::copy_from_slice(message)), &sender, received(), 9);
            prop_assert!(answer.is_empty() || (answer.starts_with(b"\x0bMSH") && answer.ends_with(b"\x1c\r")));
        }
    });
}
