mod access;

use std::ffi::OsString;
use std::path::Path;

use clap::{Args as _, FromArgMatches as _};
use tempfile::TempDir;

use super::table::{CHOOSERS, TABLE};
use super::*;
use crate::advice::Advice as _;

fn typed(options: &[&str]) -> Flags {
    let command = Flags::augment_args(clap::Command::new("vitals").no_binary_name(true));
    Flags::from_arg_matches(&command.get_matches_from(options)).unwrap()
}

fn environment(variables: &[(&str, &str)]) -> Environment {
    variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect()
}

/// A settings file in a folder of its own, which is gone when the test ends.
struct Written {
    _folder: TempDir,
    path: String,
}

fn written(text: &str) -> Written {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ward.toml");
    std::fs::write(&path, text).unwrap();
    Written { path: path.to_str().unwrap().to_owned(), _folder: folder }
}

fn from_file(text: &str) -> Result<Settings, SettingsError> {
    let file = written(text);
    resolve(&typed(&["--config", &file.path]), &Environment::default())
}

fn notes(settings: &Settings) -> Vec<&str> {
    settings.notes.iter().map(|note| note.text.as_str()).collect()
}

fn source(settings: &Settings, name: &str) -> String {
    settings.resolved.iter().find(|setting| setting.name == name).unwrap().source.to_string()
}

const FILE: &str = r#"
[kafka]
topic = "from.file"
[profile.ward-a.kafka]
topic = "from.profile"
"#;

#[test]
fn without_any_layer_the_defaults_are_those_of_the_contract() {
    let settings = resolve(&Flags::default(), &Environment::default()).unwrap();
    assert_eq!(settings.brokers.to_string(), "localhost:9093");
    assert_eq!(settings.topic, "patient.vitals");
    assert_eq!(settings.group, "vitals-monitor-consumer-v7");
    assert_eq!(settings.store.to_string(), "cassandra://localhost:9042/hospital");
    assert_eq!(settings.consistency, Consistency::default());
    assert_eq!(settings.limits, Limits::default());
    assert_eq!(settings.alarms_topic.as_deref(), Some("patient.alarms"));
    assert_eq!(settings.wished_retention(), [None; 3]);
    assert_eq!(settings.instance_id, None);
    assert_eq!(settings.session_timeout, Duration::from_secs(10));
}

#[test]
fn the_file_is_above_the_default() {
    let file = written(FILE);
    let settings = resolve(&typed(&["--config", &file.path]), &Environment::default()).unwrap();
    assert_eq!(settings.topic, "from.file");
    assert_eq!(source(&settings, "topic"), format!("file {}", file.path));
}

#[test]
fn the_profile_is_above_the_file() {
    let file = written(FILE);
    let flags = typed(&["--config", &file.path, "--profile", "ward-a"]);
    let settings = resolve(&flags, &Environment::default()).unwrap();
    assert_eq!(settings.topic, "from.profile");
    assert_eq!(source(&settings, "topic"), format!("profile ward-a in {}", file.path));
}

#[test]
fn the_environment_is_above_the_profile() {
    let file = written(FILE);
    let environment = environment(&[
        ("VITALS_CONFIG", &file.path),
        ("VITALS_PROFILE", "ward-a"),
        ("VITALS_TOPIC", "from.environment"),
    ]);
    let settings = resolve(&Flags::default(), &environment).unwrap();
    assert_eq!(settings.topic, "from.environment");
    assert_eq!(source(&settings, "topic"), "environment VITALS_TOPIC");
    assert_eq!(source(&settings, "profile"), "environment VITALS_PROFILE");
}

#[test]
fn the_flag_is_above_the_environment() {
    let environment = environment(&[("VITALS_TOPIC", "from.environment")]);
    let settings = resolve(&typed(&["--topic", "from.flag"]), &environment).unwrap();
    assert_eq!(settings.topic, "from.flag");
    assert_eq!(source(&settings, "topic"), "flag");
}

#[test]
fn a_profile_leaves_what_it_does_not_name_to_the_file() {
    let file = written("group = \"g\"\n[profile.ward-a]\ntopic = \"t\"");
    let flags = typed(&["--config", &file.path, "--profile", "ward-a"]);
    assert_eq!(resolve(&flags, &Environment::default()).unwrap().group, "g");
}

