//! Servers inside TLS, and for those who log in.
//!
//! One Kafka has four further listeners for it, beside the one that everybody may use. Of Cassandra there is a second
//! node, since either everybody logs in there or nobody.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};

use super::folder::{StackFolder, make_folder, write_file};
use super::options::ServerSetting;
use super::ports::FreePorts;
use super::ready::{self, NotReady};
use super::server::{Member, Role};
use crate::error::Result;

/// Who may log in, by every mechanism, and do everything.
pub(crate) const USER: &str = "ward";
const PASSWORD: &str = "a pass=word";

/// Whom every new Cassandra with a login knows, and by which password.
pub(crate) const SUPERUSER: &str = "cassandra";

/// Users who are allowed nothing but what they are given, with the same password.
const LIMITED_USERS: [&str; 4] = ["consumer", "producer", "operator", "admin"];

/// So many servers of one kind can work together.
pub(crate) const MOST_MEMBERS: u8 = 5;

/// How `vitals` comes to servers: inside TLS and logged in, or in the clear, where only Cassandra wants a login.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    /// As the setting `brokers` takes them.
    pub(crate) brokers: String,
    /// The nodes of the setting `store`.
    pub(crate) nodes: String,
    /// Further settings by their names, with `_` between words.
    pub(crate) settings: Vec<(&'static str, String)>,
}

/// The listeners, each on its port of 127.0.0.1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SecureListeners {
    /// TLS, without a login.
    tls: u16,
    /// A login without TLS, by SCRAM-SHA-256 alone; it holds for two seconds.
    login: u16,
    /// A login inside TLS.
    both: u16,
    /// TLS, for those with a certificate.
    mutual: u16,
}

impl SecureListeners {
    /// On free ports.
    pub(crate) fn on(free: &mut FreePorts) -> Result<Self> {
        Ok(Self { tls: free.take()?, login: free.take()?, both: free.take()?, mutual: free.take()? })
    }

    /// On the ports behind this one, so that they are the same each time.
    pub(crate) fn behind(port: u16) -> Self {
        let behind = |step: u16| port.saturating_add(step);
        Self { tls: behind(1), login: behind(2), both: behind(3), mutual: behind(4) }
    }

    /// How `vitals` comes to each.
    pub(crate) fn told(self, folder: &StackFolder) -> Vec<String> {
        let file = |name| certificates(folder).join(name).display().to_string();
        let (ca, password) = (format!("--broker-ca {}", file("ca.pem")), file("password"));
        let login = format!("--broker-user {USER} --broker-password-file {password}");
        let certificate = format!("--broker-cert {} --broker-key {}", file("client.pem"), file("client-key.pem"));
        let options = [
            ca.clone(),
            format!("{login} --broker-mechanism SCRAM-SHA-256"),
            format!("{ca} {login}"),
            format!("{ca} {certificate}"),
        ];
        let line = |((_, _, port), options)| format!("try:  vitals topic list --brokers 127.0.0.1:{port} {options}");
        self.all().into_iter().zip(options).map(line).collect()
    }

    const fn all(self) -> [(&'static str, &'static str, u16); 4] {
        [
            ("TLS", "SSL", self.tls),
            ("LOGIN", "SASL_PLAINTEXT", self.login),
            ("BOTH", "SASL_SSL", self.both),
            ("MUTUAL", "SSL", self.mutual),
        ]
    }

    /// What comes behind the other listeners, as `NAME://HOST:PORT`.
    pub(crate) fn listeners(self, host: Ipv4Addr) -> String {
        self.all().map(|(name, _, port)| format!(",{name}://{host}:{port}")).concat()
    }

    /// What each of them speaks.
    pub(crate) fn protocols(self) -> String {
        self.all().map(|(name, protocol, _)| format!(",{name}:{protocol}")).concat()
    }

    pub(crate) fn settings(broker: Member, folder: &StackFolder) -> Vec<ServerSetting> {
        let scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
        let plain =
            format!("org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}=\"{PASSWORD}\";");
        let file = |name: &str| certificates(folder).join(name).display().to_string();
        ServerSetting::list(&[
            ("inter.broker.listener.name", "PLAINTEXT"),
            // Rights are asked of those who log in, but for one user.
            ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
            ("super.users", &format!("User:ANONYMOUS;User:{USER};User:CN=vitals")),
            ("ssl.keystore.type", "PEM"),
            ("ssl.keystore.location", &file(&certificate(broker))),
            ("ssl.truststore.type", "PEM"),
            ("ssl.truststore.location", &file("ca.pem")),
            ("listener.name.mutual.ssl.client.auth", "required"),
            ("listener.name.login.sasl.enabled.mechanisms", "SCRAM-SHA-256"),
            ("listener.name.login.scram-sha-256.sasl.jaas.config", scram),
            ("listener.name.login.scram-sha-256.connections.max.reauth.ms", "2000"),
            ("listener.name.both.sasl.enabled.mechanisms", "SCRAM-SHA-512,SCRAM-SHA-256,PLAIN"),
            ("listener.name.both.scram-sha-512.sasl.jaas.config", scram),
            ("listener.name.both.scram-sha-256.sasl.jaas.config", scram),
            ("listener.name.both.plain.sasl.jaas.config", &plain),
        ])
    }

