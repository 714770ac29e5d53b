//! How servers are spoken with: inside TLS or in the clear, and as whom. No password is read before somebody connects.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use super::embedded::EMBEDDED;
use super::error::SettingsError;
use super::layers::Layers;
use super::source::Source;
use super::table::{self, AccessSettings, Spec};
use super::values::SettingsPath;
use crate::advice::BadValue;
use crate::kafka::login::Mechanism;
use crate::secret::{NoPassword, Secret};
use crate::tls::TlsFiles;

/// How servers of one kind are spoken with. In the clear and as nobody, where nothing is said of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerAccess {
    /// Inside TLS, with these files.
    pub tls: Option<TlsFiles>,
    /// As this user.
    pub login: Option<ServerLogin>,
}

/// A user of the servers, whose password may still have to be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerLogin {
    /// Its name.
    pub user: String,
    /// Where its password is.
    pub source: PasswordFrom,
    /// What was read: once, since a pipe has it only once.
    read: Arc<OnceLock<Secret>>,
}

impl ServerAccess {
    /// Whether we come as somebody, whom the servers may hide things from.
    #[must_use]
    pub fn is_somebody(&self) -> bool {
        self.login.is_some() || self.tls.as_ref().is_some_and(|files| files.certificate.is_some())
    }
}

impl ServerLogin {
    /// Whether nobody has said where the password is.
    #[must_use]
    pub fn is_unanswered(&self) -> bool {
        self.source == PasswordFrom::Nowhere && self.read.get().is_none()
    }

    /// Takes what somebody has typed.
    pub fn answer(&self, password: Secret) {
        // Who is asked twice has answered once.
        let _ = self.read.set(password);
    }

    /// The password; of the kind of servers whose options begin with `--WHOSE-`.
    ///
    /// # Errors
    /// Its file cannot be read, or nobody has named one.
    pub fn password(&self, whose: &'static str) -> Result<Secret, NoPassword> {
        if let Some(password) = self.read.get() {
            return Ok(password.clone());
        }
        let missing = |why| NoPassword { whose, user: self.user.clone(), why };
        let password = match &self.source {
            PasswordFrom::Known(password) => password.clone(),
            PasswordFrom::File(path) => Secret::of_file(path).map_err(|why| missing(Some(why)))?,
            PasswordFrom::Nowhere => return Err(missing(None)),
        };
        Ok(self.read.get_or_init(|| password).clone())
    }
}

/// Where a password is. No option takes one: every user of a machine sees the words of a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordFrom {
    /// It is alone in this file.
    File(PathBuf),
    /// It was in the environment, or in a file of properties.
    Known(Secret),
    /// Nobody has said.
    Nowhere,
}

impl Layers<'_> {
    /// How the brokers are spoken with, which were taken before, and how a password is proven to them.
    pub(super) fn take_broker_access(&mut self) -> Result<(ServerAccess, Mechanism), SettingsError> {
        let mut access = self.take_access(&table::BROKER_ACCESS, &table::BROKERS.spec)?;
        if let Some(login) = access.login.as_mut().filter(|login| login.source == PasswordFrom::Nowhere)
            && let Some(password) = self.password_of_properties(&login.user)
        {
            login.source = PasswordFrom::Known(password);
        }
        let mechanism = self.take(&table::BROKER_MECHANISM)?;
        if mechanism == Mechanism::Plain && access.login.is_some() && access.tls.is_none() {
            let problem = "sends the password as it is, for everybody on the way to read";
            let fix = "use SCRAM-SHA-512, or speak TLS: --broker-tls yes, or --broker-ca FILE";
            return Err(self.unfit(&table::BROKER_MECHANISM.spec, problem, fix));
        }
        Ok((access, mechanism))
    }

    /// How the nodes of the store are spoken with, which was taken before.
    pub(super) fn take_store_access(&mut self) -> Result<ServerAccess, SettingsError> {
        self.take_access(&table::STORE_ACCESS, &table::STORE.spec)
    }

    fn take_access(&mut self, of: &AccessSettings, servers: &Spec) -> Result<ServerAccess, SettingsError> {
        let is_wanted = self.take(&of.tls)?.0;
        let files = TlsFiles {
            authorities: self.take_path(&of.authorities)?,
            certificate: self.take_path(&of.certificate)?,
            key: self.take_path(&of.key)?,
        };
        let user = self.take_optional(&of.user)?;
        let password_file = self.take_path(&of.password_file)?;
        if self.are_of_vitals_up(of, servers) {
            return Ok(ServerAccess::default());
        }
        if files.key.is_some() && files.certificate.is_none() {
            let fix = format!("name the certificate with {}", of.certificate.spec.option);
            return Err(self.unfit(&of.key.spec, "names a key without a certificate", fix));
        }
        let tls = (is_wanted || files != TlsFiles::default()).then_some(files);
        if user.is_none() && password_file.is_some() {
            let fix = format!("name the user with {}", of.user.spec.option);
            return Err(self.unfit(&of.password_file.spec, "names a password without a user", fix));
        }
        let login =
            user.map(|user| ServerLogin { user, source: self.password(of, password_file), read: Arc::default() });
        Ok(ServerAccess { tls, login })
    }

    /// An option above the environment, and that above a settings file.
    fn password(&self, of: &AccessSettings, file: Option<PathBuf>) -> PasswordFrom {
        let is_typed = matches!(self.source_of(&of.password_file.spec), Some(Source::Flag | Source::Environment(_)));
        match (file, self.secret(of.password)) {
            (Some(path), None) => PasswordFrom::File(path),
            (Some(path), Some(_)) if is_typed => PasswordFrom::File(path),
            (_, Some(password)) => PasswordFrom::Known(password),
            (None, None) => PasswordFrom::Nowhere,
        }
    }

    /// Whether the servers are those of `vitals up`, which have neither TLS nor users as they come, whatever is set for
    /// others. Who types one of the options, or sets it for the profile, wants it all the same.
    fn are_of_vitals_up(&self, of: &AccessSettings, servers: &Spec) -> bool {
        let specs = [
            &of.tls.spec,
            &of.authorities.spec,
            &of.certificate.spec,
            &of.key.spec,
            &of.user.spec,
            &of.password_file.spec,
        ];
        let own = |spec: &Spec| match self.source_of(spec) {
            Some(Source::Flag) => true,
            Some(Source::Profile { name, .. }) => name == EMBEDDED,
            _ => false,
        };
        let is_wanted = specs.into_iter().any(own)
            || (servers.name == table::BROKERS.spec.name && own(&table::BROKER_PROPERTIES.spec));
        !is_wanted && matches!(self.source_of(servers), Some(Source::BuiltIn { .. }))
    }

    fn take_path(&mut self, setting: &table::Setting<SettingsPath>) -> Result<Option<PathBuf>, SettingsError> {
        Ok(self.take_optional(setting)?.map(|SettingsPath(path)| path))
    }

    /// What was taken does not fit the rest.
    fn unfit(&self, spec: &Spec, problem: &str, fix: impl Into<String>) -> SettingsError {
        let origin = self.source_of(spec).cloned().unwrap_or(Source::Default);
        SettingsError::Invalid { name: spec.name, origin, fault: BadValue::new(problem, fix) }
    }
}