#[test]
fn an_empty_environment_variable_counts_as_not_set() {
    let settings = resolve(&Flags::default(), &environment(&[("VITALS_TOPIC", "")])).unwrap();
    assert_eq!(source(&settings, "topic"), "default");
}

#[test]
fn every_setting_of_the_table_is_resolved_once_and_in_order() {
    let settings = resolve(&Flags::default(), &Environment::default()).unwrap();
    let resolved: Vec<_> = settings.resolved.iter().map(|setting| setting.name).collect();
    let table: Vec<_> = CHOOSERS.iter().chain(&TABLE).map(|spec| spec.name).collect();
    assert_eq!(resolved, table);
}

#[test]
fn every_setting_can_be_given_by_the_file_in_its_own_type() {
    let settings = from_file(
        r#"
        [kafka]
        brokers = ["a:1", "b:2"]
        topic = "t"
        [store]
        store = "cassandra://db/k"
        consistency = "quorum"
        [alarms]
        heart_rate_high = 0x78
        spo2_low = 90
        alarms_topic = "ward.alarms"
        [retention]
        keep_raw = "30d"
        keep_minutes = "400d"
        keep_alerts = "keep"
        [consume]
        group = "g"
        instance_id = "i"
        session_timeout = 12.5
        durability_delay = "16s"
        "#,
    )
    .unwrap();
    assert!(settings.notes.is_empty(), "{:?}", settings.notes);
    assert_eq!(settings.store.to_string(), "cassandra://db:9042/k");
    assert_eq!(settings.durability_delay, DurabilityDelay::Fixed(Duration::from_secs(16)));
    assert_eq!(settings.brokers.to_string(), "a:1,b:2");
    assert_eq!(settings.consistency, Consistency::Quorum);
    assert_eq!(settings.limits, Limits { heart_rate_high: 120, spo2_low: 90 });
    assert_eq!(settings.alarms_topic.as_deref(), Some("ward.alarms"));
    let days = |days: u64| Some(Keep::For(Duration::from_secs(days * 86_400)));
    assert_eq!(settings.wished_retention(), [days(30), days(400), Some(Keep::All)]);
    assert_eq!(settings.instance_id.as_deref(), Some("i"));
    assert_eq!(settings.session_timeout, Duration::from_millis(12_500));
}

#[test]
fn a_setting_is_named_alike_everywhere() {
    for spec in CHOOSERS.iter().chain(&TABLE) {
        assert_eq!(spec.option, format!("--{}", spec.name.replace('_', "-")));
        assert_eq!(spec.variable, format!("VITALS_{}", spec.name.to_ascii_uppercase()));
    }
}

#[test]
fn keys_outside_of_sections_go_on_working_and_are_told_once() {
    let file = written("store = \"sqlite:x.db\"\ngroup = \"g\"\n[alarms]\nspo2_low = 90\n[profile.w]\nsettle_time = 4");
    let settings = resolve(&typed(&["--config", &file.path, "--profile", "w"]), &Environment::default()).unwrap();
    assert_eq!((settings.store.to_string(), settings.group.as_str()), ("sqlite:x.db".to_owned(), "g"));
    assert_eq!(settings.durability_delay, DurabilityDelay::Fixed(Duration::from_secs(4)));
    let told = "group (line 2) under [consume], store (line 1) under [store], \
                settle_time (line 6) as durability_delay under [consume]";
    assert_eq!(notes(&settings), [format!("{}: keys have sections now, and go on working without: {told}", file.path)]);
}

