//! The contract of the message, and properties that hold for any input.

use proptest::prelude::*;

use super::*;

const FULL: &str = r#"{"patient_id": "P001", "timestamp": "2025-10-26T10:30:15.123456+00:00", "heart_rate": 95, "spo2": 98, "blood_pressure": {"systolic": 120, "diastolic": 80}, "respiratory_rate": 16, "temperature": 36.8}"#;

fn accepted(message: &str) -> Reading {
    decode(message.as_bytes()).unwrap_or_else(|reject| panic!("{message}: {reject}"))
}

fn code(message: impl AsRef<[u8]>) -> &'static str {
    decode(message.as_ref()).expect_err("refused").code()
}

fn with_sign(sign: &str) -> String {
    format!(r#"{{"patient_id":"P1","timestamp":"2025-10-26T10:30:15Z",{sign}}}"#)
}

fn heart_rate(rate: i32) -> Signs {
    Signs { heart_rate: Some(rate), ..Signs::default() }
}

fn at(time: &str) -> String {
    format!(r#"{{"patient_id":"P1","timestamp":"{time}","spo2":98}}"#)
}

#[test]
fn a_message_of_the_old_producer_is_read_whole() {
    let reading = accepted(FULL);
    assert_eq!(reading.patient().as_str(), "P001");
    assert_eq!(reading.time().to_string(), "2025-10-26T10:30:15.123456+00:00");
    let signs = Signs {
        heart_rate: Some(95),
        spo2: Some(98),
        systolic: Some(120),
        diastolic: Some(80),
        respiratory_rate: Some(16),
        temperature: Some(36.8),
        ..Signs::default()
    };
    assert_eq!(*reading.signs(), signs);
}

#[test]
fn our_message_has_the_keys_and_the_order_of_the_contract() {
    let ours = String::from_utf8(encode(&accepted(FULL))).expect("text");
    assert_eq!(ours, FULL.replace(": ", ":").replace(", ", ","));
}

#[test]
fn a_missing_or_null_sign_and_half_a_blood_pressure_are_normal_and_values_are_taken_as_sent() {
    for (sent, signs) in [
        (
            r#""heart_rate":null,"blood_pressure":null,"temperature":null,"spo2":97"#,
            Signs { spo2: Some(97), ..Signs::default() },
        ),
        (r#""blood_pressure":{"systolic":120}"#, Signs { systolic: Some(120), ..Signs::default() }),
        (r#""heart_rate":95.0"#, heart_rate(95)),
        (r#""heart_rate":9.5e1"#, heart_rate(95)),
        (r#""heart_rate":0"#, heart_rate(0)),
        (r#""heart_rate":-5"#, heart_rate(-5)),
        (r#""heart_rate":0e999999999999"#, heart_rate(0)),
    ] {
        assert_eq!(*accepted(&with_sign(sent)).signs(), signs, "{sent}");
    }
}

#[test]
fn a_sign_of_a_wrong_type_or_that_does_not_fit_is_refused() {
    for sign in [r#""heart_rate":"95""#, r#""heart_rate":95.5"#, r#""spo2":true"#, r#""temperature":"36.8""#] {
        assert_eq!(code(with_sign(sign)), "sign_type", "{sign}");
    }
    for sign in [r#""heart_rate":2147483648"#, r#""spo2":1e999"#, r#""temperature":1e39"#, r#""temperature":-1e999"#] {
        assert_eq!(code(with_sign(sign)), "sign_range", "{sign}");
    }
    assert_eq!(code(with_sign(r#""blood_pressure":{"systolic":[120]}"#)), "sign_type");
    assert_eq!(code(with_sign(r#""blood_pressure":120"#)), "blood_pressure");
}

fn observed(supplemental_oxygen: Option<bool>, consciousness: Option<Consciousness>) -> Signs {
    Signs { observed: Observed { supplemental_oxygen, consciousness }, ..Signs::default() }
}

#[test]
fn an_observation_is_true_or_false_or_a_letter_and_says_something_without_a_sign() {
    for (sent, is_given) in [("true", true), ("false", false)] {
        let message = with_sign(&format!(r#""supplemental_oxygen":{sent}"#));
        assert_eq!(*accepted(&message).signs(), observed(Some(is_given), None));
        assert_eq!(String::from_utf8(encode(&accepted(&message))).expect("text"), message.replace("15Z", "15+00:00"));
    }
    for state in Consciousness::ALL {
        let message = with_sign(&format!(r#""consciousness":"{}""#, state.name()));
        assert_eq!(*accepted(&message).signs(), observed(None, Some(state)));
        assert_eq!(String::from_utf8(encode(&accepted(&message))).expect("text"), message.replace("15Z", "15+00:00"));
    }
    assert_eq!(
        *accepted(&with_sign(r#""consciousness":"\u0056""#)).signs(),
        observed(None, Some(Consciousness::Voice)),
        "however it is written"
    );
    let nothing = r#""spo2":97,"supplemental_oxygen":null,"consciousness":null"#;
    assert_eq!(*accepted(&with_sign(nothing)).signs(), Signs { spo2: Some(97), ..Signs::default() });
    assert_eq!(code(with_sign(r#""supplemental_oxygen":null,"consciousness":null"#)), "no_sign");
}

#[test]
fn an_observation_of_a_wrong_type_or_that_is_no_letter_is_refused_with_all_of_its_message() {
    for (sent, refused) in [
        (r#""supplemental_oxygen":"true""#, "sign_type"),
        (r#""supplemental_oxygen":1"#, "sign_type"),
        (r#""supplemental_oxygen":{}"#, "sign_type"),
        (r#""consciousness":true"#, "sign_type"),
        (r#""consciousness":["A"]"#, "sign_type"),
        (r#""consciousness":15"#, "sign_type"),
        (r#""consciousness":"a""#, "sign_range"),
        (r#""consciousness":"""#, "sign_range"),
        (r#""consciousness":" A""#, "sign_range"),
        (r#""consciousness":"AV""#, "sign_range"),
        (r#""consciousness":"Alert""#, "sign_range"),
        (r#""consciousness":"A","consciousness":"A""#, "duplicate_key"),
        (r#""supplemental_oxygen":true,"supplemental_oxygen":null"#, "duplicate_key"),
    ] {
        assert_eq!(code(with_sign(&format!(r#""spo2":98,{sent}"#))), refused, "{sent}");
    }
    let elsewhere =
        r#""spo2":98,"blood_pressure":{"consciousness":7},"Consciousness":"x","x":{"supplemental_oxygen":1}"#;
    assert_eq!(*accepted(&with_sign(elsewhere)).signs(), Signs { spo2: Some(98), ..Signs::default() }, "not ours");
}

#[test]
fn whether_a_number_is_whole_and_fits_is_decided_on_its_digits() {
    for (number, refused) in [
        ("2.0e-400", "sign_type"),
        ("94.99999999999999999", "sign_type"),
        ("2147483647.0000000001", "sign_type"),
        ("1e99999999999999999999", "sign_range"),
    ] {
        for sign in Sign::ALL.into_iter().filter(|sign| *sign != Sign::Temperature) {
            let member = format!(r#""{sign}":{number}"#);
            let member = if sign.is_pressure() { format!(r#""blood_pressure":{{{member}}}"#) } else { member };
            assert_eq!(code(with_sign(&member)), refused, "{member}");
        }
    }
    assert_eq!(code(with_sign(r#""temperature":1e-50"#)), "sign_range");
}

#[test]
fn malformed_messages_have_a_stable_code() {
    assert_eq!(code(b"\xff\xfe{}"), "not_utf8");
    assert_eq!(code(""), "not_json");
    assert_eq!(code("{\"patient_id\":"), "not_json");
    assert_eq!(code(format!("{FULL} x")), "not_json");
    assert_eq!(code("[1,2"), "not_json");
    assert_eq!(code(with_sign(r#""temperature":NaN"#)), "not_json");
    assert_eq!(code("[1,2]"), "not_an_object");
    assert_eq!(code("null"), "not_an_object");
    assert_eq!(code(with_sign(r#""blood_pressure":{"systolic":"#)), "not_json");
    assert_eq!(code(with_sign(r#""note":1"#)), "no_sign");
    assert_eq!(code(" ".repeat(MAX_MESSAGE_BYTES + 1)), "too_large");
}

#[test]
fn what_a_message_begins_with_is_named_where_it_is_no_json() {
    let told = |message: &[u8]| {
        let reject = decode(message).expect_err("refused");
        (reject.code(), reject.to_string())
    };
    let (code, text) = told(format!("\u{feff}{FULL}").as_bytes());
    assert!(code == "not_json" && text.contains("byte order mark"), "{code}: {text}");
    let (little, big): (Vec<u8>, Vec<u8>) = (
        FULL.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        FULL.encode_utf16().flat_map(u16::to_be_bytes).collect(),
    );
    for message in [&[b"\xff\xfe", &little[..]].concat(), &[b"\xfe\xff", &big[..]].concat(), &little, &big] {
        let (code, text) = told(message);
        assert!(code == "not_utf8" && text.contains("UTF-16"), "{code}: {text}");
    }
}

#[test]
fn nesting_is_limited_and_never_overflows_the_stack() {
    let nested = |levels: usize| with_sign(&format!(r#""spo2":98,"x":{}{}"#, "[".repeat(levels), "]".repeat(levels)));
    assert!(decode(nested(MAX_DEPTH - 1).as_bytes()).is_ok());
    assert_eq!(code(nested(MAX_DEPTH)), "too_deep");
    assert_eq!(code(nested(10_000)), "too_deep");
}

#[test]
fn a_key_named_twice_is_refused_at_every_level() {
    assert_eq!(code(with_sign(r#""spo2":98,"spo2":98"#)), "duplicate_key");
    assert_eq!(code(with_sign(r#""spo2":null,"spo2":98"#)), "duplicate_key");
    assert_eq!(code(with_sign(r#""spo2":98,"\u0073po2":97"#)), "duplicate_key");
    assert_eq!(code(with_sign(r#""spo2":98,"x":{"y":[{"z":1,"z":2}]}"#)), "duplicate_key");
    assert_eq!(code(with_sign(r#""blood_pressure":{"systolic":1,"systolic":1}"#)), "duplicate_key");
    let many: Vec<_> = (0..40).map(|key| format!(r#""k{key}":1,"#)).collect();
    let many = many.concat();
    assert_eq!(code(with_sign(&format!(r#"{many}"spo2":98,"k7":2"#))), "duplicate_key");
    assert!(decode(with_sign(&format!(r#"{many}"spo2":98"#)).as_bytes()).is_ok());
}

#[test]
fn a_patient_id_has_1_to_64_bytes_and_no_control_characters() {
    let of = |id: &str| format!(r#"{{"patient_id":{id},"timestamp":"2025-10-26T10:30:15Z","spo2":98}}"#);
    for id in ["\"\"", "null", "7", "\"a\\nb\"", "\"\\u0000\"", "\"\\u0085\"", "\"\\ud800\""] {
        assert_eq!(code(of(id)), "patient_id", "{id}");
    }
    assert_eq!(code(of(&format!("\"{}\"", "x".repeat(65)))), "patient_id");
    assert_eq!(code(of(&format!("\"{}\"", "é".repeat(33)))), "patient_id");
    assert!(decode(of(&format!("\"{}\"", "é".repeat(32))).as_bytes()).is_ok());
    assert_eq!(accepted(&of("\"\\u00e9\"")).patient().as_str(), "é");
}

#[test]
fn a_time_needs_an_offset_and_a_year_that_python_has() {
    for time in
        ["2025-10-26T10:30:15", "2025-10-26", "10:30", "2025-13-01T00:00:00Z", "9999-12-31T23:59:59-01:00", "x", ""]
    {
        assert_eq!(code(at(time)), "timestamp", "{time}");
    }
    assert_eq!(code(at("0001-01-01T00:00:00+01:00")), "timestamp");
}

#[test]
fn a_time_that_no_clock_shows_is_refused() {
    let times = "2025-10-26T10:30:60Z|2025-10-26T23:58:60Z|2016-12-31T23:59:60+01:00|2016-12-31T23:59:61Z|\
                 9999-12-31T23:59:60Z|2025-10-26T24:00:00Z|2025-02-29T10:30:15Z|0000-10-26T10:30:15Z|\
                 -2025-10-26T10:30:15Z|+2025-10-26T10:30:15Z|12025-10-26T10:30:15Z|2025-10-26T10:30:15+24:00|\
                 2025-10-26T10:30:15-23:60|2025-10-26T10:30:15+0200|2025-10-26T10:30:15+02|\
                 2025-10-26T10:30:15\u{2212}02:00|2025-10-26T10:30:15.Z|2025-10-26T10:30:15,5Z|2025-10-26T10:30Z|\
                 2025-10-26T1:30:15Z|2025-10-26  10:30:15Z|2025-10-26T10:30:15 Z| 2025-10-26T10:30:15Z|\
                 2025-10-26T10:30:15Z |20251026T103015Z";
    for time in times.split('|') {
        assert_eq!(code(at(time)), "timestamp", "{time}");
    }
}

#[test]
fn a_time_is_kept_as_python_prints_it() {
    for (sent, kept) in [
        ("2025-10-26T10:30:15Z", "2025-10-26T10:30:15+00:00"),
        ("2025-10-26T12:30:15.5+02:00", "2025-10-26T10:30:15.500000+00:00"),
        ("2025-10-26T10:30:15.123456789Z", "2025-10-26T10:30:15.123456+00:00"),
        ("2025-10-26T10:30:15.0000009Z", "2025-10-26T10:30:15+00:00"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00+00:00"),
        ("2016-12-31T23:59:60.25Z", "2017-01-01T00:00:00.250000+00:00"),
        ("2017-01-01T05:29:60+05:30", "2017-01-01T00:00:00+00:00"),
        ("2016-12-31T15:59:60-08:00", "2017-01-01T00:00:00+00:00"),
        ("2025-10-26 10:30:15+00:00", "2025-10-26T10:30:15+00:00"),
        ("2025-10-26t10:30:15z", "2025-10-26T10:30:15+00:00"),
        ("2025-10-26T10:30:15-00:00", "2025-10-26T10:30:15+00:00"),
        ("2025-10-27T10:29:15+23:59", "2025-10-26T10:30:15+00:00"),
        ("1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999+00:00"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59+00:00"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+00:00"),
    ] {
        assert_eq!(accepted(&at(sent)).time().to_string(), kept, "{sent}");
    }
}

#[test]
fn a_reason_never_shows_what_the_message_said() {
    for message in [with_sign(r#""heart_rate":"SECRET""#), at("SECRET"), "{\"SECRET\":".to_owned()] {
        let reject = decode(message.as_bytes()).expect_err("refused");
        assert!(!format!("{reject} {reject:?}").contains("SECRET"));
    }
}

#[test]
fn overlay_takes_the_later_sign_and_keeps_what_it_lacks() {
    let mut first = accepted(&with_sign(r#""spo2":98,"heart_rate":80"#));
    first.overlay(&accepted(&with_sign(r#""spo2":91,"temperature":37.0"#)));
    let signs = Signs { heart_rate: Some(80), spo2: Some(91), temperature: Some(37.0), ..Signs::default() };
    assert_eq!(*first.signs(), signs);
    first.overlay(&accepted(&with_sign(r#""consciousness":"V","supplemental_oxygen":true"#)));
    first.overlay(&accepted(&with_sign(r#""supplemental_oxygen":false"#)));
    let later = observed(Some(false), Some(Consciousness::Voice)).observed;
    assert_eq!(*first.signs(), Signs { observed: later, ..signs });
}

fn decimal_text(number: f32) -> String {
    Number::Decimal(number).to_string()
}

#[test]
fn a_decimal_comes_back_to_the_bit() {
    let bits = (0..2000_u32).map(|step| step.wrapping_mul(2_147_483));
    let odd = [0.0, -0.0, 36.8, 37.0, 1e-45, f32::MAX, f32::MIN];
    for number in bits.map(f32::from_bits).filter(|number| number.is_finite()).chain(odd) {
        assert_eq!(number::decimal(&decimal_text(number)).map(f32::to_bits), Ok(number.to_bits()), "{number:?}");
    }
}

#[test]
fn a_decimal_is_as_short_as_it_was_sent_and_what_is_none_has_a_name() {
    assert_eq!([36.8, 37.0, -0.5].map(decimal_text), ["36.8", "37.0", "-0.5"]);
    let names = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY].map(decimal_text);
    assert_eq!(names, ["NaN", "Infinity", "-Infinity"]);
}

fn any_observed() -> impl Strategy<Value = Observed> {
    let consciousness = proptest::option::of(proptest::sample::select(Consciousness::ALL.to_vec()));
    (proptest::option::of(any::<bool>()), consciousness)
        .prop_map(|(supplemental_oxygen, consciousness)| Observed { supplemental_oxygen, consciousness })
}

fn any_signs() -> impl Strategy<Value = Signs> {
    let whole = proptest::array::uniform5(proptest::option::of(any::<i32>()));
    let finite = proptest::option::of(any::<f32>().prop_filter("finite", |degrees| degrees.is_finite()));
    (whole, finite, any_observed()).prop_map(
        |([heart_rate, spo2, systolic, diastolic, respiratory_rate], temperature, observed)| Signs {
            heart_rate,
            spo2,
            systolic,
            diastolic,
            respiratory_rate,
            temperature,
            observed,
        },
    )
}

fn any_reading() -> impl Strategy<Value = Reading> {
    let micros = -62_135_596_800_000_000_i64..=253_402_300_799_999_999;
    ("[^\\p{Cc}]{1,16}", micros, any_signs()).prop_filter_map("a reading", |(id, micros, signs)| {
        let time = Timestamp::from_utc(chrono::DateTime::from_timestamp_micros(micros)?).ok()?;
        Reading::new(PatientId::parse(&id).ok()?, time, signs).ok()
    })
}

proptest! {
    #[test]
    fn decoding_gives_back_what_was_encoded(reading in any_reading()) {
        prop_assert_eq!(decode(&encode(&reading)), Ok(reading));
    }

    #[test]
    fn times_sort_as_their_texts_do(one in any_reading(), other in any_reading()) {
        let texts = one.time().to_string().cmp(&other.time().to_string());
        prop_assert_eq!(texts, one.time().cmp(&other.time()));
    }

    #[test]
    fn no_bytes_panic(message in proptest::collection::vec(any::<u8>(), 0..512)) {
        let _ = decode(&message);
    }

    #[test]
    fn no_text_that_looks_like_json_panics(message in "[\\[\\]{}\":,0-9a-z\\\\.eE+ -]{0,256}") {
        let _ = decode(message.as_bytes());
    }

    #[test]
    fn no_damaged_message_panics(at in 0..FULL.len(), byte in any::<u8>(), cut in 0..FULL.len()) {
        let mut message = FULL.as_bytes().to_vec();
        message[at] = byte;
        let _ = decode(&message);
        let _ = decode(&message[..cut]);
    }
}
