//! Certificates: for whom, and for how long yet.

use chrono::{DateTime, Utc};

use super::Finding;
use crate::output::counted;
use crate::tls::Certificate;

/// Whoever makes certificates wants to know of it as much earlier.
const EARLY_DAYS: i64 = 30;

/// A certificate and whose it is, in words.
pub(crate) type Shown = (String, Certificate);

/// All of them as one finding: the one that runs out first decides.
pub(crate) fn judge(shown: &[Shown], now: DateTime<Utc>) -> Option<Finding> {
    let (whose, first) = shown.iter().min_by_key(|(_, certificate)| certificate.until)?;
    let days = (first.until - now).num_days();
    let words = shown.iter().map(|(whose, certificate)| in_words(whose, certificate)).collect::<Vec<_>>().join("; ");
    if days >= EARLY_DAYS {
        return Some(Finding::ok(words));
    }
    let left = if first.until < now { "has run out".to_owned() } else { format!("ends in {}", counted(days, "day")) };
    let fix = format!("have the certificate of {whose} renewed, and the programs started again that use it");
    Some(Finding::warn(format!("{words}: the first {left}"), fix, "after that nobody is let in, and nothing is stored"))
}

fn in_words(whose: &str, Certificate { names, until }: &Certificate) -> String {
    let names = if names.is_empty() { String::new() } else { format!(" is for {}", names.join(", ")) };
    format!("{whose}{names} until {}", until.format("%Y-%m-%d"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(whose: &str, days: i64) -> Shown {
        let until = DateTime::from_timestamp(days * 86_400, 0).unwrap();
        (whose.to_owned(), Certificate { names: vec!["kafka-1.ward".to_owned()], until })
    }

    #[test]
    fn a_certificate_is_warned_of_a_month_before_its_end() {
        let now = DateTime::from_timestamp(0, 0).unwrap();
        assert_eq!(judge(&[], now), None);
        let fine = judge(&[shown("kafka-1:9093", 30)], now);
        assert_eq!(fine, Some(Finding::ok("kafka-1:9093 is for kafka-1.ward until 1970-01-31")));
        let Some(Finding::Warn(problem, _)) = judge(&[shown("a:1", 300), shown("b:1", 29)], now) else { panic!() };
        assert!(problem.what.ends_with("the first ends in 29 days"), "{}", problem.what);
        assert!(problem.fix.contains("of b:1 renewed"), "{}", problem.fix);
        let Some(Finding::Warn(problem, _)) = judge(&[shown("a:1", -1)], now) else { panic!() };
        assert!(problem.what.ends_with("has run out"), "{}", problem.what);
    }
}
