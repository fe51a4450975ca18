//! Faults: which come when, and those of disks.

use std::io::ErrorKind;

use suanpan_runtime::journal::{Fault, FaultyStorage, Operation};

use super::Life;
use super::agenda::Item;

impl Life {
    pub(super) fn arrange_faults(&mut self) {
        let crashes = self.plan.crashes;
        if crashes.every_ms > 0 {
            let wait = self.dice.between(1, 2 * crashes.every_ms);
            self.after(wait, Item::Crash);
        }
        if self.plan.disks.refuses_every_ms > 0 {
            let wait = self.dice.between(1, 2 * self.plan.disks.refuses_every_ms);
            self.after(wait, Item::Refuse);
        }
        if self.dice.below(2) == 0 {
            self.after(self.plan.safety_ms / 3, Item::Checkpoint);
        }
    }

    pub(super) fn refuse(&mut self) {
        if self.healed {
            return;
        }
        let wait = self.dice.between(1, 2 * self.plan.disks.refuses_every_ms);
        self.after(wait, Item::Refuse);
        if self.process.is_none() {
            return;
        }
        let full = self.dice.below(2) == 0;
        let kind = if full { ErrorKind::StorageFull } else { ErrorKind::Other };
        match self.dice.below(4) {
            0 => {
                self.report.coverage.fault("store refuses writes");
                let operations = self.dice.below(4);
                self.ground.tables.fail_writes(operations, kind);
                let wait = self.dice.between(1, 20_000);
                self.after(wait, Item::Accept);
            }
            1 => {
                self.report.coverage.fault("store refuses reads");
                let operations = self.dice.below(4);
                self.ground.tables.fail_reads(operations, ErrorKind::Other);
                let wait = self.dice.between(1, 5_000);
                self.after(wait, Item::Accept);
            }
            2 => {
                self.report.coverage.fault("journal's disk is full");
                self.ground.disk.set_capacity(Some(0));
                let wait = self.dice.between(1, 20_000);
                self.after(wait, Item::Accept);
            }
            _ => {
                self.report.coverage.fault("journal's disk fails once or more");
                for _ in 0..self.dice.between(1, 4) {
                    let operation = self.dice.pick(&[
                        Operation::Write,
                        Operation::Write,
                        Operation::Sync,
                        Operation::Sync,
                        Operation::SyncDir,
                        Operation::Create,
                        Operation::Rename,
                        Operation::Remove,
                    ]);
                    let nth = self.dice.between(1, 4);
                    let short_bytes = self.dice.place(600);
                    self.ground.disk.fail(Fault { operation, nth, kind, short_bytes });
                }
            }
        }
    }

    pub(super) fn accept(&mut self) {
        self.ground.disk.set_capacity(None);
        self.ground.tables.accept();
    }
}

/// The last bytes of the journal are gone, although they were durable.
pub(super) fn forget_the_end(disk: &FaultyStorage) {
    let names = suanpan_runtime::journal::Storage::list(disk).unwrap_or_default();
    if let Some(last) = names.iter().filter(|name| name.ends_with(".log")).max() {
        disk.edit(last, |bytes| {
            if let Some(end) = bytes.iter().rposition(|byte| *byte != 0) {
                bytes[end.saturating_sub(7).max(64)..=end.max(64)].fill(0);
            }
        });
    }
}
