//! Encodes in postcard's format, several times faster than postcard does.
//!
//! Encoding is a large part of what an order costs. Postcard hands each number to its output as a slice of unknown
//! length, which is a call to copy a few bytes; here a number is spread over eight bytes at once and stored as one word
//! into room that is there already; the next one is written over what was too much. What is written here is read by
//! postcard; a property keeps the two alike.

use postcard::{Error, Result};
use serde::ser::{self, Serialize};

/// What is filled with zeros ahead of what is written, so that most values fit in it.
const ROOM: usize = 512;

/// Bytes that values are appended to. Behind what is written there is room, which is cut off at the end: so a number is one
/// store at a known place instead of an append that asks for capacity.
pub(crate) struct Encoder {
    bytes: Vec<u8>,
    end: usize,
}

/// The sevens of bits of the low 56 of `number`, each in a byte of its own.
#[inline]
const fn spread(number: u64) -> u64 {
    let halves = (number & 0x0fff_ffff) | (number & 0x00ff_ffff_f000_0000) << 4;
    let quarters = (halves & 0x0000_3fff_0000_3fff) | (halves & 0x0fff_c000_0fff_c000) << 2;
    (quarters & 0x007f_007f_007f_007f) | (quarters & 0x3f80_3f80_3f80_3f80) << 1
}

const CONTINUED: u64 = 0x8080_8080_8080_8080;

impl Encoder {
    /// Appends to `bytes`.
    #[inline]
    pub(super) fn onto(bytes: Vec<u8>) -> Self {
        Self::with_room(bytes, ROOM)
    }

    /// Appends to `bytes` what will likely fit into `room` bytes.
    #[inline]
    pub(crate) fn with_room(mut bytes: Vec<u8>, room: usize) -> Self {
        let end = bytes.len();
        bytes.resize(end + room, 0);
        Self { bytes, end }
    }

    /// What was there before and what was appended.
    #[inline]
    pub(crate) fn into_bytes(mut self) -> Vec<u8> {
        self.bytes.truncate(self.end);
        self.bytes
    }

    #[cold]
    #[inline(never)]
    fn make_room(&mut self, more: usize) {
        self.bytes.resize((self.end + more + ROOM).max(self.bytes.len() * 2), 0);
    }

    /// Appends a byte as it is.
    #[inline]
    pub(crate) fn byte(&mut self, byte: u8) {
        let Some(place) = self.bytes.get_mut(self.end) else { return self.byte_in_new_room(byte) };
        *place = byte;
        self.end += 1;
    }

    /// A call of its own that takes the value along: so the usual way has no registers to save. Likewise for a word.
    #[cold]
    #[inline(never)]
    fn byte_in_new_room(&mut self, byte: u8) {
        self.make_room(1);
        self.byte(byte);
    }

    /// Appends the first `length` bytes of a word, at most eight; where they end is written over by what follows.
    #[inline]
    fn word(&mut self, word: u64, length: usize) {
        let place = self.bytes.get_mut(self.end..).and_then(<[u8]>::first_chunk_mut::<8>);
        let Some(place) = place else { return self.word_in_new_room(word, length) };
        *place = word.to_le_bytes();
        self.end += length;
    }

    #[cold]
    #[inline(never)]
    fn word_in_new_room(&mut self, word: u64, length: usize) {
        self.make_room(8);
        self.word(word, length);
    }

    /// Appends a number, seven bits a byte, the lowest first.
    #[inline]
    pub(crate) fn number(&mut self, number: u64) {
        match number {
            0..0x80 => self.byte((number & 0x7f) as u8),
            0x80..0x4000 => self.word((number & 0x7f) | 0x80 | number >> 7 << 8, 2),
            0x4000..0x0100_0000_0000_0000 => self.several(number),
            _ => self.nine_or_ten(number),
        }
    }

    /// A number of three to eight bytes.
    #[inline(never)]
    fn several(&mut self, number: u64) {
        let sevens = spread(number);
        // Where the byte of the highest seven begins, in bits. All before it are continued.
        let last = sevens.ilog2() & 0x38;
        let continued = CONTINUED & ((1 << last) - 1);
        self.word(sevens | continued, last as usize / 8 + 1);
    }

    /// A number of more than 56 bits.
    #[inline(never)]
    fn nine_or_ten(&mut self, number: u64) {
        self.word(spread(number) | CONTINUED, 8);
        match number >> 56 {
            high @ 0..0x80 => self.byte((high & 0x7f) as u8),
            // Its top bit is there already, as the mark that a byte follows, and is all that the tenth byte holds.
            high => self.word(high | 0x100, 2),
        }
    }

