//! `broker_properties`: the file that a Java client of Kafka is given, as another layer of settings.
//!
//! What it says counts where neither an option, nor the environment, nor a file of `vitals` says something else. Its
//! format is that of `java.util.Properties`; the meaning of its keys is Kafka's (kafka.apache.org, "Consumer Configs").

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::error::SettingsError;
use super::source::Source;
use super::table::{BROKER_ACCESS, BROKER_MECHANISM, BROKERS, Spec};
use crate::advice::BadValue;
use crate::secret::Secret;

/// A client's properties, as far as they say how a cluster is reached.
#[derive(Debug)]
pub(super) struct Properties {
    path: PathBuf,
    values: BTreeMap<String, Property>,
    user: Option<User>,
}

/// The text is in no message: it may hold a password.
struct Property {
    text: String,
    /// From 1.
    line: usize,
}

impl std::fmt::Debug for Property {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}", self.line)
    }
}

#[derive(Debug)]
struct User {
    name: String,
    password: Secret,
    line: usize,
}

const SERVERS: &str = "bootstrap.servers";
const PROTOCOL: &str = "security.protocol";
const MECHANISM: &str = "sasl.mechanism";
const LOGIN: &str = "sasl.jaas.config";
const TRUSTED: &str = "ssl.truststore.location";
const SHOWN: &str = "ssl.keystore.location";

/// Where Kafka keeps what is not read here, and what to do about it.
const UNREAD: [(&str, &str); 4] = [
    ("ssl.truststore.certificates", "write it into a file, and name that with ssl.truststore.location"),
    ("ssl.keystore.certificate.chain", "write it into a file with its key, and name that with ssl.keystore.location"),
    ("ssl.keystore.key", "write it into the file of its certificate, and name that with ssl.keystore.location"),
    ("ssl.key.password", "write the key without a password: openssl pkey -in KEY -out key.pem"),
];

impl Properties {
    /// Reads the file, and makes sure that what it says can be done here.
    pub(super) fn read(path: &Path) -> Result<Self, SettingsError> {
        let refused = |line, fault| SettingsError::Properties { path: path.to_owned(), line, fault };
        let bytes = std::fs::read(path).map_err(|error| {
            refused(None, BadValue::new(error.to_string(), "give a readable file with --broker-properties FILE"))
        })?;
        // Java reads them as Latin-1, in which every byte is a letter; what is beyond it is escaped.
        let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
        let mut properties = Self { path: path.to_owned(), values: parse(&text), user: None };
        if let Some(protocol) = properties.values.get_mut(PROTOCOL) {
            protocol.text.make_ascii_uppercase();
        }
        for (key, property) in &properties.values {
            if let Some(fault) = properties.fault(key, &property.text) {
                return Err(refused(Some(property.line), fault));
            }
        }
        if properties.logs_in()
            && let Some(Property { text, line }) = properties.values.get(LOGIN)
        {
            let user = user_of(text, *line).ok_or_else(|| {
                let fix = "it has to be ScramLoginModule or PlainLoginModule with username=\"…\" and password=\"…\"";
                refused(Some(*line), BadValue::new(format!("{LOGIN} is no login that is spoken here"), fix))
            })?;
            properties.user = Some(user);
        }
        Ok(properties)
    }

    /// What cannot be done here.
    fn fault(&self, key: &str, text: &str) -> Option<BadValue> {
        let is_kind = matches!(key, "ssl.truststore.type" | "ssl.keystore.type");
        if is_kind && self.speaks_tls() && !text.eq_ignore_ascii_case("PEM") {
            let fix =
                "write the store as PEM: keytool -exportcert -rfc for certificates, openssl pkcs12 -nodes for keys";
            return Some(BadValue::new(format!("{key} is {text}, of which PEM alone is read here"), fix));
        }
        if key == PROTOCOL && !PROTOCOLS.contains(&text) {
            let problem = format!("'{text}' is no {PROTOCOL}");
            return Some(BadValue::new(problem, format!("use one of {}", PROTOCOLS.join(", "))));
        }
        let (_, fix) = UNREAD.iter().find(|(unread, _)| *unread == key && self.speaks_tls())?;
        Some(BadValue::new(format!("{key} is not read here"), *fix))
    }

    /// The value of a setting, where the file says something of it.
    pub(super) fn get(&self, spec: &Spec) -> Option<(String, Source)> {
        let of = |key: &str| self.values.get(key).map(|property| (property.text.clone(), property.line));
        let (text, line) = match spec.name {
            name if name == BROKERS.spec.name => of(SERVERS)?,
            name if name == BROKER_ACCESS.tls.spec.name => {
                let (_, line) = of(PROTOCOL)?;
                (if self.speaks_tls() { "yes" } else { "no" }.to_owned(), line)
            }
            name if name == BROKER_ACCESS.authorities.spec.name && self.speaks_tls() => of(TRUSTED)?,
            name if name == BROKER_ACCESS.certificate.spec.name && self.speaks_tls() => of(SHOWN)?,
            name if name == BROKER_ACCESS.user.spec.name => {
                let user = self.user.as_ref()?;
                (user.name.clone(), user.line)
            }
            name if name == BROKER_MECHANISM.spec.name && self.logs_in() => of(MECHANISM)?,
            _ => return None,
        };
        Some((text, Source::File { path: self.path.clone(), line }))
    }

    /// The password of this user, where it names that one.
    pub(super) fn password_of(&self, user: &str) -> Option<&Secret> {
        self.user.as_ref().filter(|own| own.name == user).map(|own| &own.password)
    }

    fn protocol(&self) -> &str {
        self.values.get(PROTOCOL).map_or("PLAINTEXT", |property| &property.text)
    }

