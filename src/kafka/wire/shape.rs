//! How a message is described: its fields in their order, each with the versions that have it.
//!
//! From its first flexible version on a message writes lengths as varints, and ends each of its structures with tagged
//! fields (KIP-482). Both follow from that one number, so that a description holds for all versions.

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
}

/// A field, and the versions that have it.
pub(super) struct Field {
    pub(super) kind: Kind,
    first: i16,
    last: i16,
}

/// What a field holds.
pub(super) enum Kind {
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
    /// One field.
    Single(Field),
}

pub(super) const BYTE: Field = always(Kind::Fixed(1));
pub(super) const SHORT: Field = always(Kind::Fixed(2));
pub(super) const INT: Field = always(Kind::Fixed(4));
pub(super) const LONG: Field = always(Kind::Fixed(8));
pub(super) const UUID: Field = always(Kind::Fixed(16));
pub(super) const TEXT: Field = always(Kind::Text);
pub(super) const OLD_TEXT: Field = always(Kind::OldText);
pub(super) const BYTES: Field = always(Kind::Bytes);
pub(super) const INTS: Field = always(Kind::Numbers(4));
pub(super) const TEXTS: Field = always(Kind::Texts);

/// Many structures with these fields.
pub(super) const fn many(fields: &'static [Field]) -> Field {
    always(Kind::Many(fields))
}

/// A structure with these fields.
pub(super) const fn one(fields: &'static [Field]) -> Field {
    always(Kind::One(fields))
}

/// The tagged fields whose meaning is known.
pub(super) const fn tagged(tags: &'static [Tag]) -> Field {
    always(Kind::Tagged(tags))
}

const fn always(kind: Kind) -> Field {
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
