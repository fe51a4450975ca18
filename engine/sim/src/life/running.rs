//! The process: started, scheduled, looked after, killed.

use std::io::ErrorKind;
use std::sync::PoisonError;

use suanpan_core::invariants::Invariant;
use suanpan_model::{AttemptNo, OrderId};
use suanpan_runtime::journal::{Fault, Operation};

use super::Life;
use super::agenda::Item;
use super::faults::forget_the_end;
use super::sabotage::spoil;
use crate::plan::Sabotage;
use crate::process::{Actor, NoStart, Process};
use crate::tap;

impl Life {
    pub(super) fn start(&mut self) {
        if self.process.is_some() {
            return;
        }
        let cut_off = !self.healed && self.born > 0 && self.dice.happens(self.plan.crashes.in_recovery_ppm);
        if cut_off {
            self.cut_off_soon(20);
        }
        if !self.healed && self.born > 0 && self.dice.happens(self.plan.disks.unreadable_start_ppm) {
            self.report.coverage.fault("read fails at a start");
            if self.dice.below(2) == 0 {
                let nth = self.dice.between(1, 12);
                self.ground.disk.fail(Fault {
                    operation: Operation::Read,
                    nth,
                    kind: ErrorKind::Other,
                    short_bytes: 0,
                });
            } else {
                let reads = self.dice.below(30);
                self.ground.tables.fail_reads(reads, ErrorKind::Other);
            }
        }
        self.born += 1;
        self.scheduled.clear();
        self.feed_due = false;
        self.admitted = 0;
        self.answered = 0;
        let started = Process::start(&self.plan, &self.ground);
        match started {
            Ok(process) => {
                self.tell(|| "the engine starts".to_owned());
                self.process = Some(process);
            }
            Err(NoStart::Broken(breaks)) => self.report.breaks.extend(breaks),
            Err(NoStart::Disk(fault)) => {
                self.tell(|| format!("no start: {fault}"));
                let was_cut = self.is_dead();
                if was_cut {
                    self.report.coverage.fault("crash during recovery");
                    self.lose_power();
                } else if self.healed || !self.disks_are_at_fault() {
                    let what = format!("the engine does not start on whole disks: {fault}");
                    self.report.breaks.push(Invariant::EverythingEnds.broken(what));
                    return;
                }
                self.ground.disk.heal();
                self.ground.tables.heal();
                self.after(100, Item::Start);
                return;
            }
        }
        // Planned failures that did not happen are over.
        self.ground.disk.heal();
        self.ground.tables.heal();
        for shard in 0..self.plan.shards {
            self.after(self.plan.tick_ms, Item::Tick(shard, self.plan.tick_ms));
            self.after(1_000, Item::HandOver(shard, 1_000));
        }
        if self.born > 1 {
            self.check_promises();
        }
        for channel in 0..self.channels.len() {
            self.advance(channel);
        }
    }

    fn disks_are_at_fault(&self) -> bool {
        self.ground.disk.has_failed() || self.ground.tables.has_failed()
    }

    fn is_dead(&self) -> bool {
        self.ground.disk.is_cut_off() || self.ground.tables.is_cut_off()
    }

    /// The power goes between two of the next operations of the disks.
    fn cut_off_soon(&mut self, within: u64) {
        let operations = self.dice.below(within);
        if self.dice.below(2) == 0 {
            self.ground.disk.cut_off_after(operations);
        } else {
            self.ground.tables.cut_off_after(operations);
        }
    }

    pub(super) fn crash_comes(&mut self) {
        if self.healed {
            return;
        }
        let crashes = self.plan.crashes;
        let wait = self.dice.between(1, 2 * crashes.every_ms);
        self.after(wait, Item::Crash);
        if self.process.is_none() {
            return;
        }
        if self.dice.happens(crashes.inside_ppm) {
            self.tell(|| "the power is about to go".to_owned());
            self.cut_off_soon(12);
            return;
        }
        if self.dice.happens(crashes.power_ppm) {
            self.report.coverage.fault("power cut");
            self.lose_power();
        } else {
            self.report.coverage.fault("kill");
            self.tell(|| "the process is killed".to_owned());
        }
        self.die();
    }

