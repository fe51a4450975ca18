//! What the log tells a balance shard, packed: it is written by one core and read by another, so every line of the cache
//! counts.

use suanpan_core::ledger::Instruction;
use suanpan_model::{AccountId, Amount, CauseId, Currency, EntryCode, HoldId, Posting, Side, TimestampMs};

/// An instruction with its place in its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimedInstruction {
    /// The record in the batch, from 0.
    pub position: u32,
    /// When it was decided.
    pub at: TimestampMs,
    /// What to do.
    pub instruction: Instruction,
}

/// What the records of a batch tell one balance shard to do, in their order.
#[derive(Clone, Debug, Default)]
pub struct Instructions {
    /// What instructions have in common that follow each other.
    heads: Vec<Head>,
    lines: Vec<Line>,
}

#[derive(Clone, Copy, Debug)]
struct Head {
    position: u32,
    /// Place behind its last line.
    end: u32,
    at: TimestampMs,
    cause: CauseId,
}

#[derive(Clone, Copy, Debug)]
struct Line {
    account: AccountId,
    amount: Amount,
    hold_no: u16,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Post { code: EntryCode, currency: Currency, side: Side },
    Void,
}

impl Instructions {
    /// None, with room for as many as there are in `others`.
    #[must_use]
    pub fn like(others: &Self) -> Self {
        Self { heads: Vec::with_capacity(others.heads.len()), lines: Vec::with_capacity(others.lines.len()) }
    }

    /// Adds an instruction of the record at `position`, which was decided at `at`.
    ///
    /// # Panics
    /// When a batch has more than 2³² instructions, which no gate lets in.
    pub fn push(&mut self, position: u32, at: TimestampMs, instruction: &Instruction) {
        let (account, cause) = (instruction.account(), instruction.cause());
        let (amount, hold_no, what) = match instruction {
            Instruction::Post { posting: Posting { amount, side, hold_no, .. }, code, currency, .. } => {
                (*amount, *hold_no, What::Post { code: *code, currency: *currency, side: *side })
            }
            Instruction::Void { hold, .. } => (Amount::ZERO, hold.no, What::Void),
        };
        self.lines.push(Line { account, amount, hold_no, what });
        let end = u32::try_from(self.lines.len()).expect("instructions of a batch are bounded");
        match self.heads.last_mut() {
            Some(head) if (head.position, head.at, head.cause) == (position, at, cause) => head.end = end,
            Some(_) | None => self.heads.push(Head { position, end, at, cause }),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The instructions, in their order.
    pub fn iter(&self) -> impl Iterator<Item = TimedInstruction> + '_ {
        let mut begin = 0;
        self.heads.iter().flat_map(move |head| {
            let lines = &self.lines[begin..head.end as usize];
            begin = head.end as usize;
            lines.iter().map(move |line| line.under(head))
        })
    }
}

impl FromIterator<TimedInstruction> for Instructions {
    fn from_iter<I: IntoIterator<Item = TimedInstruction>>(told: I) -> Self {
        let mut packed = Self::default();
        for TimedInstruction { position, at, instruction } in told {
            packed.push(position, at, &instruction);
        }
        packed
    }
}

impl Line {
    fn under(&self, head: &Head) -> TimedInstruction {
        let Self { account, amount, hold_no, what } = *self;
        let instruction = match what {
            What::Post { code, currency, side } => Instruction::Post {
                posting: Posting { account, amount, side, hold_no },
                code,
                cause: head.cause,
                currency,
            },
            What::Void => Instruction::Void { hold: HoldId { cause: head.cause, no: hold_no }, account },
        };
        TimedInstruction { position: head.position, at: head.at, instruction }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use suanpan_model::AccountType;

    use super::*;

    fn instruction() -> impl Strategy<Value = Instruction> {
        let numbers = (0_u64..4, 1_u64..1 << 48, any::<u64>(), any::<u16>());
        (numbers, any::<bool>(), any::<bool>()).prop_map(
            |((cause, number, minor, hold_no), is_void, debit)| {
                let account = AccountId::opened(AccountType::Settlement, number, 7);
                let (cause, amount) = (CauseId(cause), Amount::from_minor(minor));
                if is_void {
                    return Instruction::Void { hold: HoldId { cause, no: hold_no }, account };
                }
                let side = if debit { Side::Debit } else { Side::Credit };
                let posting = Posting { account, amount, side, hold_no };
                Instruction::Post { posting, code: EntryCode::Release, cause, currency: Currency::Usd }
            },
        )
    }

    proptest! {
        #[test]
        fn instructions_come_back_as_they_were(
            told in proptest::collection::vec((0_u32..3, 0_u64..2, instruction()), 0..40)
        ) {
            let told: Vec<_> = told
                .into_iter()
                .map(|(position, at, instruction)| {
                    TimedInstruction { position, at: TimestampMs(at), instruction }
                })
                .collect();
            let packed: Instructions = told.iter().copied().collect();
            prop_assert_eq!(packed.is_empty(), told.is_empty());
            prop_assert_eq!(packed.iter().collect::<Vec<_>>(), told);
        }
    }
}
