//! Files of `vitals import`, in both formats. Each line is a row that is taken as it was written, or a fault, and there is an
//! end.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitals::archive::Format;
use vitals::archive::decode::{Entry, Rows, takes};

fuzz_target!(|content: &[u8]| {
    for format in [Format::Csv, Format::Ndjson] {
        let mut rows = Rows::new(content, format).expect("memory can be read");
        let mut entries = 0;
        while let Ok(Some(entry)) = rows.next_entry() {
            assert!(!matches!(&entry, Entry::Row(row) if !takes(row)), "a row that would not come back");
            entries += 1;
            assert!(entries <= content.len(), "more entries than bytes");
        }
    }
});
