//! The settings. What cannot be used at all has ended the program before.

use super::check::Sheet;
use crate::diagnose::Problem;
use crate::settings::{Settings, Source};

pub(super) const SETTINGS: &str = "settings";

pub(super) fn examine(settings: &Settings, sheet: &mut Sheet) {
    for note in &settings.notes {
        let wrong = Problem::new(note.clone(), "correct the variable's name, or unset it");
        sheet.warn(SETTINGS, wrong, "what it was meant to say is not heard");
    }
    if settings.notes.is_empty() {
        sheet.ok(SETTINGS, given(settings));
    }
}

/// Which settings were given, and by whom.
fn given(settings: &Settings) -> String {
    let mut by_source: Vec<(&Source, Vec<&str>)> = Vec::new();
    for setting in settings.resolved.iter().filter(|setting| setting.source != Source::Default) {
        match by_source.iter_mut().find(|(source, _)| **source == setting.source) {
            Some((_, names)) => names.push(setting.name),
            None => by_source.push((&setting.source, vec![setting.name])),
        }
    }
    let given: Vec<_> = by_source.iter().map(|(source, names)| format!("{} (by {source})", names.join(", "))).collect();
    if given.is_empty() { "all defaults".to_owned() } else { given.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Environment, Flags, resolve};

    fn examined(variables: &[(&str, &str)]) -> Sheet {
        let environment: Environment =
            variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let settings = resolve(&Flags::default(), &environment).unwrap();
        let mut sheet = Sheet::default();
        examine(&settings, &mut sheet);
        sheet
    }

    #[test]
    fn a_setting_is_told_with_who_gave_it() {
        let sheet = examined(&[("VITALS_TOPIC", "ward")]);
        assert_eq!(sheet.checks[0].found, "topic (by environment VITALS_TOPIC)");
    }

    #[test]
    fn a_misspelt_variable_is_a_warning() {
        let sheet = examined(&[("VITALS_TOPCI", "ward")]);
        assert!(sheet.checks[0].found.contains("did you mean VITALS_TOPIC"), "{}", sheet.checks[0].found);
    }
}