#[test]
fn a_key_in_a_section_of_others_names_its_own_and_one_given_twice_its_second_place() {
    let error = from_file("[kafka]\ngroup = \"g\"").unwrap_err();
    assert!(error.to_string().ends_with("line 2: there is no setting named 'group' in [kafka]"), "{error}");
    assert_eq!(error.hint().as_deref(), Some("group belongs under [consume]"));
    let error = from_file("group = \"g\"\n[consume]\ngroup = \"h\"").unwrap_err();
    assert!(error.to_string().ends_with("line 3: group is there a second time"), "{error}");
    let error = from_file("[profile.w]\nprofile = \"embedded\"").unwrap_err();
    assert!(error.to_string().ends_with("line 2: there is no setting named 'profile'"), "{error}");
    for (text, hint) in [
        ("[kafka]\nsettle_time = 4", "settle_time belongs under [consume]"),
        ("settle-time = 4", "did you mean settle_time?"),
        ("[comsume]\ngroup = \"g\"", "did you mean consume?"),
    ] {
        assert_eq!(from_file(text).unwrap_err().hint().as_deref(), Some(hint));
    }
    assert!(from_file("[consume]\nsettle_time = 1\ndurability_delay = 2").is_err());
    assert!(from_file("kafka = 1").is_err() && from_file("[cassandra]\nstore = \"x\"").is_err());
}

#[test]
fn a_setting_under_its_old_name_goes_on_working_and_is_told() {
    let (none, fixed) = (Environment::default(), DurabilityDelay::Fixed(Duration::ZERO));
    let typed_old = resolve(&typed(&["--settle-time", "0s"]), &none).unwrap();
    assert_eq!(typed_old.durability_delay, fixed);
    assert_eq!(notes(&typed_old), ["--settle-time is --durability-delay now; the old name goes on working"]);
    let exported = resolve(&Flags::default(), &environment(&[("VITALS_SETTLE_TIME", "0")])).unwrap();
    assert_eq!(exported.durability_delay, fixed);
    assert_eq!(source(&exported, "durability_delay"), "environment VITALS_SETTLE_TIME");
    let told = "VITALS_SETTLE_TIME is VITALS_DURABILITY_DELAY now; the old name goes on working";
    assert_eq!(notes(&exported), [told]);
    assert!(exported.notes[0].counts);
    let both = environment(&[("VITALS_SETTLE_TIME", "0"), ("VITALS_DURABILITY_DELAY", "auto")]);
    assert_eq!(resolve(&Flags::default(), &both).unwrap().durability_delay, DurabilityDelay::Auto);
}

#[test]
fn a_value_that_does_not_fit_names_the_setting_its_place_and_the_cure() {
    let error = resolve(&typed(&["--spo2-low", "high"]), &Environment::default()).unwrap_err();
    assert_eq!(error.to_string(), "spo2_low (from flag --spo2-low): 'high' is no limit for spo2");
    assert_eq!(error.hint().as_deref(), Some("use a whole number from 1 to 100"));

    let error = resolve(&Flags::default(), &environment(&[("VITALS_TOPIC", "a/b")])).unwrap_err();
    assert!(error.to_string().starts_with("topic (from environment VITALS_TOPIC): 'a/b' "), "{error}");

    let file = written("\ntopic = \"a/b\"");
    let error = resolve(&typed(&["--config", &file.path]), &Environment::default()).unwrap_err();
    assert!(error.to_string().starts_with(&format!("topic (from file {}, line 2): ", file.path)), "{error}");
}

#[test]
fn a_topic_leaves_room_for_its_dead_letters_in_the_249_characters_of_kafka_s_set() {
    for name in ["a", "A.b_c-9", &"t".repeat(242)] {
        assert!(resolve(&typed(&["--topic", name]), &Environment::default()).is_ok(), "{name}");
    }
    let longest = "t".repeat(245);
    let with =
        |alarms: &str| resolve(&typed(&["--topic", &longest, "--alarms-topic", alarms]), &Environment::default());
    assert!(with("none").is_ok() && with("ward.alarms").is_ok());
    let error = resolve(&typed(&["--topic", &longest]), &Environment::default()).unwrap_err();
    assert!(error.hint().is_some_and(|hint| hint.contains("name a topic of alarms, or none")), "{error}");
    for name in ["", ".", "..", "a b", "ä", &"t".repeat(246), &"t".repeat(250)] {
        assert!(resolve(&typed(&["--topic", name]), &Environment::default()).is_err(), "{name}");
    }
    let error = resolve(&typed(&["--topic", &"t".repeat(246)]), &Environment::default()).unwrap_err();
    assert!(error.hint().is_some_and(|hint| hint.contains("at most 245 characters")), "{error}");
}

