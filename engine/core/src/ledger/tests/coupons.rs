//! Coupons as accounts in pieces.

use std::sync::Arc;

use proptest::prelude::*;
use smallvec::smallvec;
use smol_str::format_smolstr;
use suanpan_model::{
    AccountId, AccountType, Campaign, CampaignId, CauseId, Currency, Funder, Lsn, Record, RejectCode,
    TimestampMs, Worth,
};

use super::*;
use crate::ledger::CouponAccounts;

fn campaign(stock: Option<u32>, per_customer: Option<u32>) -> Arc<Campaign> {
    Arc::new(Campaign {
        id: CampaignId(5),
        platform: PLATFORM,
        currency: Currency::Cny,
        worth: Worth::Face(fen(100)),
        minimum_spend: fen(0),
        valid_from: TimestampMs(0),
        valid_until: TimestampMs::NEVER,
        funders: smallvec![Funder {
            account: AccountId::internal(AccountType::CouponFund, PLATFORM.0, Currency::Cny, 0),
            bps: 10_000,
        }],
        merchants: Vec::new(),
        stock,
        per_customer,
        stackable: false,
        rank: 0,
        claimable: true,
    })
}

fn stock() -> AccountId {
    AccountId::opened(AccountType::CouponStock, 5, 3)
}

fn accounts(customer: u64, limit: Option<u32>) -> CouponAccounts {
    CouponAccounts {
        stock: stock(),
        wallet: AccountId::opened(AccountType::CouponWallet, 10 + customer, 3),
        allowance: limit
            .map(|limit| (AccountId::opened(AccountType::CouponAllowance, 20 + customer, 3), limit)),
        platform: PLATFORM,
        reference: format_smolstr!("5/{customer}"),
    }
}

/// A ledger that carries out what it decides, as the log would bring it back.
struct Shop {
    ledger: Ledger,
    limit: Option<u32>,
    lsn: u64,
}

impl Shop {
    fn new(stock_of: Option<u32>, limit: Option<u32>) -> Self {
        let mut shop = Self { ledger: Ledger::default(), limit, lsn: 0 };
        let command = LedgerCommand::RecordCampaign { campaign: campaign(stock_of, limit), stock: stock() };
        shop.does(&command).unwrap();
        assert_eq!(shop.ledger.decide(&command), Ok(Decision::Repeat));
        shop
    }

    fn does(&mut self, command: &LedgerCommand) -> Result<(), RejectCode> {
        let Decision::Moved(events) = self.ledger.decide(command).map_err(|reject| reject.code)? else {
            return Ok(());
        };
        events.iter().for_each(|event| self.ledger.apply(event));
        for event in events {
            self.lsn += 1;
            let (record, lsn) = (Record::Ledger { at: TimestampMs(0), event }, Lsn(self.lsn));
            instructions(&record, &mut |instruction| {
                self.ledger.carry_out(lsn, &instruction);
            });
        }
        assert_eq!(self.ledger.breaks(), [""; 0]);
        assert!(self.ledger.trial_balance().values().all(|sum| *sum == 0));
        Ok(())
    }

    fn grants(&mut self, customer: u64, count: u32, no: u64) -> Result<(), RejectCode> {
        let (cause, accounts) = (CauseId(1_000 + no), accounts(customer, self.limit));
        self.does(&LedgerCommand::GrantCoupons { cause, count, accounts, reference: "G".into() })
    }

    fn locks(&mut self, order: u64, customer: u64, claimable: bool) -> Result<(), RejectCode> {
        let accounts = accounts(customer, self.limit);
        self.does(&LedgerCommand::LockCoupon { cause: CauseId(order), no: 2, accounts, claimable })
    }

    fn gives_back(&mut self, order: u64) {
        for no in [2, 3] {
            self.does(&LedgerCommand::Void { hold: HoldId { cause: CauseId(order), no } }).unwrap();
        }
    }

    fn available(&self, account: AccountId) -> i128 {
        self.ledger.account(account).map_or(0, |known| known.available())
    }
}

