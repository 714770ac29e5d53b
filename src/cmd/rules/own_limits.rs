//! The limits of patients' own under a set that is about to be applied.

use super::RulesCommandError;
use crate::alarm::rules::RuleSet;
use crate::output::Output;
use crate::store::Admissions;

/// Refuses a set under which limits of patients who are in are impossible: their alarms would be silent, or never end, and
/// nobody would know. One whose rule is gone only has no effect, like the alarms of that rule, and comes back with it: that
/// is told.
///
/// # Errors
/// Some are impossible.
pub(super) fn check(set: &RuleSet, admissions: &Admissions, output: &Output) -> Result<(), RulesCommandError> {
    let patients: Vec<_> = admissions.patients.iter().filter(|(_, admission)| admission.is_in()).collect();
    let impossible = |(patient, why): (&String, _)| (patient.clone(), why);
    let refused: Vec<_> = patients
        .iter()
        .filter_map(|(patient, admission)| Some((*patient, set.check_own(admission).err()?)))
        .map(impossible)
        .collect();
    if !refused.is_empty() {
        return Err(RulesCommandError::OwnLimits { set: set.name.clone(), patients: refused });
    }
    for (patient, admission) in patients {
        let gone: Vec<_> = admission.limits.keys().filter(|name| set.limited(name).is_err()).cloned().collect();
        if !gone.is_empty() {
            let (name, gone) = (&set.name, gone.join(", "));
            output
                .note(format_args!("note: {patient}: the own limit of {gone} has no effect, {name} has no such rule"));
        }
    }
    Ok(())
}