#[test]
fn the_topic_of_alarms_that_nobody_named_is_not_that_of_another_topic_of_readings() {
    let own = |words: &[&str]| {
        let settings = resolve(&typed(words), &Environment::default()).unwrap();
        settings.own_alarms_topic().map(str::to_owned)
    };
    assert_eq!(own(&[]).as_deref(), Some("patient.alarms"));
    assert_eq!(own(&["--topic", "patient.vitals"]).as_deref(), Some("patient.alarms"));
    assert_eq!(own(&["--topic", "test.vitals"]).as_deref(), Some("test.vitals.alarms"));
    assert_eq!(own(&["--topic", "test.vitals", "--alarms-topic", "test.alarms"]).as_deref(), Some("test.alarms"));
    assert_eq!(own(&["--topic", "test.vitals", "--alarms-topic", "patient.alarms"]), None, "others announce there");
}

#[test]
fn several_topics_of_readings_have_a_topic_of_alarms_each_and_it_is_shown() {
    let resolved = |words: &[&str]| resolve(&typed(words), &Environment::default()).unwrap();
    let ward = resolved(&["--topic", "ward.vitals"]);
    assert_eq!(ward.alarms_topic.as_deref(), Some("ward.vitals.alarms"));
    let shown = ward.resolved("alarms_topic").unwrap();
    assert_eq!((shown.value.as_deref(), &shown.source), (Some("ward.vitals.alarms"), &Source::Default));
    assert_eq!(resolved(&["--topic", "ward.vitals", "--alarms-topic", "none"]).alarms_topic, None);
}

#[test]
fn alarms_have_a_topic_of_their_own_or_none() {
    let chosen = |words: &[&str]| resolve(&typed(words), &Environment::default()).map(|found| found.alarms_topic);
    for off in ["none", ""] {
        assert_eq!(chosen(&["--alarms-topic", off]).unwrap(), None, "{off:?}");
    }
    assert_eq!(from_file("[alarms]\nalarms_topic = \"\"").unwrap().alarms_topic, None);
    let shown = resolve(&typed(&["--alarms-topic", ""]), &Environment::default()).unwrap();
    assert_eq!(shown.resolved("alarms_topic").unwrap().value.as_deref(), Some("none"));
    for wrong in ["a b", "patient.vitals", "patient.vitals.dlq"] {
        let error = chosen(&["--alarms-topic", wrong]).unwrap_err();
        assert!(error.to_string().starts_with("alarms_topic (from flag --alarms-topic): "), "{error}");
    }
    let error = chosen(&["--topic", "patient.alarms"]).unwrap_err();
    assert!(error.hint().is_some_and(|hint| hint.contains("a topic of their own, or none")), "{error}");
}

#[test]
fn a_consistency_level_that_stores_nothing_is_refused() {
    for level in ["ANY", "any", "SERIAL", "most"] {
        assert!(resolve(&typed(&["--consistency", level]), &Environment::default()).is_err(), "{level}");
    }
}

#[test]
fn a_session_time_out_lies_within_what_brokers_can_take() {
    for time in ["999ms", "31m", "0"] {
        assert!(resolve(&typed(&["--session-timeout", time]), &Environment::default()).is_err(), "{time}");
    }
}

#[test]
fn an_unknown_key_names_file_line_and_the_nearest_name() {
    let error = from_file("group = \"g\"\ntopik = \"t\"").unwrap_err();
    assert!(error.to_string().ends_with("ward.toml, line 2: there is no setting named 'topik'"), "{error}");
    assert_eq!(error.hint().as_deref(), Some("did you mean topic?"));
}

#[test]
fn an_unknown_key_of_a_profile_that_is_not_chosen_is_an_error_too() {
    let error = from_file("[profile.ward-b]\nbroker = \"a:1\"").unwrap_err();
    assert_eq!(error.hint().as_deref(), Some("did you mean brokers?"));
}

#[test]
fn a_value_of_the_wrong_type_names_file_line_key_and_the_right_type() {
    let error = from_file("\n\nheart_rate_high = \"110\"").unwrap_err();
    assert!(error.to_string().ends_with("ward.toml, line 3: heart_rate_high is text"), "{error}");
    assert_eq!(error.hint().as_deref(), Some("it has to be a whole number, without quotes"));
    assert!(from_file("topic = 7").is_err());
    assert!(from_file("brokers = [1]").is_err());
    assert!(from_file("profile = \"ward-a\"").is_err());
    assert!(from_file("[profile]\nward-a = 1").is_err());
}

