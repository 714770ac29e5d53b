//! The folder of the embedded broker, where the profile is that of it.

use std::path::Path;

use super::check::Sheet;
use super::store::room;
use crate::broker::folder::{FolderState, inspect};
use crate::diagnose::Problem;
use crate::settings::Settings;

const FOLDER: &str = "broker_folder";
const ROOM: &str = "broker_room";

/// `answers` tells whether a broker answers where the settings say.
pub(super) async fn examine(settings: &Settings, answers: bool, sheet: &mut Sheet) {
    let Some(folder) = settings.data_folder.as_ref().filter(|_| settings.is_embedded()) else { return };
    let folder = folder.join("broker");
    state(&folder, answers, sheet);
    room(ROOM, &folder, sheet).await;
}

fn state(folder: &Path, answers: bool, sheet: &mut Sheet) {
    let shown = folder.display();
    match inspect(folder) {
        Ok(FolderState::InUse { pid }) if answers => sheet.ok(FOLDER, format!("{shown} is in use by process {pid}")),
        Ok(FolderState::InUse { pid }) => {
            let what = format!("{shown} is in use by process {pid}, and nothing answers where the settings say");
            let wrong =
                Problem::new(what, "look where that `vitals up` listens (--listen), and name that with --brokers");
            sheet.fail(FOLDER, wrong, "a second broker cannot start on this folder");
        }
        // It may well run on another folder (--data).
        Ok(FolderState::Free) => sheet.ok(FOLDER, format!("{shown} is there, and no broker runs on it")),
        Ok(FolderState::Missing) => {
            sheet.ok(FOLDER, format!("{shown} is not there yet (`vitals up` makes it)"));
        }
        Err(error) => sheet.fail_of(FOLDER, &error, "the broker cannot start on it"),
    }
}
