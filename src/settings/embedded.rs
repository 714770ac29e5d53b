//! The profile `embedded`: the broker of `vitals up` and a SQLite file beside it. It needs no settings file; a table
//! `[profile.embedded]` of one may still say otherwise, key by key.

use std::ffi::OsString;
use std::path::PathBuf;

use super::environment::Environment;
use super::error::SettingsError;
use super::table::{BROKERS, STORE, Spec};
use crate::store::SQLITE;

/// The profile's name.
pub const EMBEDDED: &str = "embedded";

/// Where `vitals up` listens unless told otherwise, and where the profile looks for it.
pub const EMBEDDED_ADDRESS: &str = "127.0.0.1:9093";

/// The file of the readings, within the folder of data.
pub const DATABASE: &str = "vitals.db";

/// The value that the profile gives a setting, if it gives one.
///
/// # Errors
/// [`SettingsError::NoDataFolder`] where the place of the SQLite file is not known.
pub(super) fn value(spec: &Spec, environment: &Environment) -> Result<Option<OsString>, SettingsError> {
    if spec.name == BROKERS.spec.name {
        return Ok(Some(EMBEDDED_ADDRESS.into()));
    }
    if spec.name == STORE.spec.name {
        let folder = data_folder(environment).ok_or(SettingsError::NoDataFolder { option: "--store sqlite:PATH" })?;
        let mut address = OsString::from(SQLITE);
        address.push(folder.join(DATABASE));
        return Ok(Some(address));
    }
    Ok(None)
}

/// The folder for what `vitals` itself keeps: `vitals` in the user's folder for data.
pub(super) fn data_folder(environment: &Environment) -> Option<PathBuf> {
    environment.data_folder().map(|folder| folder.join("vitals"))
}
