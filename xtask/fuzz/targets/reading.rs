//! Messages of the topic: any bytes are a reading or a refusal, and what was read is read again from what it is written as.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitals::reading::{decode, encode};

fuzz_target!(|message: &[u8]| {
    if let Ok(reading) = decode(message) {
        assert_eq!(decode(&encode(&reading)).as_ref(), Ok(&reading));
    }
});