#[test]
fn a_file_that_is_not_toml_names_the_line() {
    let error = from_file("topic = \"t\"\ngroup =").unwrap_err();
    assert!(error.to_string().contains("ward.toml, line 2: "), "{error}");
}

#[test]
fn a_named_file_has_to_be_there() {
    let error = resolve(&typed(&["--config", "/nowhere/vitals.toml"]), &Environment::default()).unwrap_err();
    assert_eq!(error.to_string(), "cannot read the settings file /nowhere/vitals.toml");
}

#[test]
fn the_file_in_the_configuration_folder_is_found() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("vitals")).unwrap();
    std::fs::write(folder.path().join("vitals/vitals.toml"), "topic = \"found\"").unwrap();
    let environment = environment(&[("XDG_CONFIG_HOME", folder.path().to_str().unwrap())]);
    assert_eq!(resolve(&Flags::default(), &environment).unwrap().topic, "found");
}

#[test]
fn an_unknown_profile_lists_those_there_are() {
    let file = written("[profile.ward-a]\n[profile.ward-b]");
    let flags = typed(&["--config", &file.path, "--profile", "ward-c"]);
    let error = resolve(&flags, &Environment::default()).unwrap_err();
    assert_eq!(error.to_string(), "there is no profile named 'ward-c'");
    assert_eq!(error.hint().unwrap(), "did you mean ward-a? `vitals profile list` shows all");
}

#[test]
fn a_profile_that_is_not_there_is_told_with_those_that_are() {
    assert!(!Path::new("vitals.toml").exists());
    let error = resolve(&typed(&["--profile", "ward-a"]), &Environment::default()).unwrap_err();
    assert!(error.hint().unwrap().starts_with("there are: embedded; a new one is a table [profile.NAME]"));
}

#[test]
fn a_choice_that_only_cassandra_knows_is_noted_for_a_file() {
    let notes = |words: &[&str]| resolve(&typed(words), &Environment::default()).unwrap().notes;
    assert_eq!(notes(&["--store", "sqlite:x.db", "--consistency", "ONE"]).len(), 1);
    assert!(notes(&["--store", "sqlite:x.db"]).is_empty() && notes(&["--consistency", "ONE"]).is_empty());
}

#[test]
fn no_color_speaks_where_nobody_chose() {
    let color =
        |flags: &[&str], variables: &[(&str, &str)]| resolve(&typed(flags), &environment(variables)).unwrap().color;
    assert_eq!(color(&[], &[]), Color::Auto);
    assert_eq!(color(&[], &[("NO_COLOR", "1")]), Color::Never);
    assert_eq!(color(&[], &[("NO_COLOR", "")]), Color::Auto);
    assert_eq!(color(&["--color", "always"], &[("NO_COLOR", "1")]), Color::Always);
}

#[test]
fn a_misspelt_environment_variable_is_noted_and_those_of_tests_are_not() {
    let environment = environment(&[("VITALS_BROKER", "a:1"), ("VITALS_TEST_PORT", "1"), ("VITALSX", "1")]);
    let settings = resolve(&Flags::default(), &environment).unwrap();
    assert_eq!(
        notes(&settings),
        ["the environment has VITALS_BROKER, which is no setting; did you mean VITALS_BROKERS?"]
    );
}