    fn lose_power(&mut self) {
        self.tell(|| "the power goes".to_owned());
        self.ground.disk.power_cut();
        if self.planted == Some(Sabotage::ForgetsSynced) {
            forget_the_end(&self.ground.disk);
        }
        let kept = self.dice.place(self.ground.tables.unsynced() + 1);
        self.ground.tables.power_cut(kept);
        self.ground.disk.heal();
        self.ground.tables.heal();
    }

    /// The process is gone, and what it had heard and not written.
    fn die(&mut self) {
        self.process = None;
        self.born += 1;
        self.answers.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let tap = tap::lock(&self.ground.tap);
        let known = |(order, attempt): &(OrderId, AttemptNo)| {
            tap.ledger.orders.get(order).is_some_and(|heard| heard.payments.contains(attempt))
        };
        self.heard.retain(known);
        drop(tap);
        let wait = self.dice.pick(&[1, 50, 2_000, 30_000]);
        self.after(wait, Item::Start);
    }

    pub(super) fn wake(&mut self, actor: Actor) {
        if self.scheduled.insert(actor) {
            let stalls = !self.healed && self.dice.happens(self.plan.stall_ppm);
            let wait = if stalls {
                self.report.coverage.fault("actor stands still");
                self.dice.below(self.plan.stall_ms)
            } else {
                self.dice.below(self.plan.hop_ms + 1)
            };
            self.after(wait, Item::Step(actor));
        }
    }

    pub(super) fn step(&mut self, actor: Actor) {
        self.scheduled.remove(&actor);
        let Some(process) = &mut self.process else { return };
        let most = self.dice.between(1, 6);
        for _ in 0..most {
            if !process.take_one(actor, &mut self.dice) {
                break;
            }
        }
        let refused = match actor {
            Actor::Log => process.log_refused,
            Actor::Keeper => process.keeper_refused,
            Actor::Orders(_) | Actor::Balances(_) => false,
        };
        if refused {
            self.after(250, Item::Retry(actor));
        } else if process.waiting(actor) > 0 {
            self.wake(actor);
        }
    }

    pub(super) fn tick(&mut self, shard: usize, waited: u64) {
        let Some(process) = &mut self.process else { return };
        process.tick(shard);
        // A look at timers when nothing is under way mostly finds nothing: it may wait longer the next time.
        let longest = if self.healed { 5_000 } else { 2_000 };
        let wait = if process.is_quiet() { (waited * 2).min(longest) } else { self.plan.tick_ms };
        let wait = wait.max(self.plan.tick_ms);
        self.after(wait, Item::Tick(shard, wait));
    }

    /// After every step: what was sent is delivered, what was said is checked, and a disk that lost its power takes the
    /// process with it.
    pub(super) fn look_after(&mut self) {
        if self.is_dead() {
            self.report.coverage.fault("power cut between two disk operations");
            self.lose_power();
            self.die();
            return;
        }
        let Some(process) = &mut self.process else { return };
        let post = process.take_post();
        let mut woken = Vec::with_capacity(post.messages.len());
        for (to, from, mut message) in post.messages {
            if let Some(sabotage) = self.planted {
                spoil(sabotage, process, (to, from), &mut message, &mut self.dice);
            }
            process.deliver(to, from, message);
            woken.push(to);
        }
        let gathers = process.has_gathered();
        woken.into_iter().for_each(|actor| self.wake(actor));
        if gathers && !self.feed_due {
            self.feed_due = true;
            let wait = self.dice.between(1, 4_000);
            self.after(wait, Item::Feed);
        }
        for call in post.calls {
            self.send_call(call);
        }
        let said = std::mem::take(&mut *self.answers.0.lock().unwrap_or_else(PoisonError::into_inner));
        for mut answer in said {
            if self.planted == Some(Sabotage::LosesAnswer) && self.dice.below(10) == 0 {
                continue;
            }
            if self.planted == Some(Sabotage::RefusesFalsely) {
                answer.result = Err(suanpan_runtime::shared::busy());
            }
            self.answered += 1;
            self.answer(&answer);
        }
        let mut tap = tap::lock(&self.ground.tap);
        self.report.breaks.append(&mut tap.breaks);
    }
}
