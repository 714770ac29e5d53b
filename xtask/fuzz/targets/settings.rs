//! A settings file, and a value of each variable of the environment.
#![no_main]

use std::ffi::OsString;

use libfuzzer_sys::fuzz_target;
use vitals::settings::{Environment, Flags, resolve};

fuzz_target!(|content: &[u8]| {
    let path = std::env::temp_dir().join(format!("vitals-fuzz-{}.toml", std::process::id()));
    std::fs::write(&path, content).expect("a temporary file");
    let config = [(OsString::from("VITALS_CONFIG"), path.clone().into_os_string())];
    let _ = resolve(&Flags::default(), &config.into_iter().collect());
    let _ = std::fs::remove_file(&path);

    let Some(value) = std::str::from_utf8(content).ok().filter(|value| !value.contains('\0')) else { return };
    let defaults = resolve(&Flags::default(), &Environment::default()).expect("the defaults fit");
    for setting in defaults.resolved {
        // Files that are named are not looked for here.
        if !["config", "profile"].contains(&setting.name) {
            let variable = OsString::from(format!("VITALS_{}", setting.name.to_uppercase()));
            let _ = resolve(&Flags::default(), &[(variable, OsString::from(value))].into_iter().collect());
        }
    }
});
