//! Statements: postings packed per account, ready for the archive.
//!
//! A chunk holds consecutive lines of one account: a header with the opening balance and first position, then lines
//! as differences. Chunks never split a log position. After a crash the same stretch may be packed again with other
//! limits: a reader skips lines at positions that an earlier chunk already told.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;
use suanpan_core::ledger::Instruction;
use suanpan_model::{AccountId, Amount, CauseId, EntryCode, Lsn, Posting, Side, TimestampMs};

use crate::api::StatementLine;
use crate::codec::{CodecFault, Encoder, take_varint, unzigzag, zigzag};

/// A chunk is handed over when it has grown to this many bytes.
const CHUNK_BYTES: usize = 16 << 10;

/// What a line takes at most, and what is written behind it for speed.
const LINE_BYTES_MAX: usize = 64;
/// The same of a chunk's head.
const HEAD_BYTES_MAX: usize = 64;

#[derive(Debug)]
struct Chunk {
    first_lsn: Lsn,
    last_lsn: Lsn,
    last_at_ms: u64,
    last_cause: u64,
    bytes: Vec<u8>,
}

/// Key and bytes of a finished chunk.
pub type ChunkRow = ((u64, u64), Vec<u8>);

/// Lines on their way to the archive.
#[derive(Debug)]
pub struct HandOver {
    /// Number of the hand-over, for the confirmation.
    pub no: u64,
    /// The chunks.
    pub rows: Vec<ChunkRow>,
    /// Whose they are.
    pub accounts: Vec<AccountId>,
}

/// Lines that are not yet in the archive.
#[derive(Debug, Default)]
pub struct Statements {
    open: FxHashMap<AccountId, Chunk>,
    full: Vec<(AccountId, Chunk)>,
    /// Handed over and not yet confirmed by the archive, by number of the hand-over.
    handed: VecDeque<(u64, Vec<ChunkRow>)>,
    hand_overs: u64,
    lines: usize,
}

impl Statements {
    /// Adds the line of a posting; `opening` is the balance before it.
    pub fn add(&mut self, lsn: Lsn, at: TimestampMs, instruction: &Instruction, opening: i128) {
        let Instruction::Post { posting, code, cause, .. } = instruction else { return };
        self.lines += 1;
        let chunk = self.open.entry(posting.account).or_insert_with(|| Chunk::new(lsn, at, opening));
        if chunk.bytes.len() > CHUNK_BYTES && chunk.last_lsn != lsn {
            let full = std::mem::replace(chunk, Chunk::new(lsn, at, opening));
            self.full.push((posting.account, full));
        }
        chunk.push(lsn, at, *cause, *code, posting);
    }

    /// How many lines wait to be handed over.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lines
    }

    /// Whether no line waits to be handed over.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines == 0
    }

    /// Hands over all lines, for the archive; they stay readable here until [`Statements::confirm`].
    pub fn hand_over(&mut self) -> HandOver {
        self.hand_overs += 1;
        let accounts = self.open.keys().copied().collect();
        let rows = self.take();
        self.handed.push_back((self.hand_overs, rows.clone()));
        HandOver { no: self.hand_overs, rows, accounts }
    }

    /// Takes all lines out, for the archive; they are not readable here any more.
    pub fn take(&mut self) -> Vec<ChunkRow> {
        self.lines = 0;
        let chunks = std::mem::take(&mut self.full).into_iter().chain(self.open.drain());
        chunks.map(|(account, chunk)| ((account.raw(), chunk.first_lsn.0), chunk.bytes)).collect()
    }

    /// The archive has everything up to hand-over `no`.
    pub fn confirm(&mut self, no: u64) {
        while self.handed.front().is_some_and(|(handed, _)| *handed <= no) {
            self.handed.pop_front();
        }
    }

    /// The chunks of one account that the archive may not have yet, oldest first.
    #[must_use]
    pub fn pending(&self, account: AccountId) -> Vec<(u64, Vec<u8>)> {
        let handed = self.handed.iter().flat_map(|(_, rows)| rows);
        let mut chunks: Vec<(u64, Vec<u8>)> = handed
            .filter(|((owner, _), _)| *owner == account.raw())
            .map(|((_, first_lsn), bytes)| (*first_lsn, bytes.clone()))
            .collect();
        let open = self.open.get(&account).map(|chunk| (account, chunk));
        let full = self.full.iter().map(|(owner, chunk)| (*owner, chunk));
        let own = full.chain(open).filter(|(owner, _)| *owner == account);
        chunks.extend(own.map(|(_, chunk)| (chunk.first_lsn.0, chunk.bytes.clone())));
        chunks
    }
}