    /// Appends a number as [`Encoder::number`] does.
    #[inline]
    pub(crate) fn long_number(&mut self, mut number: u128) {
        while number > u128::from(u64::MAX) {
            self.byte((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.number((number & 0xffff_ffff_ffff_ffff) as u64);
    }

    #[inline]
    fn length(&mut self, length: Option<usize>) -> Result<()> {
        self.number(length.ok_or(Error::SerializeSeqLengthUnknown)? as u64);
        Ok(())
    }

    #[inline]
    fn raw(&mut self, bytes: &[u8]) {
        if self.bytes.len() - self.end < bytes.len() {
            self.make_room(bytes.len());
        }
        self.bytes[self.end..self.end + bytes.len()].copy_from_slice(bytes);
        self.end += bytes.len();
    }

    #[inline]
    fn slice(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.raw(bytes);
    }
}

macro_rules! numbers {
    ($($name:ident($kind:ty)),*) => {
        $(#[inline]
        fn $name(self, number: $kind) -> Result<()> {
            self.number(u64::from(number));
            Ok(())
        })*
    };
}

macro_rules! signed {
    ($($name:ident($kind:ty)),*) => {
        $(#[inline]
        fn $name(self, number: $kind) -> Result<()> {
            let number = i64::from(number);
            self.number((number << 1 ^ number >> 63).cast_unsigned());
            Ok(())
        })*
    };
}

impl ser::Serializer for &mut Encoder {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    fn is_human_readable(&self) -> bool {
        false
    }

    numbers!(serialize_u16(u16), serialize_u32(u32), serialize_u64(u64));
    signed!(serialize_i16(i16), serialize_i32(i32), serialize_i64(i64));

    #[inline]
    fn serialize_bool(self, value: bool) -> Result<()> {
        self.byte(u8::from(value));
        Ok(())
    }

    #[inline]
    fn serialize_u8(self, number: u8) -> Result<()> {
        self.byte(number);
        Ok(())
    }

    #[inline]
    fn serialize_i8(self, number: i8) -> Result<()> {
        self.byte(number.cast_unsigned());
        Ok(())
    }

    #[inline]
    fn serialize_u128(self, number: u128) -> Result<()> {
        self.long_number(number);
        Ok(())
    }

    #[inline]
    fn serialize_i128(self, number: i128) -> Result<()> {
        self.long_number(super::zigzag(number));
        Ok(())
    }

    fn serialize_f32(self, number: f32) -> Result<()> {
        self.raw(&number.to_bits().to_le_bytes());
        Ok(())
    }

    fn serialize_f64(self, number: f64) -> Result<()> {
        self.raw(&number.to_bits().to_le_bytes());
        Ok(())
    }

    fn serialize_char(self, letter: char) -> Result<()> {
        self.slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(())
    }

    #[inline]
    fn serialize_str(self, text: &str) -> Result<()> {
        self.slice(text.as_bytes());
        Ok(())
    }

    #[inline]
    fn serialize_bytes(self, bytes: &[u8]) -> Result<()> {
        self.slice(bytes);
        Ok(())
    }

    #[inline]
    fn serialize_none(self) -> Result<()> {
        self.byte(0);
        Ok(())
    }

    #[inline]
    fn serialize_some<T: ?Sized + Serialize>(self, value: &T) -> Result<()> {
        self.byte(1);
        value.serialize(self)
    }

    #[inline]
    fn serialize_unit(self) -> Result<()> {
        Ok(())
    }

    #[inline]
    fn serialize_unit_struct(self, _: &'static str) -> Result<()> {
        Ok(())
    }

    #[inline]
    fn serialize_unit_variant(self, _: &'static str, variant: u32, _: &'static str) -> Result<()> {
        self.number(u64::from(variant));
        Ok(())
    }

    #[inline]
    fn serialize_newtype_struct<T: ?Sized + Serialize>(self, _: &'static str, value: &T) -> Result<()> {
        value.serialize(self)
    }

    #[inline]
    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        self,
        _: &'static str,
        variant: u32,
        _: &'static str,
        value: &T,
    ) -> Result<()> {
        self.number(u64::from(variant));
        value.serialize(self)
    }

    #[inline]
    fn serialize_seq(self, length: Option<usize>) -> Result<Self> {
        self.length(length)?;
        Ok(self)
    }

    #[inline]
    fn serialize_tuple(self, _: usize) -> Result<Self> {
        Ok(self)
    }

    #[inline]
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self> {
        Ok(self)
    }

    #[inline]
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        variant: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self> {
        self.number(u64::from(variant));
        Ok(self)
    }

    #[inline]
    fn serialize_map(self, length: Option<usize>) -> Result<Self> {
        self.length(length)?;
        Ok(self)
    }

    #[inline]
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self> {
        Ok(self)
    }

    #[inline]
    fn serialize_struct_variant(
        self,
        _: &'static str,
        variant: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self> {
        self.number(u64::from(variant));
        Ok(self)
    }
}

macro_rules! elements {
    ($($kind:ident::$name:ident),*) => {
        $(impl ser::$kind for &mut Encoder {
            type Ok = ();
            type Error = Error;

            #[inline]
            fn $name<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<()> {
                value.serialize(&mut **self)
            }

            #[inline]
            fn end(self) -> Result<()> {
                Ok(())
            }
        })*
    };
}

macro_rules! fields {
    ($($kind:ident),*) => {
        $(impl ser::$kind for &mut Encoder {
            type Ok = ();
            type Error = Error;

            #[inline]
            fn serialize_field<T: ?Sized + Serialize>(&mut self, _: &'static str, value: &T) -> Result<()> {
                value.serialize(&mut **self)
            }

            #[inline]
            fn end(self) -> Result<()> {
                Ok(())
            }
        })*
    };
}

elements!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);
fields!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for &mut Encoder {
    type Ok = ();
    type Error = Error;

    #[inline]
    fn serialize_key<T: ?Sized + Serialize>(&mut self, key: &T) -> Result<()> {
        key.serialize(&mut **self)
    }

    #[inline]
    fn serialize_value<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<()> {
        value.serialize(&mut **self)
    }

    #[inline]
    fn end(self) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    enum Kind {
        Unit,
        New(i128),
        Tuple(u16, i16, Option<char>),
        Struct { text: String, flag: bool, small: (i8, u8) },
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct New(u64);

    type Everything = (Vec<Kind>, New, BTreeMap<u32, (i32, i64)>, (), (u128, f32, f64));

    fn kind() -> impl Strategy<Value = Kind> {
        prop_oneof![
            Just(Kind::Unit),
            any::<i128>().prop_map(Kind::New),
            any::<(u16, i16, Option<char>)>().prop_map(|(a, b, c)| Kind::Tuple(a, b, c)),
            any::<(String, bool, (i8, u8))>().prop_map(|(text, flag, small)| Kind::Struct {
                text,
                flag,
                small
            }),
        ]
    }

    /// What is written behind a byte with little or much room ahead, which must be the same, and what postcard writes.
    fn both<T: Serialize>(value: &T) -> (Vec<u8>, Vec<u8>) {
        let mut known = vec![7];
        known.extend(postcard::to_stdvec(value).unwrap());
        let write = |mut encoder: Encoder| {
            value.serialize(&mut encoder).unwrap();
            encoder.into_bytes()
        };
        let ours = write(Encoder::onto(vec![7]));
        for room in (0..24).chain([known.len() - 1, known.len()]) {
            assert_eq!(write(Encoder::with_room(vec![7], room)), ours, "room for {room} bytes");
        }
        (ours, known)
    }

    #[test]
    fn numbers_of_every_length_are_written_as_postcard_writes_them() {
        for bits in 0..=64_u32 {
            let edge = 1_u64.checked_shl(bits).unwrap_or(0);
            for number in [edge.wrapping_sub(1), edge, edge.wrapping_add(1), edge ^ 0x5555_5555_5555_5555] {
                let (ours, known) = both(&number);
                assert_eq!(ours, known, "{number:#x}");
                let (ours, known) = both(&(u128::from(number) << 40, i128::from(number) << 40));
                assert_eq!(ours, known, "{number:#x}");
            }
        }
    }

    proptest! {
        #[test]
        fn everything_is_written_as_postcard_writes_it(
            kinds in proptest::collection::vec(kind(), 0..4),
            number: u64,
            map: BTreeMap<u32, (i32, i64)>,
            long: u128,
            floats: (f32, f64),
        ) {
            let everything: Everything = (kinds, New(number), map, (), (long, floats.0, floats.1));
            let (ours, known) = both(&everything);
            prop_assert_eq!(ours, known);
        }
    }
}
