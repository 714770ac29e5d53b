//! Zig-zag variable-length integers.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Seven bits a byte: a 64-bit number has at most ten.
const MAX_BYTES: u32 = 10;

/// Takes one number from the front of `from`; `None` where it is cut or too long.
pub(super) fn take(from: &mut Bytes) -> Option<i64> {
    let mut value = 0_u64;
    for index in 0..MAX_BYTES {
        let byte = u64::from(from.try_get_u8().ok()?);
        value |= (byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value >> 1).cast_signed() ^ -((value & 1).cast_signed()));
        }
    }
    None
}

/// Puts one number at the end of `to`.
pub(super) fn put(to: &mut BytesMut, value: i64) {
    let mut rest = zig_zag(value);
    while rest >= 0x80 {
        to.put_u8(low_byte(rest) | 0x80);
        rest >>= 7;
    }
    to.put_u8(low_byte(rest));
}

fn zig_zag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

fn low_byte(value: u64) -> u8 {
    let [low, ..] = value.to_le_bytes();
    low & 0x7f
}