    /// What makes the users when the storage folder is formatted.
    pub(crate) fn users() -> Vec<String> {
        let user =
            |(mechanism, name)| ["--add-scram".to_owned(), format!("{mechanism}=[name={name},password={PASSWORD}]")];
        let limited = LIMITED_USERS.map(|name| ("SCRAM-SHA-512", name));
        [("SCRAM-SHA-256", USER), ("SCRAM-SHA-512", USER)].into_iter().chain(limited).flat_map(user).collect()
    }

    /// Whether the Kafka that was started last has them.
    pub(crate) fn are_set_up(folder: &StackFolder) -> bool {
        let written = std::fs::read_to_string(folder.conf().join("server.properties")).unwrap_or_default();
        written.contains(",BOTH://")
    }

    /// What the tests find in their environment.
    pub(crate) fn environment(self, folder: &StackFolder) -> Vec<(String, String)> {
        let ports = self.all().map(|(name, _, port)| (format!("VITALS_TEST_{name}_PORT"), port.to_string()));
        let place = certificates(folder).display().to_string();
        ports.into_iter().chain([("VITALS_TEST_CERTIFICATES".to_owned(), place)]).collect()
    }
}

/// What makes a node of Cassandra want a login, and speak TLS on a second port.
pub(crate) fn node_settings(node: Member, tls_port: u16, folder: &StackFolder) -> Vec<ServerSetting> {
    let file = |name: &str| certificates(folder).join(name).display().to_string();
    let factory = "{class_name: org.apache.cassandra.security.PEMBasedSslContextFactory}";
    let (server, authority) = (file(&certificate(node)), file("ca.pem"));
    let tls = format!(
        "{{enabled: true, optional: false, require_client_auth: false, ssl_context_factory: {factory}, \
         keystore: '{server}', truststore: '{authority}'}}"
    );
    ServerSetting::list(&[
        ("native_transport_port_ssl", &tls_port.to_string()),
        ("client_encryption_options", &tls),
        ("authenticator", "PasswordAuthenticator"),
        ("authorizer", "CassandraAuthorizer"),
        ("role_manager", "CassandraRoleManager"),
        // What is granted or taken away counts soon.
        ("roles_validity", "1s"),
        ("permissions_validity", "1s"),
        ("credentials_validity", "1s"),
    ])
}

/// How `vitals` comes to that node.
pub(crate) fn node_told(tls_port: u16, folder: &StackFolder) -> String {
    let file = |name| certificates(folder).join(name).display().to_string();
    let (ca, password) = (file("ca.pem"), file("store-password"));
    format!(
        "try:  vitals schema --store cassandra://127.0.0.1:{tls_port}/hospital --store-ca {ca} \
         --store-user {SUPERUSER} --store-password-file {password}"
    )
}

/// Each of several has a certificate of its own. `localhost` is in none of them.
fn certificate(server: Member) -> String {
    format!("{}.pem", server.numbered("server"))
}

/// Tells a node that has just begun what its cluster needs before others join: who may log in is kept by three of them.
pub(crate) fn keep_users_thrice(node: Member, port: u16) -> Result<(), NotReady> {
    let cql = "ALTER KEYSPACE system_auth WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}";
    ready::tell_cassandra(node, port, [SUPERUSER, SUPERUSER], cql)
}

/// An authority, who signs the servers and a client; and another one, whom nobody knows.
pub(crate) fn write_certificates(folder: &StackFolder) -> Result<()> {
    let place = certificates(folder);
    if place.join("server-5.pem").exists() {
        return Ok(());
    }
    make_folder(&place)?;
    let authority = self::authority("the authority of the tests")?;
    let sign = |name: &str, names: &[&str]| -> Result<(String, String)> {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate()?;
        Ok((key.serialize_pem(), params.signed_by(&key, &authority)?.pem()))
    };
    let (client_key, client) = sign("vitals", &[])?;
    write_file(&place.join("ca.pem"), &authority.pem())?;
    write_file(&place.join("client.pem"), &client)?;
    write_file(&place.join("client-key.pem"), &client_key)?;
    write_file(&place.join("password"), PASSWORD)?;
    write_file(&place.join("store-password"), SUPERUSER)?;
    write_file(&place.join("other-ca.pem"), &self::authority("somebody else")?.pem())?;
    for number in 1..=MOST_MEMBERS {
        let server = Member { role: Role::Kafka, number };
        let names = [server.host().to_string(), format!("kafka-{number}.ward")];
        let (key, signed) = sign("kafka", &names.each_ref().map(String::as_str))?;
        write_file(&place.join(certificate(server)), &[key, signed, authority.pem()].concat())?;
    }
    Ok(())
}

fn certificates(folder: &StackFolder) -> PathBuf {
    folder.conf().join("certificates")
}

fn authority(name: &str) -> Result<CertifiedIssuer<'static, KeyPair>> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.distinguished_name.push(DnType::CommonName, name);
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}
