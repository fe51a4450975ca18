//! Planted bugs, which the oracle must find.

use suanpan_core::ledger::Instruction;
use suanpan_model::{Amount, EntryCode, Lsn};
use suanpan_runtime::log_writer::LogMessage;
use suanpan_runtime::messages::{Instructions, KeeperMessage, Source, TimedInstruction};

use super::Life;
use crate::dice::Dice;
use crate::plan::Sabotage;
use crate::process::{Actor, Message, Process, Sender};
use crate::tap;

impl Life {
    pub(super) fn plant(&mut self) {
        self.planted = self.plan.sabotage;
        let mut tap = tap::lock(&self.ground.tap);
        tap.counts_twice = self.planted == Some(Sabotage::CountsTwice);
        tap.skips_positions = self.planted == Some(Sabotage::SkipsPositions);
        tap.forgets_failures = self.planted == Some(Sabotage::ForgetsFailures);
    }
}

/// Does to a message what a planted bug would.
pub(super) fn spoil(
    sabotage: Sabotage,
    process: &mut Process,
    (to, from): (Actor, Sender),
    message: &mut Message,
    dice: &mut Dice,
) {
    match (sabotage, message) {
        (Sabotage::ChangesAmount, Message::Instruct(chunks, _)) => {
            let more = |mut told: TimedInstruction| {
                if let Instruction::Post { posting, .. } = &mut told.instruction
                    && posting.side == suanpan_model::Side::Credit
                {
                    posting.amount = posting.amount.plus(Amount::from_minor(1));
                }
                told
            };
            for (_, told) in chunks {
                *told = told.iter().map(more).collect();
            }
        }
        (Sabotage::LosesPosting, Message::Instruct(chunks, _)) => {
            let is_credit = |instruction: &Instruction| matches!(instruction, Instruction::Post { posting, .. } if posting.side == suanpan_model::Side::Credit);
            for (_, told) in chunks {
                *told = told.iter().filter(|told| !is_credit(&told.instruction)).collect();
            }
        }
        (Sabotage::LosesVoids, Message::Voids(asks)) => asks.clear(),
        (Sabotage::ForgetsDebts, Message::Log(log)) => {
            if let LogMessage::Batch(batch) = log
                && let Source::Balances(shard) = batch.source
                && batch
                    .instructions
                    .iter()
                    .flat_map(Instructions::iter)
                    .any(|told| is_recovery(&told.instruction))
            {
                let payload = std::mem::take(&mut batch.payload);
                process.deliver(Actor::Balances(shard), from, Message::Committed(Lsn(0), payload));
                *log = LogMessage::Checkpoint;
            }
        }
        (Sabotage::LosesLines, Message::Keeper(KeeperMessage::Statements { lines, .. })) => {
            lines.rows.clear()
        }
        (Sabotage::LosesTidings, Message::Keeper(KeeperMessage::Announced(announced))) => announced.clear(),
        (Sabotage::CommitsTwice, Message::Committed(first, _)) if dice.below(10) == 0 => {
            process.deliver(to, from, Message::Committed(*first, Vec::new()));
        }
        _ => {}
    }
}

pub(super) fn is_recovery(instruction: &Instruction) -> bool {
    matches!(instruction, Instruction::Post { code: EntryCode::Recovery, .. })
}
