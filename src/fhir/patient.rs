//! Who was admitted, as a `Patient`.

use serde_json::{Value, json};

use super::id;
use crate::admission::Admission;

/// The patient; of one who was never admitted nothing but the id is known.
pub fn of(patient: &str, admission: Option<&Admission>) -> Value {
    let mut resource = json!({
        "resourceType": "Patient",
        "id": id::of_patient(patient),
        "identifier": [{ "value": patient }],
    });
    let Some((admission, members)) = admission.zip(resource.as_object_mut()) else { return resource };
    if let Some(name) = &admission.name {
        members.insert("name".to_owned(), json!([{ "text": name }]));
    }
    if let Some(birth_date) = &admission.birth_date {
        members.insert("birthDate".to_owned(), json!(birth_date));
    }
    resource
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_left_out() {
        let nobody = of("a b", None);
        assert_eq!((&nobody["identifier"][0]["value"], nobody.get("name")), (&json!("a b"), None));
        let name = Some("Ada Bell".to_owned());
        let ada = of("P1", Some(&Admission { name, ..Admission::default() }));
        assert_eq!((&ada["name"][0]["text"], ada.get("birthDate")), (&json!("Ada Bell"), None));
    }
}
