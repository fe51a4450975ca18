//! What can be said without a server: the plan against a naive ledger, and what is told of a program that cannot be used.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use rustc_hash::{FxHashMap, FxHashSet};
use suanpan_model::AccountType;

use super::books::{Balance, Balances, check};
use super::plan::{
    self, AGENTS, COMMISSION, COUPON_FUND, ESCROW, FEES, FUNDING, Kind, MERCHANTS, Move, Parties, Purpose,
    Step, agent, buyer, clearings, merchant,
};
use super::server::{Program, Replica, Version};
use crate::expected::{AGENT_BPS, COMMISSION_BPS, parts};
use crate::peers::cast;
use crate::setup::float_of;
use crate::verify::Sums;
use crate::workload::{Ground, Spec, Workload};
use crate::{machine, world};

/// TigerBeetle's rules as far as the plan uses them.
#[derive(Default)]
struct Ledger {
    balances: Balances,
    /// Accounts whose debits, held ones too, must not exceed their credits.
    bound: FxHashSet<u128>,
    /// Transfers that hold money.
    held: FxHashMap<u128, Move>,
    known: FxHashSet<u128>,
}

impl Ledger {
    /// Does a whole chain, or says why not.
    fn create(&mut self, chain: &[Move]) -> Result<(), String> {
        let before = (self.balances.clone(), self.held.clone(), self.known.clone());
        for (place, one) in chain.iter().enumerate() {
            assert_eq!(one.linked, place + 1 < chain.len(), "a chain ends with its last event: {chain:?}");
            if let Err(why) = self.one(one) {
                (self.balances, self.held, self.known) = before;
                return Err(why);
            }
        }
        Ok(())
    }

    fn one(&mut self, one: &Move) -> Result<(), String> {
        if one.debit == one.credit || one.amount == 0 || !self.known.insert(one.id) {
            return Err(format!("accounts, amount or number of {one:?}"));
        }
        let amount = u128::from(one.amount);
        let mut change = |account: u128, by: &dyn Fn(&mut Balance)| {
            let balance = self.balances.get_mut(&account).ok_or(format!("no account {account}"))?;
            by(balance);
            let out = balance.debits_posted + balance.debits_pending;
            let fits = !self.bound.contains(&account) || out <= balance.credits_posted;
            fits.then_some(()).ok_or(format!("account {account} exceeds its credits"))
        };
        match one.kind {
            Kind::Direct => {
                change(one.debit, &|balance| balance.debits_posted += amount)?;
                change(one.credit, &|balance| balance.credits_posted += amount)
            }
            Kind::Pending => {
                change(one.debit, &|balance| balance.debits_pending += amount)?;
                change(one.credit, &|balance| balance.credits_pending += amount)?;
                self.held.insert(one.id, *one);
                Ok(())
            }
            Kind::Post(held) => {
                let held = self.held.remove(&held).ok_or("nothing is held under this number")?;
                let same = |one: &Move| (one.debit, one.credit, one.amount, one.purpose);
                if same(&held) != same(one) {
                    return Err(format!("{one:?} posts {held:?}"));
                }
                change(one.debit, &|balance| {
                    balance.debits_pending -= amount;
                    balance.debits_posted += amount;
                })?;
                change(one.credit, &|balance| {
                    balance.credits_pending -= amount;
                    balance.credits_posted += amount;
                })
            }
        }
    }

    fn open(accounts: &[u128], bound: impl IntoIterator<Item = u128>) -> Self {
        let balances = accounts.iter().map(|account| (*account, Balance::default())).collect();
        Self { balances, bound: bound.into_iter().collect(), ..Self::default() }
    }
}