    fn speaks_tls(&self) -> bool {
        self.protocol().ends_with("SSL")
    }

    fn logs_in(&self) -> bool {
        self.protocol().starts_with("SASL_")
    }
}

const PROTOCOLS: [&str; 4] = ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"];

/// Lines of `key=value`, `key: value` or `key value`; a backslash at the end goes on with the next line.
fn parse(text: &str) -> BTreeMap<String, Property> {
    let mut values = BTreeMap::new();
    let mut lines = text.lines().enumerate();
    while let Some((at, first)) = lines.next() {
        let first = first.trim_start();
        if first.is_empty() || first.starts_with(['#', '!']) {
            continue;
        }
        let mut whole = first.to_owned();
        // An odd number of backslashes: the last one is no letter.
        while whole.chars().rev().take_while(|letter| *letter == '\\').count() % 2 == 1 {
            whole.pop();
            match lines.next() {
                Some((_, next)) => whole.push_str(next.trim_start()),
                None => break,
            }
        }
        let (key, value) = split(&whole);
        values.insert(unescaped(key), Property { text: unescaped(value).trim_end().to_owned(), line: at + 1 });
    }
    values
}

/// At the first `=`, `:` or blank that no backslash stands before.
fn split(line: &str) -> (&str, &str) {
    let mut is_escaped = false;
    let end = line.char_indices().find(|(_, letter)| {
        let ends = !is_escaped && (letter.is_whitespace() || matches!(letter, '=' | ':'));
        is_escaped = *letter == '\\' && !is_escaped;
        ends
    });
    let (key, rest) = line.split_at(end.map_or(line.len(), |(at, _)| at));
    let rest = rest.trim_start();
    (key, rest.strip_prefix(['=', ':']).unwrap_or(rest).trim_start())
}

fn unescaped(text: &str) -> String {
    let (mut plain, mut letters) = (String::new(), text.chars());
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            plain.push(letter);
            continue;
        }
        match letters.next() {
            Some('t') => plain.push('\t'),
            Some('n') => plain.push('\n'),
            Some('r') => plain.push('\r'),
            Some('f') => plain.push('\u{c}'),
            Some('u') => {
                let code: String = letters.by_ref().take(4).collect();
                plain.push(u32::from_str_radix(&code, 16).ok().and_then(char::from_u32).unwrap_or('\u{fffd}'));
            }
            other => plain.extend(other),
        }
    }
    plain
}

/// `…ScramLoginModule required username="ward" password="pencil";`
fn user_of(text: &str, line: usize) -> Option<User> {
    let (module, options) = text.trim().trim_end_matches(';').split_once(char::is_whitespace)?;
    if !["ScramLoginModule", "PlainLoginModule"].iter().any(|known| module.ends_with(known)) {
        return None;
    }
    Some(User { name: option(options, "username")?, password: Secret::new(&option(options, "password")?), line })
}

/// The value of an option of a login module: in quotes of either kind, with backslashes before those inside, or a word.
fn option(text: &str, name: &str) -> Option<String> {
    let value = text.match_indices(name).find_map(|(at, _)| {
        let begins = text[..at].ends_with(char::is_whitespace);
        begins.then(|| text[at + name.len()..].trim_start().strip_prefix('=')).flatten()
    });
    let value = value?.trim_start();
    let Some(quote) = value.chars().next().filter(|letter| ['"', '\''].contains(letter)) else {
        let word = value.split([' ', '\t', ';']).next().filter(|word| !word.is_empty());
        return word.map(str::to_owned);
    };
    let mut letters = value.strip_prefix(quote)?;
    let mut value = String::new();
    loop {
        let letter = letters.chars().next()?;
        letters = &letters[letter.len_utf8()..];
        match letter {
            letter if letter == quote => return Some(value),
            '\\' => {
                let escaped = letters.chars().next()?;
                letters = &letters[escaped.len_utf8()..];
                value.push(escaped);
            }
            letter => value.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_are_read_as_java_reads_them() {
        let text = "# a comment\n! another\nkey=value\n  spaced : value \nblank value\nlong=one,\\\n   two\n\
                    path=C\\:\\\\ca.pem\nletter=\\u00e4\nempty=\nno\n";
        let values: BTreeMap<_, _> = parse(text).into_iter().map(|(key, of)| (key, of.text)).collect();
        for (key, value) in [
            ("key", "value"),
            ("spaced", "value"),
            ("blank", "value"),
            ("long", "one,two"),
            ("path", "C:\\ca.pem"),
            ("letter", "ä"),
            ("empty", ""),
            ("no", ""),
        ] {
            assert_eq!(values.get(key).map(String::as_str), Some(value), "{key}");
        }
        assert_eq!(values.len(), 8);
    }

    #[test]
    fn a_user_is_told_with_a_password_that_no_message_has() {
        let scram = "org.apache.kafka.common.security.scram.ScramLoginModule required \
                     username=\"the ward\" password=\"a \\\"pass\\\\word;\";";
        let user = user_of(scram, 3).unwrap();
        assert_eq!((&*user.name, user.password.reveal()), ("the ward", "a \"pass\\word;"));
        assert!(!format!("{user:?}").contains("word;"), "{user:?}");
        let single = user_of("x.PlainLoginModule required username='ward' password=pencil;", 1).unwrap();
        assert_eq!((&*single.name, single.password.reveal()), ("ward", "pencil"));
        for other in ["com.example.Krb5LoginModule required useKeyTab=true;", "x.PlainLoginModule required;", ""] {
            assert!(user_of(other, 1).is_none(), "{other}");
        }
    }
}
