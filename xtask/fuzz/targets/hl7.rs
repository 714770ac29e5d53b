//! HL7 v2: a stream of MLLP frames, which are the same however it is cut, and each of them as a message. The first byte says
//! where it is cut and who sends.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use vitals::intake::hl7::framing::{END, Frame, FramingError, Inbox, START};
use vitals::intake::hl7::judge::judge;
use vitals::intake::hl7::sender::{BUILT_IN, Sender};

fn frames(pieces: [&[u8]; 2]) -> (Vec<Frame>, Option<FramingError>) {
    let (mut inbox, mut frames) = (Inbox::default(), Vec::new());
    for piece in pieces {
        inbox.buffer.extend_from_slice(piece);
        loop {
            match inbox.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    (frames, None)
}

fuzz_target!(|content: &[u8]| {
    let Some((choice, stream)) = content.split_first() else { return };
    let cut = stream.len() * usize::from(*choice) / 256;
    let (before, behind) = stream.split_at(cut);
    let whole = frames([stream, &[]]);
    assert_eq!(whole, frames([before, behind]), "cut behind {cut} bytes");
    let name = BUILT_IN[usize::from(*choice) % BUILT_IN.len()];
    let sender = Sender::built_in(name).expect("built in");
    let received = "2025-10-26T10:30:21Z".parse().expect("a time");
    for frame in whole.0.into_iter().chain([Frame::Whole(Bytes::copy_from_slice(stream))]) {
        let judged = judge(&frame, &sender, received, 7);
        let is_framed = judged.answer.starts_with(&[START]) && judged.answer.ends_with(&[END, b'\r']);
        assert!(judged.answer.is_empty() || is_framed, "an answer without its frame");
    }
    let _ = std::str::from_utf8(stream).map(Sender::parse);
});
