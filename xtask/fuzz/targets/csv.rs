//! CSV files of readings. They are read twice, so there has to be a file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitals::intake::csv::CsvFile;

fuzz_target!(|content: &[u8]| {
    let path = std::env::temp_dir().join(format!("vitals-fuzz-{}.csv", std::process::id()));
    std::fs::write(&path, content).expect("a temporary file");
    if let Ok(file) = CsvFile::open(&path) {
        let _ = file.check();
    }
    let _ = std::fs::remove_file(&path);
});