#[test]
fn stock_and_limit_are_exact() {
    let mut shop = Shop::new(Some(3), Some(2));
    assert_eq!(shop.locks(1, 1, true), Ok(()));
    assert_eq!(shop.locks(2, 1, true), Ok(()));
    assert_eq!(shop.locks(3, 1, true), Err(RejectCode::CouponLimit), "two for one customer");
    assert_eq!(shop.locks(4, 2, true), Ok(()));
    assert_eq!(shop.locks(5, 3, true), Err(RejectCode::CouponSoldOut), "three in stock");
    shop.gives_back(2);
    assert_eq!(shop.locks(6, 1, true), Ok(()), "what came back can be taken again");
    assert_eq!(shop.locks(7, 3, true), Err(RejectCode::CouponSoldOut));
}

#[test]
fn issued_coupons_are_used_first_and_belong_to_their_customer() {
    let mut shop = Shop::new(Some(5), Some(3));
    assert_eq!(shop.locks(1, 1, false), Err(RejectCode::CouponNotHeld));
    assert_eq!(shop.grants(1, 0, 0), Err(RejectCode::AmountZero));
    assert_eq!(shop.grants(1, 2, 1), Ok(()));
    assert_eq!(shop.grants(1, 2, 2), Err(RejectCode::CouponLimit));
    assert_eq!(shop.grants(2, 3, 3), Ok(()));
    assert_eq!(shop.grants(3, 1, 4), Err(RejectCode::CouponSoldOut));
    // The stock's roll-up is what customers have.
    let known = shop.ledger.account(stock()).unwrap();
    assert_eq!((known.posted, known.below), (-5, 5));
    assert_eq!(shop.locks(1, 1, false), Ok(()));
    assert_eq!(shop.available(accounts(1, None).wallet), 1);
    assert_eq!(shop.locks(2, 1, true), Ok(()));
    assert_eq!(
        shop.locks(3, 1, true),
        Err(RejectCode::CouponSoldOut),
        "the wallet is empty, so is the stock"
    );
    shop.gives_back(1);
    assert_eq!(shop.available(accounts(1, None).wallet), 1);
}

#[test]
fn without_limits_everybody_gets_one() {
    let mut shop = Shop::new(None, None);
    for order in 1..=50 {
        assert_eq!(shop.locks(order, order % 3, true), Ok(()));
    }
}

proptest! {
    /// Any order of locks, returns and grants: never more than stock and limits, and what is not out can be had.
    #[test]
    fn stock_and_limits_hold(
        stock_of in 1_u32..8,
        limit in 1_u32..4,
        steps in prop::collection::vec((0_u8..3, 0_u64..3, 0_u64..12), 1..60),
    ) {
        let mut shop = Shop::new(Some(stock_of), Some(limit));
        let mut locked = std::collections::BTreeMap::new();
        let (mut granted, mut claimed) = ([0_u32; 3], [0_u32; 3]);
        let mut wallet = [0_u32; 3];
        for (no, (kind, customer, order)) in steps.into_iter().enumerate() {
            let who = usize::try_from(customer).unwrap();
            let out = |granted: &[u32; 3], claimed: &[u32; 3]| {
                granted.iter().sum::<u32>() + claimed.iter().sum::<u32>()
            };
            let expected = |granted: &[u32; 3], claimed: &[u32; 3]| {
                if out(granted, claimed) >= stock_of {
                    Err(RejectCode::CouponSoldOut)
                } else if granted[who] + claimed[who] >= limit {
                    Err(RejectCode::CouponLimit)
                } else {
                    Ok(())
                }
            };
            match kind {
                0 => {
                    let expected = expected(&granted, &claimed);
                    prop_assert_eq!(shop.grants(customer, 1, no as u64), expected);
                    if expected.is_ok() {
                        granted[who] += 1;
                        wallet[who] += 1;
                    }
                }
                1 if !locked.contains_key(&order) => {
                    let from_wallet = wallet[who] > 0;
                    let expected = if from_wallet { Ok(()) } else { expected(&granted, &claimed) };
                    prop_assert_eq!(shop.locks(order, customer, true), expected);
                    if expected.is_ok() {
                        let count = if from_wallet { &mut wallet } else { &mut claimed };
                        count[who] = if from_wallet { count[who] - 1 } else { count[who] + 1 };
                        locked.insert(order, (who, from_wallet));
                    }
                }
                _ => {
                    if let Some((who, from_wallet)) = locked.remove(&order) {
                        shop.gives_back(order);
                        if from_wallet { wallet[who] += 1 } else { claimed[who] -= 1 }
                    }
                }
            }
        }
    }
}
