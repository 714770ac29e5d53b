//! How servers are spoken with: inside TLS or in the clear, and as whom.

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
        if files.key.is_some() && files.certificate.is_none() {
            return Err(self.unfit("names a key without a certificate", "name the certificate with --broker-cert"));
        }
        let tls = (is_wanted || files != TlsFiles::default()).then_some(files);
        let user = self.take_optional(&table::BROKER_USER)?;
        let file = self.take_path(&table::BROKER_PASSWORD_FILE)?;
        if file.is_some() && user.is_none() {
            return Err(self.unfit("names a password without a user", "name the user with --broker-user"));
        }
        let mechanism = self.take(&table::BROKER_MECHANISM)?;
        if mechanism == Mechanism::Plain && tls.is_none() && user.is_some() {
            let fix = "use SCRAM-SHA-512, or speak TLS: --broker-tls yes, or --broker-ca FILE";
            return Err(self.unfit("sends the password as it is, for everybody on the way to read", fix));
        }
        let password = file.map(PasswordFrom::File);
        let password = password.or_else(|| self.broker_password().map(PasswordFrom::Environment));
        let password = password.unwrap_or(PasswordFrom::Nowhere);
        let login = user.map(|user| BrokerLogin { user, password, mechanism });
        // The broker of `vitals up` has neither, whatever a settings file says for others.
        let is_built_in = matches!(self.source_of(&table::BROKERS.spec), Some(Source::BuiltIn { .. }));
        Ok(if is_built_in { BrokerAccess::default() } else { BrokerAccess { tls, login } })
    }

    fn take_path(&mut self, setting: &table::Setting<SettingsPath>) -> Result<Option<PathBuf>, SettingsError> {
        Ok(self.take_optional(setting)?.map(|SettingsPath(path)| path))
    }

    /// What was taken last does not fit what was taken before.
    fn unfit(&self, problem: &str, fix: &str) -> SettingsError {
        self.unfit_last(BadValue::new(problem, fix))
    }
}
