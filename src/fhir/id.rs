//! An id of FHIR for any id of ours: there it has 1 to 64 letters, digits, points and hyphens.

use sha2::{Digest as _, Sha256};

/// The longest id of FHIR.
const MAX_CHARS: usize = 64;

/// What stands before the id of somebody whose own cannot be one. Nobody's own may begin so.
const MADE: &str = "x-";

/// The id of a patient. The same for the same patient, another one for each.
pub fn of_patient(patient: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '.';
    let fits = (1..=MAX_CHARS).contains(&patient.len()) && patient.chars().all(is_plain) && !patient.starts_with(MADE);
    if fits { patient.to_owned() } else { format!("{MADE}{}", digest(&[patient])) }
}

/// The id of what these parts name together.
pub fn of_parts(parts: &[&str]) -> String {
    digest(parts)
}

/// 56 letters of hexadecimal: nobody finds two of the same.
fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        // Its length too, so that no two lists of parts run into the same text.
        hash.update(part.len().to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().iter().take(28).fold(String::with_capacity(56), |mut text, byte| {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from_digit(nibble.into(), 16).unwrap_or_default());
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_fits_stays_and_any_other_gets_one_of_its_own() {
        assert_eq!(of_patient("P001"), "P001");
        let made: Vec<_> = ["a/b", "Ä", "x-1", "P 1", &"y".repeat(65)].map(of_patient).into();
        for id in &made {
            let is_plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
            assert!(id.starts_with("x-") && id.len() <= 64 && id.chars().all(is_plain), "{id}");
        }
        let mut apart = made.clone();
        apart.sort_unstable();
        apart.dedup();
        assert_eq!(apart.len(), made.len());
        assert_ne!(of_parts(&["a", "bc"]), of_parts(&["ab", "c"]));
    }
}
