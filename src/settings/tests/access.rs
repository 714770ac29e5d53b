//! How servers are spoken with: TLS, and a user with a password.

use super::*;
use crate::kafka::login::Mechanism;
use crate::secret::Secret;
use crate::tls::TlsFiles;

#[test]
fn brokers_are_spoken_with_inside_tls_and_by_a_user_where_the_settings_say_so() {
    let access = |options: &[&str], variables: &[(&str, &str)]| {
        resolve(&typed(options), &environment(variables)).map(|settings| settings.broker_access)
    };
    assert_eq!(access(&[], &[]).unwrap(), ServerAccess::default());
    assert_eq!(access(&["--broker-tls", "yes"], &[]).unwrap().tls, Some(TlsFiles::default()));
    let ca = access(&["--broker-ca", "ca.pem"], &[]).unwrap();
    assert_eq!(ca.tls.unwrap().authorities.as_deref(), Some(Path::new("ca.pem")), "a file switches it on");
    let login = |options: &[&str], variables: &[(&str, &str)]| access(options, variables).unwrap().login.unwrap();
    let ward = ["--broker-user", "ward"];
    assert_eq!(login(&ward, &[]).source, PasswordFrom::Nowhere);
    let variable = [("VITALS_BROKER_PASSWORD", "pencil")];
    assert_eq!(login(&ward, &variable).source, PasswordFrom::Known(Secret::new("pencil")));
    let file = ["--broker-user", "ward", "--broker-password-file", "p"];
    assert_eq!(login(&file, &variable).source, PasswordFrom::File("p".into()), "an option is above it");
    let of_file = written("[kafka]\nbroker_user = \"ward\"\nbroker_password_file = \"p\"\n");
    let config = ["--config", of_file.path.as_str()];
    assert_eq!(login(&config, &[]).source, PasswordFrom::File("p".into()));
    assert_eq!(login(&config, &variable).source, PasswordFrom::Known(Secret::new("pencil")), "a file is below it");
    let plain = ["--broker-user", "ward", "--broker-mechanism", "plain"];
    assert!(access(&plain, &[]).unwrap_err().to_string().contains("sends the password as it is"));
    let options = [&plain[..], &["--broker-tls", "yes"]].concat();
    assert_eq!(resolve(&typed(&options), &environment(&[])).unwrap().broker_mechanism, Mechanism::Plain);
}

#[test]
fn the_broker_of_vitals_up_is_spoken_with_in_the_clear_whatever_is_said_of_others() {
    let text = "[kafka]\nbroker_tls = true\nbroker_user = \"ward\"\n";
    let file = written(text);
    let of = |options: &[&str]| {
        let flags = typed(&[&["--config", &file.path], options].concat());
        resolve(&flags, &environment(&[("HOME", "/ward")])).unwrap().broker_access
    };
    assert!(of(&[]).tls.is_some() && of(&[]).login.is_some());
    assert_eq!(of(&["--profile", "embedded"]), ServerAccess::default());
    assert!(of(&["--profile", "embedded", "--broker-cert", "c"]).login.is_some(), "who types it wants it");
    let own = written("[profile.embedded.kafka]\nbroker_user = \"ward\"\nbroker_ca = \"ca.pem\"\n");
    let flags = typed(&["--config", &own.path, "--profile", "embedded"]);
    let own = resolve(&flags, &environment(&[("HOME", "/ward")])).unwrap().broker_access;
    assert!(own.login.is_some() && own.tls.is_some(), "who sets it for the profile wants it");
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

#[test]
fn the_nodes_of_the_store_have_settings_of_their_own() {
    let of = |options: &[&str], variables: &[(&str, &str)]| resolve(&typed(options), &environment(variables));
    let both = of(&["--store-ca", "ca.pem", "--store-user", "ward"], &[("VITALS_STORE_PASSWORD", "pencil")]).unwrap();
    assert_eq!(both.store_access.tls.unwrap().authorities.as_deref(), Some(Path::new("ca.pem")));
    assert_eq!(both.store_access.login.unwrap().source, PasswordFrom::Known(Secret::new("pencil")));
    assert_eq!(both.broker_access, ServerAccess::default(), "brokers are others");
    let told = of(&["--store-key", "k"], &[]).unwrap_err().to_string();
    assert!(told.contains("names a key without a certificate"), "{told}");
    let embedded = ["--profile", "embedded", "--store-local-dc", "west"];
    let variables = [("HOME", "/ward"), ("VITALS_STORE_USER", "ward")];
    let of_file = of(&embedded, &variables).unwrap();
    assert_eq!(of_file.store_access, ServerAccess::default(), "a file has no users");
    assert_eq!(of_file.store_local_dc.as_deref(), Some("west"));
}

#[test]
fn a_password_of_a_file_is_read_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    std::fs::write(&path, "pencil\n").unwrap();
    let options = ["--store-user", "ward", "--store-password-file", path.to_str().unwrap()];
    let login = resolve(&typed(&options), &environment(&[])).unwrap().store_access.login.unwrap();
    assert_eq!(login.password("store").unwrap().reveal(), "pencil");
    std::fs::write(&path, "").unwrap();
    assert_eq!(login.clone().password("store").unwrap().reveal(), "pencil", "a pipe has it only once");
    let other = resolve(&typed(&options), &environment(&[])).unwrap().store_access.login.unwrap();
    let told = other.password("store").unwrap_err();
    assert!(told.to_string().contains("there is no password for the store's user 'ward'"), "{told}");
    assert!(told.hint().contains("--store-password-file"), "{}", told.hint());
}