impl Chunk {
    /// A chunk without lines: opening balance, then the position and time that the first line counts from.
    fn new(lsn: Lsn, at: TimestampMs, opening: i128) -> Self {
        let mut head = Encoder::with_room(Vec::with_capacity(256), HEAD_BYTES_MAX);
        head.long_number(zigzag(opening));
        head.number(lsn.0);
        head.number(at.0);
        Self { first_lsn: lsn, last_lsn: lsn, last_at_ms: at.0, last_cause: 0, bytes: head.into_bytes() }
    }

    /// A line: steps of position, time and cause, then code and side in one byte, then the amount.
    fn push(&mut self, lsn: Lsn, at: TimestampMs, cause: CauseId, code: EntryCode, posting: &Posting) {
        let mut line = Encoder::with_room(std::mem::take(&mut self.bytes), LINE_BYTES_MAX);
        line.number(lsn.0 - self.last_lsn.0);
        line.long_number(zigzag(step(self.last_at_ms, at.0)));
        line.long_number(zigzag(step(self.last_cause, cause.0)));
        line.byte((code as u8) << 1 | u8::from(posting.side == Side::Credit));
        line.number(posting.amount.minor());
        self.bytes = line.into_bytes();
        self.last_lsn = lsn;
        self.last_at_ms = at.0;
        self.last_cause = cause.0;
    }
}

fn step(from: u64, to: u64) -> i128 {
    i128::from(to) - i128::from(from)
}

/// The number that is `step` after `from`.
fn after(from: u64, step: u128) -> Result<u64, CodecFault> {
    let number = i128::from(from).checked_add(unzigzag(step)).ok_or_else(damaged)?;
    u64::try_from(number).map_err(|_| damaged())
}

fn narrow(number: u128) -> Result<u64, CodecFault> {
    u64::try_from(number).map_err(|_| damaged())
}

fn damaged() -> CodecFault {
    CodecFault::Postcard(postcard::Error::DeserializeBadVarint)
}

