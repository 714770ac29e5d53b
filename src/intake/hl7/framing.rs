//! MLLP: a message between a start byte and an end byte.
//!
//! A frame ends with its end byte. The carriage return that has to follow is passed over where it comes, and not waited
//! for where it does not: a sender that leaves it out waits for its answer.

use bytes::{Buf as _, Bytes, BytesMut};

/// What a frame begins with.
pub const START: u8 = 0x0B;
/// What a frame ends with, before a carriage return.
pub const END: u8 = 0x1C;

/// The longest message. Those with the signs of a patient have some 10 KiB; the rest is room for waveforms beside them.
pub const MAX_FRAME_BYTES: usize = 1024 * 1024;

/// What stands between a start and an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A message, as it came.
    Whole(Bytes),
    /// What came before another start: its end is missing, and nobody knows what else is.
    Unended(Bytes),
}

impl Frame {
    /// What came.
    pub fn bytes(&self) -> &Bytes {
        let (Self::Whole(bytes) | Self::Unended(bytes)) = self;
        bytes
    }
}

/// Why no frame can be expected any more.
#[allow(missing_docs, reason = "each message says what it is")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    #[error("it does not speak MLLP: a message begins with the byte 0x0B")]
    NoStart,
    #[error("it speaks TLS, and this port does not")]
    Tls,
    #[error("it speaks HTTP, and this port does not")]
    Http,
    #[error("a message has more than {MAX_FRAME_BYTES} bytes")]
    TooLong,
}

/// What was read of a connection and is no frame yet.
#[derive(Debug, Default)]
pub struct Inbox {
    /// What is to be read into.
    pub buffer: BytesMut,
    /// Whether a frame has begun; the buffer then holds what is behind its start.
    is_open: bool,
    /// So much of an open frame has neither an end nor a start.
    scanned: usize,
}

impl Inbox {
    /// Whether a frame has begun and not ended.
    pub fn is_open(&self) -> bool {
        self.is_open
    }

    /// The next frame, where one is there.
    ///
    /// # Errors
    /// Something else than a frame comes, or one that is too long.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FramingError> {
        if !self.is_open && !self.open()? {
            return Ok(None);
        }
        let fresh = self.buffer.get(self.scanned..).unwrap_or_default();
        let Some(mark) = fresh.iter().position(|byte| matches!(*byte, START | END)).map(|at| self.scanned + at) else {
            self.scanned = self.buffer.len();
            return if self.scanned > MAX_FRAME_BYTES { Err(FramingError::TooLong) } else { Ok(None) };
        };
        if mark > MAX_FRAME_BYTES {
            return Err(FramingError::TooLong);
        }
        self.scanned = 0;
        let frame = self.buffer.split_to(mark).freeze();
        self.is_open = self.buffer.get_u8() == START;
        Ok(Some(if self.is_open { Frame::Unended(frame) } else { Frame::Whole(frame) }))
    }

    /// Passes over what may stand between frames, up to the next start.
    fn open(&mut self) -> Result<bool, FramingError> {
        let is_filling = |byte: &u8| matches!(byte, b'\r' | b'\n' | b' ' | 0);
        let filling = self.buffer.iter().take_while(|byte| is_filling(byte)).count();
        self.buffer.advance(filling);
        match self.buffer.first() {
            None => return Ok(false),
            Some(&START) => {}
            // The first byte of a TLS handshake, and the first letters of methods.
            Some(0x16) => return Err(FramingError::Tls),
            Some(b'G' | b'P' | b'H' | b'O') => return Err(FramingError::Http),
            Some(_) => return Err(FramingError::NoStart),
        }
        self.buffer.advance(1);
        (self.is_open, self.scanned) = (true, 0);
        Ok(true)
    }
}

/// Puts a message into a frame.
pub fn framed(message: &[u8]) -> Vec<u8> {
    [&[START], message, &[END, b'\r']].concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The frames of what comes in these pieces, and why there are no more.
    fn frames<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Frame>, Option<FramingError>) {
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

    fn whole(text: &'static str) -> Frame {
        Frame::Whole(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn several_messages_in_one_read_are_several_frames_and_one_in_several_reads_is_one() {
        let stream = b"\x0bMSH|1\r\x1c\r\x0bMSH|2\r\x1c\r".as_slice();
        let expected = vec![whole("MSH|1\r"), whole("MSH|2\r")];
        assert_eq!(frames([stream]), (expected.clone(), None));
        assert_eq!(frames(stream.chunks(1)), (expected, None));
    }

    #[test]
    fn a_missing_return_behind_the_end_is_not_waited_for_and_filling_is_passed_over() {
        assert_eq!(frames([b"\x0ba\x1c".as_slice()]), (vec![whole("a")], None));
        let stream = b"\r\n\0 \x0ba\x1c\x0bb\x1c\r\r\n\n\0\0\x0bc\x1c\r".as_slice();
        assert_eq!(frames([stream]), (vec![whole("a"), whole("b"), whole("c")], None));
    }

    #[test]
    fn a_frame_without_an_end_is_told_from_the_next_one() {
        let unended = Frame::Unended(Bytes::from_static(b"MSH|1\r"));
        assert_eq!(frames([b"\x0bMSH|1\r\x0bMSH|2\r\x1c\r".as_slice()]), (vec![unended, whole("MSH|2\r")], None));
    }

    #[test]
    fn what_is_no_frame_is_told_with_what_it_seems_to_be() {
        for (said, error) in [
            (b"\x16\x03\x01".as_slice(), FramingError::Tls),
            (b"GET / HTTP/1.1\r\n", FramingError::Http),
            (b"MSH|^~\\&|", FramingError::NoStart),
            (b"\x0ba\x1c\rnoise", FramingError::NoStart),
        ] {
            assert_eq!(frames([said]).1, Some(error));
        }
    }

    #[test]
    fn the_longest_message_is_taken_and_a_longer_one_is_not_waited_for() {
        let longest = [&[START][..], &vec![b'x'; MAX_FRAME_BYTES], &[END]].concat();
        assert_eq!(frames([&longest[..]]).0.len(), 1);
        let longer = [&[START][..], &vec![b'x'; MAX_FRAME_BYTES + 1]].concat();
        assert_eq!(frames([&longer[..]]), (Vec::new(), Some(FramingError::TooLong)));
        assert_eq!(frames(longer.chunks(1000)).1, Some(FramingError::TooLong));
        assert_eq!(frames([&[&longer[..], &[END]].concat()[..]]).1, Some(FramingError::TooLong));
    }

    proptest! {
        #[test]
        fn however_it_is_cut_the_frames_are_the_same(
            bytes in prop::collection::vec(prop::sample::select(&[START, END, b'\r', b'\n', b'a', 0, 0x16][..]), 0..60),
            cut in any::<prop::sample::Index>(),
        ) {
            let (before, behind) = bytes.split_at(cut.index(bytes.len() + 1));
            prop_assert_eq!(frames([&bytes[..]]), frames([before, behind]));
        }
    }
}
