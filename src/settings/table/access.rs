//! How servers are spoken with: the same settings for each kind of them.

use super::{Kind, Parse, Section, Setting, Spec};
use crate::kafka::login::Mechanism;
use crate::settings::values::{self, SettingsPath, YesNo};

/// TLS and a user, for one kind of servers.
pub(in crate::settings) struct AccessSettings {
    pub(in crate::settings) tls: Setting<YesNo>,
    pub(in crate::settings) authorities: Setting<SettingsPath>,
    pub(in crate::settings) certificate: Setting<SettingsPath>,
    pub(in crate::settings) key: Setting<SettingsPath>,
    pub(in crate::settings) user: Setting<String>,
    pub(in crate::settings) password_file: Setting<SettingsPath>,
    /// The variable with the password itself.
    pub(in crate::settings) password: &'static str,
}

pub(in crate::settings) static BROKER_ACCESS: AccessSettings = AccessSettings {
    tls: yes_no(&Spec {
        name: "broker_tls",
        option: "--broker-tls",
        variable: "VITALS_BROKER_TLS",
        help: "Speak TLS with the brokers; a file below switches it on as well",
        ..of(Section::Kafka)
    }),
    authorities: file(&Spec {
        name: "broker_ca",
        option: "--broker-ca",
        variable: "VITALS_BROKER_CA",
        help: "Certificates of the authorities that sign brokers' ones, PEM [default: those of this system]",
        ..of(Section::Kafka)
    }),
    certificate: file(&Spec {
        name: "broker_cert",
        option: "--broker-cert",
        variable: "VITALS_BROKER_CERT",
        help: "Certificate to show to brokers, PEM",
        ..of(Section::Kafka)
    }),
    key: file(&Spec {
        name: "broker_key",
        option: "--broker-key",
        variable: "VITALS_BROKER_KEY",
        help: "Its private key, PEM without a password [default: in the file of the certificate]",
        ..of(Section::Kafka)
    }),
    user: name(&Spec {
        name: "broker_user",
        option: "--broker-user",
        variable: "VITALS_BROKER_USER",
        help: "Log in to the brokers as this user",
        ..of(Section::Kafka)
    }),
    password_file: file(&Spec {
        name: "broker_password_file",
        option: "--broker-password-file",
        variable: "VITALS_BROKER_PASSWORD_FILE",
        help: "File with the password of that user and nothing else [default: VITALS_BROKER_PASSWORD of the environment]",
        ..of(Section::Kafka)
    }),
    password: "VITALS_BROKER_PASSWORD",
};

pub(in crate::settings) static BROKER_PROPERTIES: Setting<SettingsPath> = file(&Spec {
    name: "broker_properties",
    option: "--broker-properties",
    variable: "VITALS_BROKER_PROPERTIES",
    help: "Java client's properties, with PEM stores: they say what is said nowhere else",
    ..of(Section::Kafka)
});

pub(in crate::settings) static BROKER_MECHANISM: Setting<Mechanism> = Setting {
    spec: Spec {
        name: "broker_mechanism",
        option: "--broker-mechanism",
        variable: "VITALS_BROKER_MECHANISM",
        default: Some("SCRAM-SHA-512"),
        value_name: "NAME",
        help: "How the password is proven: SCRAM-SHA-512, SCRAM-SHA-256, or PLAIN inside TLS",
        ..of(Section::Kafka)
    },
    parse: Parse::Text(values::mechanism),
};

pub(in crate::settings) static STORE_ACCESS: AccessSettings = AccessSettings {
    tls: yes_no(&Spec {
        name: "store_tls",
        option: "--store-tls",
        variable: "VITALS_STORE_TLS",
        help: "Speak TLS with the nodes of the store; a file below switches it on as well",
        ..of(Section::Store)
    }),
    authorities: file(&Spec {
        name: "store_ca",
        option: "--store-ca",
        variable: "VITALS_STORE_CA",
        help: "Certificates of the authorities that sign nodes' ones, PEM [default: those of this system]",
        ..of(Section::Store)
    }),
    certificate: file(&Spec {
        name: "store_cert",
        option: "--store-cert",
        variable: "VITALS_STORE_CERT",
        help: "Certificate to show to nodes, PEM",
        ..of(Section::Store)
    }),
    key: file(&Spec {
        name: "store_key",
        option: "--store-key",
        variable: "VITALS_STORE_KEY",
        help: "Its private key, PEM without a password [default: in the file of the certificate]",
        ..of(Section::Store)
    }),
    user: name(&Spec {
        name: "store_user",
        option: "--store-user",
        variable: "VITALS_STORE_USER",
        help: "Log in to the store as this role",
        ..of(Section::Store)
    }),
    password_file: file(&Spec {
        name: "store_password_file",
        option: "--store-password-file",
        variable: "VITALS_STORE_PASSWORD_FILE",
        help: "File with the password of that role and nothing else [default: VITALS_STORE_PASSWORD of the environment]",
        ..of(Section::Store)
    }),
    password: "VITALS_STORE_PASSWORD",
};

pub(in crate::settings) static STORE_LOCAL_DC: Setting<String> = name(&Spec {
    name: "store_local_dc",
    option: "--store-local-dc",
    variable: "VITALS_STORE_LOCAL_DC",
    help: "Data centre whose nodes are asked, and no others [default: all alike]",
    ..of(Section::Store)
});

/// What is the same for most of them.
const fn of(section: Section) -> Spec {
    Spec {
        name: "",
        section: Some(section),
        option: "",
        variable: "",
        old_name: None,
        default: None,
        value_name: "",
        help: "",
        kind: Kind::Text,
    }
}

const fn yes_no(spec: &Spec) -> Setting<YesNo> {
    let spec = Spec { kind: Kind::YesNo, default: Some("no"), value_name: "yes|no", ..*spec };
    Setting { spec, parse: Parse::Text(YesNo::parse) }
}

const fn file(spec: &Spec) -> Setting<SettingsPath> {
    Setting { spec: Spec { kind: Kind::Path, value_name: "FILE", ..*spec }, parse: Parse::Path(SettingsPath::parse) }
}

const fn name(spec: &Spec) -> Setting<String> {
    Setting { spec: Spec { value_name: "NAME", ..*spec }, parse: Parse::Text(values::not_empty) }
}
