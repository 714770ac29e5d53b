//! How long rows are kept, against what the settings ask for.

use super::{Finding, Problem, command};
use crate::settings::Settings;
use crate::span::Keep;
use crate::store::{Kept, Retention, RetentionChange};

/// Why it matters that the settings ask for something else.
const NOTHING_CHANGES: &str =
    "what stands in the store is in force for all; settings alone delete nothing and keep nothing";

/// What is in force, in words: `readings are kept 30d, minutes for ever, alarms for ever, since … by Anna`.
pub(crate) fn in_words(retention: &Retention) -> String {
    let Kept { raw, minutes, alerts } = retention.in_force();
    let since = retention.last().map(|RetentionChange { at, by, .. }| format!(", since {at} by {by}"));
    let [raw, minutes, alerts] = [raw, minutes, alerts].map(shown);
    format!("readings are kept {raw}, minutes {minutes}, alarms {alerts}{}", since.unwrap_or_default())
}

/// `30d`, or `for ever`.
pub(crate) fn shown(keep: Keep) -> String {
    if keep == Keep::All { "for ever".to_owned() } else { keep.to_string() }
}

/// What the settings ask for that is not in force.
pub(crate) fn unmet(retention: &Retention, settings: &Settings) -> Option<Problem> {
    let Kept { raw, minutes, alerts } = retention.in_force();
    let [wished_raw, wished_minutes, wished_alerts] = settings.wished_retention();
    let of = |what: &str, wished: Option<Keep>, kept: Keep| {
        let wished = wished.filter(|wished| *wished != kept)?;
        Some(format!("the settings ask for {what} to be kept {}, and in force is {}", shown(wished), shown(kept)))
    };
    let parts =
        [of("readings", wished_raw, raw), of("minutes", wished_minutes, minutes), of("alarms", wished_alerts, alerts)];
    let unmet: Vec<_> = parts.into_iter().flatten().collect();
    let cure =
        format!("{} shows what that would change, and puts it in force", command(settings, "retention set --dry-run"));
    (!unmet.is_empty()).then(|| Problem::new(unmet.join("; "), cure))
}

/// Whether the settings ask for what is in force.
pub(crate) fn judge(retention: &Retention, settings: &Settings) -> Finding {
    match unmet(retention, settings) {
        None => Finding::ok(in_words(retention)),
        Some(problem) => Finding::Warn(problem, NOTHING_CHANGES),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Environment, Flags, resolve};

    fn settings(variables: &[(&str, &str)]) -> Settings {
        let environment: Environment =
            variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        resolve(&Flags::default(), &environment).unwrap()
    }

    #[test]
    fn what_the_settings_say_nothing_of_may_be_as_it_is() {
        let keeps_all = Retention::default();
        assert_eq!(unmet(&keeps_all, &settings(&[])), None);
        assert_eq!(unmet(&keeps_all, &settings(&[("VITALS_KEEP_RAW", "keep")])), None);
        assert_eq!(in_words(&keeps_all), "readings are kept for ever, minutes for ever, alarms for ever");
    }

    #[test]
    fn what_is_not_as_the_settings_ask_is_told_with_what_mends_it() {
        let unmet =
            unmet(&Retention::default(), &settings(&[("VITALS_KEEP_RAW", "30d"), ("VITALS_KEEP_ALERTS", "400d")]));
        let Problem { what, fix } = unmet.unwrap();
        let expected = "the settings ask for readings to be kept 30d, and in force is for ever; the settings ask for alarms \
                        to be kept 400d, and in force is for ever";
        assert_eq!(what, expected);
        assert!(fix.starts_with("vitals retention set --dry-run"), "{fix}");
    }
}