/// Reads the chunks of one account, oldest first, and tells each line once.
///
/// # Errors
/// When a chunk is damaged.
pub fn read_chunks<'a>(
    account: AccountId,
    chunks: impl IntoIterator<Item = &'a [u8]>,
    mut wanted: impl FnMut(StatementLine) -> std::ops::ControlFlow<()>,
) -> Result<(), CodecFault> {
    let mut told = Lsn(0);
    for bytes in chunks {
        let mut rest = bytes;
        let mut balance = unzigzag(take_varint(&mut rest)?);
        let mut lsn = narrow(take_varint(&mut rest)?)?;
        let mut at_ms = narrow(take_varint(&mut rest)?)?;
        let mut cause = 0;
        let told_before = told;
        while !rest.is_empty() {
            lsn = lsn.checked_add(narrow(take_varint(&mut rest)?)?).ok_or_else(damaged)?;
            at_ms = after(at_ms, take_varint(&mut rest)?)?;
            cause = after(cause, take_varint(&mut rest)?)?;
            let (kind, behind) = rest.split_first().ok_or_else(damaged)?;
            rest = behind;
            let code = EntryCode::from_code(kind >> 1).ok_or_else(damaged)?;
            let side = if kind & 1 == 1 { Side::Credit } else { Side::Debit };
            let amount = Amount::from_minor(narrow(take_varint(&mut rest)?)?);
            let change = account.kind().sign(side) * amount.signed();
            balance = balance.checked_add(change).ok_or_else(damaged)?;
            if Lsn(lsn) <= told_before {
                continue;
            }
            told = told.max(Lsn(lsn));
            let (at, cause) = (TimestampMs(at_ms), CauseId(cause));
            let line = StatementLine { account, lsn: Lsn(lsn), at, cause, code, side, amount, balance };
            if wanted(line).is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use suanpan_model::{AccountType, Currency};

    use super::*;

    fn post(account: AccountId, minor: u64) -> Instruction {
        Instruction::Post {
            posting: Posting::credit(account, Amount::from_minor(minor)),
            code: EntryCode::Release,
            cause: CauseId(77),
            currency: Currency::Cny,
        }
    }

    /// Steps beyond what a number holds are damage, not a panic.
    #[test]
    fn steps_that_lead_nowhere_are_damage() {
        let account = AccountId::opened(AccountType::Cash, 1, 0);
        for huge in 0..4 {
            let mut chunk = Encoder::with_room(Vec::new(), LINE_BYTES_MAX);
            let pick = |place, usual| if huge == place { u128::from(u64::MAX) } else { usual };
            chunk.long_number(if huge == 0 { u128::MAX - 1 } else { 0 });
            chunk.long_number(pick(1, 1));
            chunk.long_number(pick(2, 1));
            chunk.long_number(1);
            chunk.long_number(if huge == 3 { u128::MAX - 1 } else { 2 });
            chunk.long_number(2);
            chunk.byte((EntryCode::Release as u8) << 1 | 1);
            chunk.long_number(5);
            let bytes = chunk.into_bytes();
            let read = read_chunks(account, [bytes.as_slice()], |_| ControlFlow::Continue(()));
            assert!(read.is_err(), "{huge}");
        }
    }

    fn read(account: AccountId, chunks: &[(u64, Vec<u8>)]) -> Vec<(u64, u64, i128)> {
        let mut lines = Vec::new();
        let bytes = chunks.iter().map(|(_, bytes)| bytes.as_slice());
        read_chunks(account, bytes, |line| {
            lines.push((line.lsn.0, line.amount.minor(), line.balance));
            ControlFlow::Continue(())
        })
        .unwrap();
        lines
    }

    #[test]
    fn lines_read_back_with_balances_also_when_a_stretch_was_packed_twice() {
        let account = AccountId::opened(AccountType::Settlement, 5, 5);
        let mut first = Statements::default();
        for (lsn, opening) in [(3, 0), (3, 10), (9, 20)] {
            first.add(Lsn(lsn), TimestampMs(1_000 + lsn), &post(account, 10), opening);
        }
        let mut chunks = first.pending(account);
        assert_eq!(read(account, &chunks), [(3, 10, 10), (3, 10, 20), (9, 10, 30)]);
        // After a crash the stretch from 9 on is packed again, and goes on.
        let mut second = Statements::default();
        second.add(Lsn(9), TimestampMs(1_009), &post(account, 10), 20);
        second.add(Lsn(12), TimestampMs(1_012), &post(account, 5), 30);
        chunks.extend(second.pending(account));
        assert_eq!(read(account, &chunks), [(3, 10, 10), (3, 10, 20), (9, 10, 30), (12, 5, 35)]);
    }

    #[test]
    fn handed_over_lines_stay_readable_until_confirmed() {
        let account = AccountId::opened(AccountType::Settlement, 5, 5);
        let mut statements = Statements::default();
        statements.add(Lsn(1), TimestampMs(1), &post(account, 1), 0);
        let handed = statements.hand_over();
        assert_eq!((handed.rows.len(), handed.accounts), (1, vec![account]));
        statements.add(Lsn(2), TimestampMs(2), &post(account, 1), 1);
        assert_eq!(read(account, &statements.pending(account)), [(1, 1, 1), (2, 1, 2)]);
        statements.confirm(handed.no);
        assert_eq!(read(account, &statements.pending(account)), [(2, 1, 2)]);
    }
}