#[cfg(unix)]
#[test]
fn an_environment_variable_that_is_not_utf8_is_named() {
    use std::os::unix::ffi::OsStringExt as _;

    let pair = (OsString::from("VITALS_TOPIC"), OsString::from_vec(vec![0xff]));
    let error = resolve(&Flags::default(), &[pair].into_iter().collect()).unwrap_err();
    assert_eq!(error.to_string(), r#"topic (from environment VITALS_TOPIC) is not UTF-8: "\xFF""#);
}

#[cfg(unix)]
#[test]
fn a_path_is_taken_as_the_system_gives_it() {
    use std::os::unix::ffi::OsStringExt as _;

    let os = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
    let data = |variables: &[(&str, OsString)]| {
        let environment = variables.iter().map(|(name, value)| (OsString::from(name), value.clone())).collect();
        resolve(&typed(&["--profile", "embedded"]), &environment).unwrap()
    };
    let settings = data(&[("XDG_DATA_HOME", os(b"/d\xff"))]);
    let StoreAddress::Sqlite { path } = &settings.store else { panic!("a file") };
    assert_eq!(path.as_os_str(), os(b"/d\xff/vitals/vitals.db"));
    assert_eq!(path.parent(), settings.data_folder.as_deref());
    let words = ["--store", "x", "--config"].map(OsString::from).into_iter().chain([os(b"c\xff")]);
    let among = Flags::among(words.chain([os(b"--store=sqlite:\xff")]));
    assert_eq!(among.get(&table::CONFIG.spec), Some(os(b"c\xff").as_os_str()));
    assert_eq!(among.get(&table::STORE.spec), Some(os(b"sqlite:\xff").as_os_str()));
}

#[test]
fn the_profile_embedded_needs_no_file() {
    let environment = environment(&[("XDG_DATA_HOME", "/data")]);
    let settings = resolve(&typed(&["--profile", "embedded"]), &environment).unwrap();
    assert_eq!(settings.brokers.to_string(), EMBEDDED_ADDRESS);
    assert_eq!(settings.store.to_string(), "sqlite:/data/vitals/vitals.db");
    assert_eq!(source(&settings, "store"), "profile embedded (built in)");
    assert_eq!(source(&settings, "topic"), "default");
    assert!(settings.is_embedded() && !settings.has_default_brokers());
}

#[test]
fn a_table_of_the_file_overrides_single_keys_of_the_profile_embedded() {
    let file = written("brokers = \"kafka:9093\"\n[profile.embedded]\nbrokers = \"127.0.0.1:9193\"");
    let environment = environment(&[("HOME", "/users/ada")]);
    let settings = resolve(&typed(&["--config", &file.path, "--profile", "embedded"]), &environment).unwrap();
    assert_eq!(settings.brokers.to_string(), "127.0.0.1:9193");
    assert_eq!(settings.store.to_string(), "sqlite:/users/ada/.local/share/vitals/vitals.db");
}

#[test]
fn the_profile_embedded_is_above_the_file_and_below_the_environment() {
    let file = written("brokers = \"kafka:9093\"\nstore = \"cassandra://db/k\"");
    let environment = environment(&[("HOME", "/users/ada"), ("VITALS_STORE", "cassandra://other/k")]);
    let settings = resolve(&typed(&["--config", &file.path, "--profile", "embedded"]), &environment).unwrap();
    assert_eq!(settings.brokers.to_string(), EMBEDDED_ADDRESS);
    assert_eq!(settings.store.to_string(), "cassandra://other:9042/k");
}

#[test]
fn the_profile_embedded_without_a_folder_for_data_says_what_to_give() {
    let error = resolve(&typed(&["--profile", "embedded"]), &Environment::default()).unwrap_err();
    assert_eq!(error.hint().as_deref(), Some("set HOME, or give --store sqlite:PATH"));
    let stored = typed(&["--profile", "embedded", "--store", "cassandra://db/k"]);
    assert!(resolve(&stored, &Environment::default()).is_ok());
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(128))]

    #[test]
    fn no_settings_file_panics(
        text in "([a-z_]{1,20} = [\\[\\]\"'a-z0-9.,_-]{0,20}\n|\\[[a-z.\"-]{0,20}\\]\n|[^\u{0}]{0,10}){0,8}",
        at in 0..FILE.len(),
        byte in 0_u8..128,
    ) {
        let _ = super::file::File::parse(Path::new("vitals.toml"), &text);
        let mut damaged = FILE.as_bytes().to_vec();
        damaged[at] = byte;
        let damaged = String::from_utf8(damaged).expect("ASCII");
        let _ = super::file::File::parse(Path::new("vitals.toml"), &damaged);
    }

    #[test]
    fn no_value_of_any_setting_panics(value in "[^\u{0}]{0,30}|[0-9.:,a-z/@-]{0,30}|(cassandra|sqlite)://?[^\u{0}]{0,20}") {
        // Each of them alone: the first that does not fit ends the rest.
        for spec in TABLE {
            let _ = resolve(&Flags::default(), &environment(&[(spec.variable, &value)]));
        }
    }
}