#[test]
fn a_java_client_s_properties_are_the_lowest_layer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("client.properties");
    let of = |text: &str, options: &[&str]| {
        std::fs::write(&path, text).unwrap();
        let options = [&["--broker-properties", path.to_str().unwrap()], options].concat();
        resolve(&typed(&options), &environment(&[]))
    };
    let text = "bootstrap.servers=kafka-1:9094,kafka-2:9094\nsecurity.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-256\n\
                ssl.truststore.type=PEM\nssl.truststore.location=ca.pem\nsasl.jaas.config=\
                org.apache.kafka.common.security.scram.ScramLoginModule required username=\"ward\" password=\"pencil\";\n";
    let settings = of(text, &[]).unwrap();
    assert_eq!(settings.brokers.to_string(), "kafka-1:9094,kafka-2:9094");
    assert_eq!(settings.broker_mechanism, Mechanism::ScramSha256);
    let ServerAccess { tls, login } = settings.broker_access.clone();
    assert_eq!(tls.unwrap().authorities.as_deref(), Some(Path::new("ca.pem")));
    let login = login.unwrap();
    assert_eq!((&*login.user, login.password("broker").unwrap().reveal()), ("ward", "pencil"));
    assert!(!format!("{settings:?}").contains("pencil"), "{settings:?}");
    let other = of(text, &["--broker-user", "nurse", "--broker-mechanism", "plain"]).unwrap();
    let other = other.broker_access.login.unwrap();
    assert_eq!((&*other.user, &other.source), ("nurse", &PasswordFrom::Nowhere), "the password is another's");
    let clear = of("ssl.truststore.location=ca.pem\nsasl.mechanism=GSSAPI\n", &[]).unwrap();
    assert_eq!(clear.broker_access, ServerAccess::default(), "as in Java, the protocol says whether these count");
    for (text, problem, fix) in [
        ("security.protocol=SSL\nssl.truststore.type=JKS\n", "line 2: ssl.truststore.type is JKS", "keytool"),
        ("security.protocol=TLS\n", "line 1: 'TLS' is no security.protocol", "SASL_SSL"),
        ("security.protocol=SSL\nssl.key.password=x\n", "ssl.key.password is not read here", "openssl"),
        ("security.protocol=SASL_SSL\nsasl.mechanism=GSSAPI\n", "'GSSAPI' is no way", "SCRAM-SHA-512"),
        (
            "security.protocol=SASL_SSL\nsasl.jaas.config=x.Krb5LoginModule required;\n",
            "is no login",
            "PlainLoginModule",
        ),
    ] {
        let refused = of(text, &[]).unwrap_err();
        assert!(refused.to_string().contains(problem), "{refused}");
        assert!(refused.hint().unwrap().contains(fix), "{refused}");
    }
    let missing = resolve(&typed(&["--broker-properties", "none.properties"]), &environment(&[])).unwrap_err();
    assert!(missing.to_string().starts_with("none.properties: "), "{missing}");
}