#[test]
fn an_order_moves_what_it_must() {
    const CHANNEL: u128 = 1_003;
    let accounts = [CHANNEL, ESCROW, COUPON_FUND, MERCHANTS, AGENTS, COMMISSION, FEES];
    let parties = Parties { payer: CHANNEL, merchant: MERCHANTS, agent: AGENTS };
    let table = [
        // price, coupon, fee, commissions, events of both steps, then what each of `accounts` has: [held, after the release]
        (
            10_000,
            500,
            30,
            [COMMISSION_BPS, AGENT_BPS],
            (2, 6),
            [[-9_500, -9_500], [10_000, 0], [-500, -500], [0, 9_270], [0, 200], [0, 500], [0, 30]],
        ),
        (
            101,
            50,
            2,
            [COMMISSION_BPS, AGENT_BPS],
            (2, 6),
            [[-51, -51], [101, 0], [-50, -50], [0, 92], [0, 2], [0, 5], [0, 2]],
        ),
        // Neither coupon nor fee: nothing is moved for them.
        (
            10_000,
            0,
            0,
            [COMMISSION_BPS, AGENT_BPS],
            (1, 4),
            [[-10_000, -10_000], [10_000, 0], [0, 0], [0, 9_300], [0, 200], [0, 500], [0, 0]],
        ),
        (
            10_000,
            0,
            60,
            [0, 0],
            (1, 3),
            [[-10_000, -10_000], [10_000, 0], [0, 0], [0, 9_940], [0, 0], [0, 0], [0, 60]],
        ),
    ];
    for (price, coupon, fee, bps, (held, moved), expected) in table {
        let parts = parts(price, coupon, fee, bps);
        let of = |step| plan::of(&parts, parties, 7, step).unwrap();
        let mut ledger = Ledger::open(&accounts, [ESCROW]);
        assert!(ledger.create(&of(Step::Release)).is_err(), "released before anything is held");
        ledger.create(&of(Step::Create)).unwrap();
        assert!(ledger.create(&of(Step::Create)).is_err(), "held twice");
        for (account, [then, _]) in accounts.iter().zip(expected) {
            let balance = ledger.balances[account];
            let pending = balance.credits_pending as i128 - balance.debits_pending as i128;
            assert_eq!((pending, balance.gained()), (then, 0), "{price}: held of {account}");
        }
        ledger.create(&of(Step::Release)).unwrap();
        for (account, [_, after]) in accounts.iter().zip(expected) {
            assert_eq!(ledger.balances[account].gained(), after, "{price}: account {account}");
        }
        assert!(ledger.create(&of(Step::Release)).is_err(), "released twice");
        assert_eq!((of(Step::Create).len(), of(Step::Release).len()), (held, moved), "{price}");
    }
}

/// Plays `orders` orders of a workload on the naive ledger; `skip` leaves the release of one out.
fn played(name: &str, orders: u64, skip: Option<u64>) -> (Balances, Sums, usize, i128) {
    let mut spec = Spec::find(name).unwrap();
    (spec.parties.buyers, spec.parties.merchants) = (500, 50);
    let descriptors = world::descriptors(&spec).unwrap();
    let router = world::router(&descriptors).unwrap();
    let cast = cast(spec.parties.merchants, spec.parties.buyers);
    let ground =
        Ground { cast: &cast, descriptors: &descriptors, router: &router, now: machine::now(), seed: 3 };
    let workload = Workload::new(&spec, ground).unwrap();
    let (buyers, float) = (cast.buyers.len(), float_of(&spec, AccountType::Cash));
    let bound = (0..buyers).map(buyer).chain([ESCROW]);
    let mut ledger = Ledger::open(&plan::accounts(&workload, &cast), bound);
    if float > 0 {
        for place in 0..buyers {
            let amount = u64::try_from(float).unwrap();
            let (kind, purpose) = (Kind::Direct, Purpose::Funding);
            let (id, credit) = (1 + place as u128, buyer(place));
            ledger
                .create(&[Move { id, debit: FUNDING, credit, amount, kind, purpose, linked: false }])
                .unwrap();
        }
    }
    let mut by_template = vec![0; workload.templates().len()];
    for count in 0..orders {
        ledger.create(&plan::chain(&workload, count, Step::Create).unwrap()).unwrap();
        if skip != Some(count) {
            ledger.create(&plan::chain(&workload, count, Step::Release).unwrap()).unwrap();
        }
        by_template[workload.template_of(count)] += 1;
    }
    assert!(name != "canonical" || clearings(&workload).len() > 4, "several channels take part");
    (ledger.balances, Sums::of(&workload, &cast, &by_template), buyers, float)
}

#[test]
fn the_books_are_those_of_the_drivers_own_sums() {
    for name in ["canonical", "balance_only"] {
        let (balances, sums, buyers, float) = played(name, 300, None);
        let verdict = check(&balances, &sums, buyers, float);
        assert_eq!((verdict.count, verdict.differences), (0, Vec::<String>::new()), "{name}");
        assert!(verdict.compared > 600, "{name}: {}", verdict.compared);
    }
}

