//! Who lies in the simulated ward: invented, as everything of it.

use std::collections::BTreeMap;

use chrono::Utc;
use color_eyre::eyre::Result;
use fake::Fake as _;
use fake::faker::name::en::{FirstName, LastName};
use rand::SeedableRng as _;
use rand::rngs::Xoshiro256PlusPlus;

use crate::admission::Admission;
use crate::intake::patients::Patients;
use crate::pipeline::store::Entry;
use crate::reading::{PatientId, Timestamp};
use crate::store::{AnyStore, Journal};

/// Admits all of them to the store, and tells who they are. The same seed gives the same names.
pub(super) async fn admit(patients: &Patients, seed: u64, store: &AnyStore) -> Result<BTreeMap<PatientId, Admission>> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let at = Timestamp::from_utc(Utc::now())?.to_string();
    let mut admissions = BTreeMap::new();
    for (number, patient) in (1..).zip(patients.as_slice()) {
        let first: String = FirstName().fake_with_rng(&mut random);
        let last: String = LastName().fake_with_rng(&mut random);
        let admission = Admission {
            name: Some(format!("{first} {last}")),
            ward: Some("Demo".to_owned()),
            bed: Some(number.to_string()),
            admitted_at: at.clone(),
            ..Admission::default()
        };
        let entry = Entry {
            version: number,
            name: patient.to_string(),
            author: "vitals demo".to_owned(),
            reason: "simulated".to_owned(),
            at: at.clone(),
            content: admission.content(),
        };
        store.add_entry(Journal::Patients, &entry).await?;
        admissions.insert(patient.clone(), admission);
    }
    Ok(admissions)
}
