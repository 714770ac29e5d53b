//! How a message is described: its fields in their order, each with the versions that have it; and the walk through one
//! as its decoder will go, which allocates nothing.
//!
//! From its first flexible version on a message writes lengths as varints, and ends each of its structures with tagged
//! fields (KIP-482). Both follow from that one number, so that a description holds for all versions.

use super::{MAX_PARTS, WireError};

/// The first flexible version of a message that has none.
pub(super) const NEVER: i16 = i16::MAX;

/// A request's or response's body, or a header.
pub(super) struct Message {
    /// The first and the last version that are spoken here.
    pub(super) versions: (i16, i16),
    /// From which version on lengths are varints and structures end with tagged fields.
    pub(super) flexible: i16,
    pub(super) fields: &'static [Field],
}

impl Message {
    /// Whether it is spoken in this version.
    pub(super) fn has(&self, version: i16) -> bool {
        let (first, last) = self.versions;
        (first..=last).contains(&version)
    }

    /// Walks the message in front of `bytes`, and gives the count of bytes behind it.
    pub(super) fn walk(&self, version: i16, bytes: &[u8]) -> Result<usize, WireError> {
        let mut walk = Walk { rest: bytes, version, flexible: version >= self.flexible, parts: 0 };
        walk.structure(self.fields)?;
        Ok(walk.rest.len())
    }
}

/// A field, and the versions that have it.
pub(super) struct Field {
    pub(super) kind: FieldKind,
    first: i16,
    last: i16,
}

pub(super) enum FieldKind {
    /// So many bytes.
    Fixed(usize),
    /// A text behind its length, or null.
    Text,
    /// As [`Text`](Self::Text), with a plain length in flexible versions too: the one exception, in the header of
    /// requests.
    OldText,
    /// Bytes behind their length, or null.
    Bytes,
    /// Many numbers of so many bytes, behind their count.
    Numbers(usize),
    /// Many texts, behind their count.
    Texts,
    /// Many structures, behind their count.
    Many(&'static [Field]),
    /// One structure, where it stands.
    One(&'static [Field]),
    /// What the tagged fields 0, 1, … hold, in the flexible versions. Others are passed over by their size.
    Tagged(&'static [Tag]),
}

/// What a tagged field holds.
pub(super) enum Tag {
    /// A structure, with tagged fields of its own.
    Structure(&'static [Field]),
    Single(Field),
}

pub(super) const BYTE: Field = always(FieldKind::Fixed(1));
pub(super) const SHORT: Field = always(FieldKind::Fixed(2));
pub(super) const INT: Field = always(FieldKind::Fixed(4));
pub(super) const LONG: Field = always(FieldKind::Fixed(8));
pub(super) const UUID: Field = always(FieldKind::Fixed(16));
pub(super) const TEXT: Field = always(FieldKind::Text);
pub(super) const OLD_TEXT: Field = always(FieldKind::OldText);
pub(super) const BYTES: Field = always(FieldKind::Bytes);
pub(super) const INTS: Field = always(FieldKind::Numbers(4));
pub(super) const TEXTS: Field = always(FieldKind::Texts);

pub(super) const fn many(fields: &'static [Field]) -> Field {
    always(FieldKind::Many(fields))
}

pub(super) const fn one(fields: &'static [Field]) -> Field {
    always(FieldKind::One(fields))
}

/// The tagged fields whose meaning is known.
pub(super) const fn tagged(tags: &'static [Tag]) -> Field {
    always(FieldKind::Tagged(tags))
}

const fn always(kind: FieldKind) -> Field {
    Field { kind, first: 0, last: i16::MAX }
}

/// The same field, in versions from `first` on.
pub(super) const fn since(first: i16, field: Field) -> Field {
    Field { first, ..field }
}

/// The same field, in versions up to `last`.
pub(super) const fn until(last: i16, field: Field) -> Field {
    Field { last, ..field }
}

impl Field {
    /// Whether a message of this version has it.
    pub(super) fn is_in(&self, version: i16) -> bool {
        (self.first..=self.last).contains(&version)
    }
}

/// How many bytes a varint of 32 bits takes at most; the decoder stops there, whatever the last of them says.
const VARINT_BYTES: u32 = 5;

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
                FieldKind::Tagged(known) => tags = known,
                kind => self.field(kind)?,
            }
        }
        if self.flexible { self.tags(tags) } else { Ok(()) }
    }

    fn field(&mut self, kind: &'static FieldKind) -> Result<(), WireError> {
        match kind {
            FieldKind::Fixed(size) => self.pass(*size),
            FieldKind::Text | FieldKind::Bytes if self.flexible => self.pass_behind_varint(),
            FieldKind::Text | FieldKind::OldText => self.text(),
            FieldKind::Bytes => {
                let length = self.int()?;
                self.pass_unless_null(length)
            }
            FieldKind::Numbers(size) => {
                let count = self.count()?;
                self.pass(count.checked_mul(*size).ok_or(WireError::Length)?)
            }
            FieldKind::Texts => self.each(|walk| walk.field(&FieldKind::Text)),
            FieldKind::Many(fields) => self.each(|walk| walk.structure(fields)),
            FieldKind::One(fields) => self.structure(fields),
            // Known tags stand behind the other fields.
            FieldKind::Tagged(_) => Ok(()),
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
