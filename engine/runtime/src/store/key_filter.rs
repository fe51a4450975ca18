//! A filter in memory in front of the order keys of the archive.

/// Words of a bucket: 64 bytes, one cache line.
const WORDS: usize = 8;
/// Bits per bucket.
const BUCKET_BITS: usize = WORDS * 64;
/// At 12 bits a key and one bit in each of the 8 words, a full block errs in about 0.5 % of lookups.
const BITS_PER_KEY: usize = 12;
/// Buckets of the first block: 512 KiB, some 350 000 keys.
const FIRST_BUCKETS: usize = 8 * 1024;

/// Says "surely new" or "perhaps seen" of an order key, so that a new order need not ask the disk.
/// Never says "surely new" of a key that was inserted.
///
/// A chain of blocked Bloom filters, each twice the size of the one before, at 12 bits a key: about
/// 0.5 % false alarms per full block, so some 2 % at 5 million keys and 5 % at 300 million. Make it
/// [`with_capacity`](Self::with_capacity) when the number of keys is known, at start, and there is one
/// block.
#[derive(Debug, Clone)]
pub struct KeyFilter {
    pub(super) blocks: Vec<Block>,
    len: usize,
}

#[derive(Debug, Clone)]
pub(super) struct Block {
    words: Vec<u64>,
    room: usize,
}

/// Where a key stands in a block of any size: `place` picks the bucket, six bits of `bits` a word pick
/// the bit in each.
#[derive(Clone, Copy)]
struct Probe {
    place: u64,
    bits: u64,
}

impl Default for KeyFilter {
    fn default() -> Self {
        Self::new()
    }
}

impl KeyFilter {
    /// An empty filter of 512 KiB.
    pub fn new() -> Self {
        Self::with_buckets(FIRST_BUCKETS)
    }

    /// An empty filter with room for `keys` in its first block.
    pub fn with_capacity(keys: usize) -> Self {
        let buckets = keys.saturating_mul(BITS_PER_KEY).div_ceil(BUCKET_BITS);
        Self::with_buckets(buckets.max(FIRST_BUCKETS))
    }

    /// A small first block lets tests see long chains.
    pub(super) fn with_buckets(buckets: usize) -> Self {
        KeyFilter { blocks: vec![Block::new(buckets)], len: 0 }
    }

    /// Remembers a key.
    pub fn insert(&mut self, key: u128) {
        let probe = Probe::of(key);
        // A key that already reads as seen needs no bits: a batch fed again does not fill the filter.
        if self.seen(probe) {
            return;
        }
        if self.blocks.last().is_none_or(|block| block.room == 0) {
            let last = self.blocks.last().map_or(1, Block::buckets);
            self.blocks.push(Block::new(last * 2));
        }
        if let Some(block) = self.blocks.last_mut() {
            block.insert(probe);
        }
        self.len += 1;
    }

    /// False: surely never inserted. True: perhaps inserted, ask the archive.
    pub fn contains(&self, key: u128) -> bool {
        self.seen(Probe::of(key))
    }

    fn seen(&self, probe: Probe) -> bool {
        // The newest block is the largest and holds most keys.
        self.blocks.iter().rev().any(|block| block.contains(probe))
    }

    /// Memory of the filter, in bytes. A fresh block takes real memory only as it fills.
    pub fn bytes(&self) -> usize {
        self.blocks.iter().map(|b| b.words.len() * 8).sum()
    }

    /// Keys inserted, less those that already read as seen: up to a few percent below the truth.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no key was inserted.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl Probe {
    fn of(key: u128) -> Probe {
        // Fingerprints are hashes already; the mixing is insurance against a caller whose are not.
        let halves = (high(key) ^ 0x9e37_79b9_7f4a_7c15, low(key) ^ 0xd6e8_feb8_6659_fd93);
        let mixed = u128::from(halves.0) * u128::from(halves.1 | 1);
        let place = mix(high(mixed) ^ low(mixed) ^ low(key).rotate_left(29) ^ high(key));
        Probe { place, bits: mix(place ^ low(key)) }
    }
}

impl Block {
    fn new(buckets: usize) -> Block {
        Block {
            // Zeroed by the allocator: a large block costs nothing until it is touched.
            words: vec![0; buckets * WORDS],
            room: buckets * BUCKET_BITS / BITS_PER_KEY,
        }
    }

    fn buckets(&self) -> usize {
        self.words.len() / WORDS
    }

    /// The first word of the key's bucket.
    fn start(&self, probe: Probe) -> usize {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the high half of the product is below the number of buckets"
        )]
        let bucket = high(u128::from(probe.place) * self.buckets() as u128) as usize;
        bucket * WORDS
    }

    fn insert(&mut self, probe: Probe) {
        let start = self.start(probe);
        for (i, word) in self.words[start..start + WORDS].iter_mut().enumerate() {
            *word |= probe.mask(i);
        }
        self.room -= 1;
    }

    fn contains(&self, probe: Probe) -> bool {
        let start = self.start(probe);
        let bucket = &self.words[start..start + WORDS];
        bucket.iter().enumerate().all(|(i, word)| word & probe.mask(i) != 0)
    }
}

impl Probe {
    fn mask(self, word: usize) -> u64 {
        1 << ((self.bits >> (6 * word)) & 63)
    }
}

/// The finalizer of splitmix64: every bit of the input moves every bit of the output.
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn high(x: u128) -> u64 {
    (x >> 64) as u64
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is meant")]
fn low(x: u128) -> u64 {
    x as u64
}
