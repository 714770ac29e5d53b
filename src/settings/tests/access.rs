//! How brokers are spoken with: TLS, and a user with a password.

use super::*;
use crate::kafka::login::Mechanism;
use crate::secret::Secret;
use crate::tls::TlsFiles;

#[test]
fn brokers_are_spoken_with_inside_tls_and_by_a_user_where_the_settings_say_so() {
    let access = |options: &[&str], variables: &[(&str, &str)]| {
        resolve(&typed(options), &environment(variables)).map(|settings| settings.broker_access)
    };
    assert_eq!(access(&[], &[]).unwrap(), BrokerAccess::default());
    assert_eq!(access(&["--broker-tls", "yes"], &[]).unwrap().tls, Some(TlsFiles::default()));
    let ca = access(&["--broker-ca", "ca.pem"], &[]).unwrap();
    assert_eq!(ca.tls.unwrap().authorities.as_deref(), Some(Path::new("ca.pem")), "a file switches it on");
    let login = |options: &[&str], variables: &[(&str, &str)]| access(options, variables).unwrap().login.unwrap();
    let ward = ["--broker-user", "ward"];
    assert_eq!(login(&ward, &[]).password, PasswordFrom::Nowhere);
    let variable = [("VITALS_BROKER_PASSWORD", "pencil")];
    assert_eq!(login(&ward, &variable).password, PasswordFrom::Environment(Secret::new("pencil")));
    let file = ["--broker-user", "ward", "--broker-password-file", "p"];
    assert_eq!(login(&file, &variable).password, PasswordFrom::File("p".into()), "an option is above it");
    let of_file = written("[kafka]\nbroker_user = \"ward\"\nbroker_password_file = \"p\"\n");
    let config = ["--config", of_file.path.as_str()];
    assert_eq!(login(&config, &[]).password, PasswordFrom::File("p".into()));
    assert_eq!(
        login(&config, &variable).password,
        PasswordFrom::Environment(Secret::new("pencil")),
        "a file is below it"
    );
    let plain = ["--broker-user", "ward", "--broker-mechanism", "plain"];
    assert!(access(&plain, &[]).unwrap_err().to_string().contains("sends the password as it is"));
    assert_eq!(login(&[&plain[..], &["--broker-tls", "yes"]].concat(), &[]).mechanism, Mechanism::Plain);
}

#[test]
fn the_broker_of_vitals_up_is_spoken_with_in_the_clear_whatever_is_said_of_others() {
    let text = "[kafka]\nbroker_tls = true\nbroker_user = \"ward\"\n[profile.embedded.kafka]\nbroker_key = \"k\"\n";
    let file = written(text);
    let of = |options: &[&str]| {
        let flags = typed(&[&["--config", &file.path], options].concat());
        resolve(&flags, &environment(&[("HOME", "/ward")])).unwrap().broker_access
    };
    assert!(of(&[]).tls.is_some() && of(&[]).login.is_some());
    assert_eq!(of(&["--profile", "embedded"]), BrokerAccess::default());
    assert!(of(&["--profile", "embedded", "--broker-cert", "c"]).login.is_some(), "who types it wants it");
    assert!(of(&["--profile", "embedded", "--brokers", "kafka-1:9093", "--broker-cert", "c"]).login.is_some());
}

#[test]
fn a_password_of_the_environment_is_shown_nowhere() {
    let variables = environment(&[("VITALS_BROKER_PASSWORD", "pencil"), ("VITALS_BROKER_USER", "ward")]);
    let settings = resolve(&Flags::default(), &variables).unwrap();
    let shown = format!("{settings:?} {variables:?}");
    assert!(!shown.contains("pencil") && shown.contains("VITALS_BROKER_PASSWORD"), "{shown}");
    assert_eq!(notes(&settings), [""; 0], "it is no stray");
}