#[test]
fn a_fault_in_the_books_is_seen() {
    let (balances, sums, buyers, float) = played("canonical", 300, Some(17));
    assert!(check(&balances, &sums, buyers, float).count > 0, "an order was not released");
    let (balances, sums, buyers, float) = played("canonical", 300, None);
    for account in [ESCROW, COMMISSION, COUPON_FUND, FEES, merchant(3), agent(3), buyer(3)] {
        let mut balances = balances.clone();
        balances.get_mut(&account).unwrap().credits_posted += 1;
        let verdict = check(&balances, &sums, buyers, float);
        assert!(verdict.count >= 2, "a cent too much on {account}: {:?}", verdict.differences);
    }
}

/// A script that plays a program of TigerBeetle.
fn script(dir: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
    let path = dir.path().join(name);
    // Written by another process: a program that this one has open for writing cannot be started while another test forks.
    let write = "printf '#!/bin/sh\\n%s\\n' \"$2\" > \"$1\" && chmod 755 \"$1\"";
    let written = Command::new("sh").args(["-c", write, "sh"]).arg(&path).arg(text).status().unwrap();
    assert!(written.success());
    path
}

#[test]
fn versions_are_read_and_compared() {
    let version = |text: &str| Version::in_text(text).unwrap();
    assert_eq!(version("TigerBeetle version 0.17.9+1a2b3c4\n").to_string(), "0.17.9");
    assert_eq!(version("version = \"0.17.12\"").to_string(), "0.17.12");
    assert_eq!(["", "17", "0.17", "a.b.c"].map(Version::in_text), [None; 4]);
    let client = version("0.17.9");
    for (server, takes) in
        [("0.17.9", true), ("0.17.12", true), ("0.17.8", false), ("0.16.99", false), ("1.17.9", false)]
    {
        assert_eq!(version(server).takes(client), takes, "{server}");
    }
    assert!(Version::of_client().is_some(), "the lock file names the client");
}

#[test]
fn a_program_that_cannot_be_used_is_told_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let client = Version::in_text("0.17.9").unwrap();
    let plain = dir.path().join("plain");
    fs::write(&plain, "").unwrap();
    let table = [
        (dir.path().join("nowhere"), "there is no such file"),
        (dir.path().to_owned(), "is not a file"),
        (plain, "is not executable: chmod +x"),
        (
            script(&dir, "other", "echo TigerBeetle version 0.16.11+abc"),
            "is TigerBeetle 0.16.11, and this program speaks as client 0.17.9",
        ),
        (script(&dir, "older", "echo TigerBeetle version 0.17.8"), "--precise 0.17.8"),
        (script(&dir, "stranger", "echo psql 15.1.1"), "does not say that it is TigerBeetle"),
        (script(&dir, "broken", "echo no such command >&2; exit 3"), "no such command"),
    ];
    for (path, expected) in table {
        let told = format!("{:#}", Program::at(&path, client).unwrap_err());
        assert!(told.contains(expected), "{}: {told}", path.display());
    }
    let program = Program::at(&script(&dir, "right", "echo TigerBeetle version 0.17.9+abc"), client).unwrap();
    assert_eq!(program.version, client);
}

#[test]
fn a_server_that_does_not_start_is_told_with_its_last_words() {
    let dir = tempfile::tempdir().unwrap();
    let client = Version::in_text("0.17.9").unwrap();
    let start = |name: &str, format: &str, start: &str| {
        let text = format!(
            "case $1 in version) echo TigerBeetle version 0.17.9;; format) {format};; start) {start};; esac"
        );
        let program = Program::at(&script(&dir, name, &text), client).unwrap();
        let data = dir.path().join(format!("{name}-data"));
        fs::create_dir(&data).unwrap();
        format!("{:#}", Replica::start(&program, &data).unwrap_err())
    };
    let told = start("full", "echo error: no space left >&2; exit 1", "true");
    assert!(told.contains("data file") && told.contains("no space left"), "{told}");
    let told = start("dying", "true", "echo error: io_uring is not permitted; exit 2");
    assert!(told.contains("exit status: 2") && told.contains("io_uring is not permitted"), "{told}");
}
