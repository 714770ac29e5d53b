//! Files of `vitals import`, in both formats. Each line is a row or a fault, and there is an end.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitals::archive::Format;
use vitals::archive::decode::Rows;

fuzz_target!(|content: &[u8]| {
    for format in [Format::Csv, Format::Ndjson] {
        let mut rows = Rows::new(content, format).expect("memory can be read");
        let mut entries = 0;
        while let Ok(Some(_)) = rows.next_entry() {
            entries += 1;
            assert!(entries <= content.len(), "more entries than bytes");
        }
    }
});
