//! How servers are spoken with: inside TLS or in the clear, and as whom. Nothing is read here: that is `app.rs`.

use std::path::PathBuf;

use super::error::SettingsError;
use super::layers::Layers;
use super::source::Source;
use super::table;
use super::values::SettingsPath;
use crate::advice::BadValue;
use crate::kafka::login::Mechanism;
use crate::secret::Secret;
use crate::tls::TlsFiles;

/// How the brokers are spoken with. In the clear and as nobody, where nothing is said of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BrokerAccess {
    /// Inside TLS, with these files.
    pub tls: Option<TlsFiles>,
    /// As this user.
    pub login: Option<BrokerLogin>,
}

/// A user of the cluster, whose password may still have to be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerLogin {
    /// Its name.
    pub user: String,
    /// Where its password is.
    pub password: PasswordFrom,
    /// How that is proven.
    pub mechanism: Mechanism,
}

/// Where a password is. No option takes one: every user of a machine sees the words of a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordFrom {
    /// It is alone in this file.
    File(PathBuf),
    /// It was in the environment.
    Environment(Secret),
    /// Nobody has said.
    Nowhere,
}

impl Layers<'_> {
    /// How the brokers are spoken with, which were taken before.
    pub(super) fn take_broker_access(&mut self) -> Result<BrokerAccess, SettingsError> {
        let is_wanted = self.take(&table::BROKER_TLS)?.0;
        let files = TlsFiles {
            authorities: self.take_path(&table::BROKER_CA)?,
            certificate: self.take_path(&table::BROKER_CERT)?,
            key: self.take_path(&table::BROKER_KEY)?,
        };
        let user = self.take_optional(&table::BROKER_USER)?;
        let password_file = self.take_path(&table::BROKER_PASSWORD_FILE)?;
        let mechanism = self.take(&table::BROKER_MECHANISM)?;
        if self.is_of_vitals_up() {
            return Ok(BrokerAccess::default());
        }
        if files.key.is_some() && files.certificate.is_none() {
            let fix = "name the certificate with --broker-cert";
            return Err(self.unfit(&table::BROKER_KEY.spec, "names a key without a certificate", fix));
        }
        let tls = (is_wanted || files != TlsFiles::default()).then_some(files);
        let Some(user) = user else {
            if password_file.is_none() {
                return Ok(BrokerAccess { tls, login: None });
            }
            let fix = "name the user with --broker-user";
            return Err(self.unfit(&table::BROKER_PASSWORD_FILE.spec, "names a password without a user", fix));
        };
        if mechanism == Mechanism::Plain && tls.is_none() {
            let problem = "sends the password as it is, for everybody on the way to read";
            let fix = "use SCRAM-SHA-512, or speak TLS: --broker-tls yes, or --broker-ca FILE";
            return Err(self.unfit(&table::BROKER_MECHANISM.spec, problem, fix));
        }
        let login = BrokerLogin { user, password: self.password(password_file), mechanism };
        Ok(BrokerAccess { tls, login: Some(login) })
    }

    /// An option above the environment, and that above a settings file.
    fn password(&self, file: Option<PathBuf>) -> PasswordFrom {
        let is_typed =
            matches!(self.source_of(&table::BROKER_PASSWORD_FILE.spec), Some(Source::Flag | Source::Environment(_)));
        match (file, self.broker_password()) {
            (Some(path), None) => PasswordFrom::File(path),
            (Some(path), Some(_)) if is_typed => PasswordFrom::File(path),
            (_, Some(password)) => PasswordFrom::Environment(password),
            (None, None) => PasswordFrom::Nowhere,
        }
    }

    /// Whether they are that of `vitals up`, which has neither TLS nor users, whatever is set for others. Who types one of
    /// the options wants it all the same.
    fn is_of_vitals_up(&self) -> bool {
        !self.is_typed("broker_") && matches!(self.source_of(&table::BROKERS.spec), Some(Source::BuiltIn { .. }))
    }

    fn take_path(&mut self, setting: &table::Setting<SettingsPath>) -> Result<Option<PathBuf>, SettingsError> {
        Ok(self.take_optional(setting)?.map(|SettingsPath(path)| path))
    }

    /// What was taken does not fit the rest.
    fn unfit(&self, spec: &table::Spec, problem: &str, fix: &str) -> SettingsError {
        let origin = self.source_of(spec).cloned().unwrap_or(Source::Default);
        SettingsError::Invalid { name: spec.name, origin, fault: BadValue::new(problem, fix) }
    }
}
