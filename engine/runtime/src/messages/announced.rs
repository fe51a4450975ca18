//! What malls are told, as the store keeps it: encoded once, by the shard that knows the order, and handed on as bytes.

use suanpan_model::{Announced, Lsn};

use crate::codec::append_row;
use crate::store::AnnouncementKey;

/// What malls are told of the records of one batch, in their order.
#[derive(Clone, Debug, Default)]
pub struct AnnouncedRows {
    /// Position of the batch's first record, from which those of the rows count.
    pub first: Lsn,
    places: Vec<(AnnouncementKey, u32)>,
    bytes: Vec<u8>,
}

impl AnnouncedRows {
    /// None, with room for as many as there are in `others`.
    #[must_use]
    pub fn like(others: &Self) -> Self {
        Self {
            first: Lsn(0),
            places: Vec::with_capacity(others.places.len()),
            bytes: Vec::with_capacity(others.bytes.len()),
        }
    }

    /// Adds one; the position in its number counts from the batch's first record.
    ///
    /// # Panics
    /// When a batch has 4 GiB of them, which no gate lets in.
    pub fn push(&mut self, announced: &Announced) {
        let id = announced.id;
        append_row(&announced.announcement, &mut self.bytes);
        let end = u32::try_from(self.bytes.len()).expect("the rows of a batch are bounded");
        self.places.push(((announced.platform.0, id.lsn.0, id.place), end));
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The rows under their keys.
    pub fn rows(&self) -> impl Iterator<Item = (AnnouncementKey, &[u8])> {
        let mut begin = 0;
        self.places.iter().map(move |((platform, position, place), end)| {
            let row = &self.bytes[begin..*end as usize];
            begin = *end as usize;
            ((*platform, self.first.0 + position, *place), row)
        })
    }
}

impl<'a> FromIterator<&'a Announced> for AnnouncedRows {
    fn from_iter<I: IntoIterator<Item = &'a Announced>>(announced: I) -> Self {
        let mut rows = Self::default();
        announced.into_iter().for_each(|one| rows.push(one));
        rows
    }
}
