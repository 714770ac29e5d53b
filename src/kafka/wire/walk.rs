//! Goes through a message as its decoder will, and allocates nothing.

use super::shape::{Field, Kind, Message, Tag};
use super::{MAX_PARTS, WireError};

/// How many bytes a varint of 32 bits takes at most; the decoder stops there, whatever the last of them says.
const VARINT_BYTES: u32 = 5;

/// Walks the message in front of `bytes`, and gives the count of bytes behind it.
pub(super) fn through(message: &Message, version: i16, bytes: &[u8]) -> Result<usize, WireError> {
    let mut walk = Walk { rest: bytes, version, flexible: version >= message.flexible, parts: 0 };
    walk.structure(message.fields)?;
    Ok(walk.rest.len())
}

struct Walk<'bytes> {
    rest: &'bytes [u8],
    version: i16,
    flexible: bool,
    parts: usize,
}

impl Walk<'_> {
    fn structure(&mut self, fields: &'static [Field]) -> Result<(), WireError> {
        let (version, mut tags): (_, &[Tag]) = (self.version, &[]);
        for field in fields.iter().filter(|field| field.is_in(version)) {
            match &field.kind {
                Kind::Tagged(known) => tags = known,
                kind => self.field(kind)?,
            }
        }
        if self.flexible { self.tags(tags) } else { Ok(()) }
    }

    fn field(&mut self, kind: &'static Kind) -> Result<(), WireError> {
        match kind {
            Kind::Fixed(size) => self.pass(*size),
            Kind::Text | Kind::Bytes if self.flexible => self.pass_behind_varint(),
            Kind::Text | Kind::OldText => self.text(),
            Kind::Bytes => {
                let length = self.int()?;
                self.pass_unless_null(length)
            }
            Kind::Numbers(size) => {
                let count = self.count()?;
                self.pass(count.checked_mul(*size).ok_or(WireError::Length)?)
            }
            Kind::Texts => self.each(|walk| walk.field(&Kind::Text)),
            Kind::Many(fields) => self.each(|walk| walk.structure(fields)),
            Kind::One(fields) => self.structure(fields),
            // Known tags stand behind the other fields.
            Kind::Tagged(_) => Ok(()),
        }
    }

    fn each(&mut self, mut element: impl FnMut(&mut Self) -> Result<(), WireError>) -> Result<(), WireError> {
        for _ in 0..self.count()? {
            self.take_part()?;
            element(self)?;
        }
        Ok(())
    }

    /// The decoder reads a tag that it knows by its shape, whatever size stands in front of it.
    fn tags(&mut self, known: &'static [Tag]) -> Result<(), WireError> {
        for _ in 0..self.varint()? {
            let tag = self.varint()?;
            let size = self.varint()?;
            match known.get(to_usize(tag)) {
                Some(Tag::Structure(fields)) => self.structure(fields)?,
                Some(Tag::Single(field)) => self.field(&field.kind)?,
                None => {
                    self.take_part()?;
                    self.pass(to_usize(size))?;
                }
            }
        }
        Ok(())
    }

    /// How many elements come. Each takes a byte at least.
    fn count(&mut self) -> Result<usize, WireError> {
        let count = if self.flexible {
            to_usize(self.varint()?).saturating_sub(1)
        } else {
            match self.int()? {
                -1 => 0,
                count => usize::try_from(count).map_err(|_| WireError::Length)?,
            }
        };
        if count > self.rest.len() { Err(WireError::Length) } else { Ok(count) }
    }

    fn take_part(&mut self) -> Result<(), WireError> {
        self.parts += 1;
        if self.parts > MAX_PARTS { Err(WireError::TooManyParts) } else { Ok(()) }
    }

    fn text(&mut self) -> Result<(), WireError> {
        let length = i16::from_be_bytes(self.array()?);
        self.pass_unless_null(i32::from(length))
    }

    fn int(&mut self) -> Result<i32, WireError> {
        self.array().map(i32::from_be_bytes)
    }

    /// One more than the length; 0 is null.
    fn pass_behind_varint(&mut self) -> Result<(), WireError> {
        let length = to_usize(self.varint()?).saturating_sub(1);
        self.pass(length)
    }

    fn varint(&mut self) -> Result<u32, WireError> {
        let mut value = 0;
        for index in 0..VARINT_BYTES {
            let [byte] = self.array()?;
            value |= u32::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                break;
            }
        }
        Ok(value)
    }

    fn pass_unless_null(&mut self, length: i32) -> Result<(), WireError> {
        if length == -1 { Ok(()) } else { self.pass(usize::try_from(length).map_err(|_| WireError::Length)?) }
    }

    fn pass(&mut self, length: usize) -> Result<(), WireError> {
        self.rest = self.rest.get(length..).ok_or(WireError::Length)?;
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (front, rest) = self.rest.split_first_chunk().ok_or(WireError::Length)?;
        self.rest = rest;
        Ok(*front)
    }
}

/// Lengths beyond what this machine can hold are beyond any frame's end too.
fn to_usize(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}
