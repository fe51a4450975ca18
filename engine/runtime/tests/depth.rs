//! Escrow, coupons and refunds in depth, through the whole engine: real actors, a real journal, restarts.
#![expect(clippy::unwrap_used, reason = "test code: a panic is the report")]

mod common;

use std::sync::Arc;

use common::*;
use suanpan_channels::{Latency, Rate};
use suanpan_model::command::OrderRef;
use suanpan_model::policy::{LatePayment, Shortfall};
use suanpan_model::refund::{RefundSource, RefundState};
use suanpan_model::*;
use suanpan_runtime::{Command, Engine, EngineOptions, Reply, World};

/// The same mall in another process.
async fn restarted(mall: Mall, dir: &std::path::Path, channels: &Channels) -> Mall {
    mall.engine.shutdown().await.unwrap();
    drop(mall);
    common::mall(dir, channels).await
}

fn commission() -> AccountId {
    AccountId::internal(AccountType::CommissionIncome, PLATFORM.0, Currency::Cny, 0)
}

/// An order paid from the buyer's account, given to its receivers at once.
fn at_once(mall: &Mall, order_no: &str) -> OrderTerms {
    OrderTerms {
        kind: PayKind::Balance,
        payer_account: Some(mall.buyer),
        bank: None,
        card_type: None,
        escrow: false,
        ..mall.terms(order_no)
    }
}

#[test]
fn released_money_comes_back_from_its_receivers() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let mall = mall(dir.path(), &channels(|_| {})).await;
        let order = mall.create(&mall.terms("A-1")).await.unwrap();
        mall.until_status(order.id, OrderStatus::Frozen).await;
        mall.release(order.id).await.unwrap();
        // It is in the archive by now: a refund brings it back.
        mall.until_archived().await;
        mall.refund(order.id, "R-1", Some(6_400)).await.unwrap();
        let half = mall.until(order.id, |order| !order.refunds[0].state.is_alive()).await;
        assert_eq!((half.status, half.refunds[0].state), (OrderStatus::Settled, RefundState::Succeeded));
        // Of 128.00 5 % and 2 % are 6.40 and 2.56; half of them 3.20 and 1.28. The seller got 118.79 and bears the fee of
        // 0.25: half of its 119.04 is 59.52. The buyer's half of 123.00 is 61.50, the fund's 2.50.
        assert_eq!(mall.posted(commission()).await, 320);
        assert_eq!(mall.posted(mall.agent).await, 128);
        assert_eq!(mall.posted(mall.seller).await, 11_879 - 5_952);
        assert_eq!(mall.posted(coupon_fund()).await, 100_000_000 - 250);
        assert_eq!(half.refunds[0].to_payer.minor(), 6_150);
        assert_eq!(mall.refund(order.id, "R-1", Some(6_400)).await.map(|told| told.repeat), Ok(true));
        let other = mall.refund(order.id, "R-1", Some(6_399)).await.unwrap_err();
        assert_eq!(other.code, RejectCode::IdempotencyConflict);
        let too_much = mall.refund(order.id, "R-2", Some(6_401)).await.unwrap_err();
        assert_eq!(too_much.code, RejectCode::ExceedsPaid);
        // The seller has 59.27 and must give back 59.52: it owes the fee that the channel kept.
        mall.refund(order.id, "R-2", None).await.unwrap();
        mall.until_status(order.id, OrderStatus::Refunded).await;
        let seller = mall.engine.balance(mall.seller).await.unwrap();
        assert_eq!((seller.posted, seller.owed.minor()), (0, 25));
        for account in [commission(), mall.agent] {
            assert_eq!(mall.posted(account).await, 0);
        }
        assert_eq!(mall.posted(coupon_fund()).await, 100_000_000);
        mall.check_books().await;
    });
}

/// A dispute after release holds what receivers got, also over a restart; it ends either way.
#[test]
fn a_dispute_holds_over_a_restart() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let channels = channels(|_| {});
        let mall = mall(dir.path(), &channels).await;
        let [first, second] = [
            mall.create(&at_once(&mall, "B-1")).await.unwrap().id,
            mall.create(&at_once(&mall, "B-2")).await.unwrap().id,
        ];
        for order in [first, second] {
            mall.order(order, OrderCommand::OpenDispute).await.unwrap();
            assert_eq!(mall.refund(order, "R-0", Some(1)).await.unwrap_err().code, RejectCode::IllegalState);
        }
        // 128.00 less 5 % and 2 % is 119.04 for the seller.
        assert_eq!(mall.engine.balance(mall.seller).await.unwrap().held.minor(), 2 * 11_904);
        let mall = restarted(mall, dir.path(), &channels).await;
        let seller = mall.engine.balance(mall.seller).await.unwrap();
        assert_eq!((seller.held.minor(), seller.available), (2 * 11_904, 0));
        mall.order(first, OrderCommand::ResolveDispute { refund: None }).await.unwrap();
        assert_eq!(mall.life(first).await.status, OrderStatus::Settled);
        let refund = Some(wanted("R-1", Some(6_400)));
        mall.order(second, OrderCommand::ResolveDispute { refund }).await.unwrap();
        let life = mall.life(second).await;
        assert_eq!((life.status, life.refunds[0].to_payer.minor()), (OrderStatus::Settled, 6_150));
        let seller = mall.engine.balance(mall.seller).await.unwrap();
        assert_eq!((seller.held.minor(), seller.available), (0, 2 * 11_904 - 5_952));
        mall.check_books().await;
    });
}

/// A fee that the channel keeps is a debt of the seller that gave everything back; the next income pays it before the
/// seller sees a cent, also after a restart.
#[test]
fn income_after_a_restart_pays_what_is_owed() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let channels = channels(|_| {});
        let mall = mall(dir.path(), &channels).await;
        let gateway = mall.create(&mall.terms("A-1")).await.unwrap();
        mall.until_status(gateway.id, OrderStatus::Frozen).await;
        mall.release(gateway.id).await.unwrap();
        mall.refund(gateway.id, "R-1", None).await.unwrap();
        mall.until_status(gateway.id, OrderStatus::Refunded).await;
        let owing = mall.engine.balance(mall.seller).await.unwrap();
        assert_eq!((owing.available, owing.owed.minor()), (0, 25));
        let mall = restarted(mall, dir.path(), &channels).await;
        assert_eq!(mall.engine.balance(mall.seller).await.unwrap().owed.minor(), 25);
        mall.create(&at_once(&mall, "B-1")).await.unwrap();
        let began = std::time::Instant::now();
        loop {
            let paid = mall.engine.balance(mall.seller).await.unwrap();
            if paid.owed.is_zero() {
                assert_eq!(paid.available, 11_904 - 25);
                break;
            }
            assert!(began.elapsed().as_secs() < 20, "the debt is never recovered: {paid:?}");
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        mall.check_books().await;
    });
}

/// Two refunds at once never give back more than was paid, and one of them hears why.
#[test]
fn refunds_at_once_never_exceed_what_was_paid() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let mall = mall(dir.path(), &channels(|_| {})).await;
        for released in [false, true] {
            let order = mall.create(&mall.terms(if released { "A-1" } else { "A-2" })).await.unwrap();
            mall.until_status(order.id, OrderStatus::Frozen).await;
            if released {
                mall.release(order.id).await.unwrap();
            }
            let ask = |number: u64| Command::Order {
                platform: Some(PLATFORM),
                order: OrderRef::Id(order.id),
                command: refund(&format!("R-{number}"), Some(7_000)),
            };
            let answers = mall.engine.call_many((0..8).map(ask).collect()).await;
            let granted = answers.iter().filter(|answer| answer.is_ok()).count();
            assert_eq!(granted, 1, "{answers:?}");
            for reject in answers.into_iter().filter_map(Result::err) {
                assert!(matches!(reject.code, RejectCode::ExceedsPaid | RejectCode::InProgress), "{reject}");
            }
            mall.until(order.id, |order| !order.refunds[0].state.is_alive()).await;
            assert_eq!(mall.life(order.id).await.refunded().minor(), 7_000);
        }
        mall.check_books().await;
    });
}

fn stamp() -> Campaign {
    Campaign {
        id: CampaignId(2),
        worth: Worth::Percent { bps: 1_000, cap: None },
        minimum_spend: Amount::ZERO,
        stock: Some(5),
        per_customer: Some(2),
        ..campaign()
    }
}

fn of(answers: &[Result<Reply, Reject>], code: RejectCode) -> usize {
    answers.iter().filter(|answer| answer.as_ref().is_err_and(|reject| reject.code == code)).count()
}

/// Twenty orders of four customers at once for five coupons, two for each customer.
#[test]
fn the_last_coupon_is_taken_once() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let channels = channels(|behaviour| behaviour.never_pays = Rate::from_percent(100));
        let mall = mall(dir.path(), &channels).await;
        mall.engine.record_campaign(stamp()).await.unwrap();
        assert_eq!(mall.engine.record_campaign(stamp()).await, Ok(()), "the same again");
        let other = Campaign { stock: Some(6), ..stamp() };
        assert_eq!(mall.engine.record_campaign(other).await.unwrap_err().code, RejectCode::CampaignExists);
        let order = |number: u64| {
            let terms = OrderTerms {
                payer: format!("customer-{}", number % 4).into(),
                ..mall.terms(&format!("A-{number}"))
            };
            Command::Create(Arc::new(with_coupons(&[&stamp()], terms)))
        };
        let answers = mall.engine.call_many((0..20).map(order).collect()).await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 5);
        let (sold_out, limited) =
            (of(&answers, RejectCode::CouponSoldOut), of(&answers, RejectCode::CouponLimit));
        assert_eq!(sold_out + limited, 15);
        let state = mall.engine.campaign_state(PLATFORM, CampaignId(2)).await.unwrap();
        assert_eq!((state.taken, state.locked, state.left), (0, 5, Some(0)));
        // The orders are cancelled: every coupon comes back, also to a process that was restarted in between.
        let mall = restarted(mall, dir.path(), &channels).await;
        let state = mall.engine.campaign_state(PLATFORM, CampaignId(2)).await.unwrap();
        assert_eq!((state.locked, state.left), (5, Some(0)));
        for created in answers.into_iter().flatten() {
            let Reply::Order(told) = created else { panic!("a creation tells where the order stands") };
            mall.order(told.id, OrderCommand::Close).await.unwrap();
            mall.until_status(told.id, OrderStatus::Closed).await;
        }
        let state = mall.engine.campaign_state(PLATFORM, CampaignId(2)).await.unwrap();
        assert_eq!((state.locked, state.left), (0, Some(5)));
        mall.check_books().await;
    });
}

/// Issued, locked, used, and given back with a whole refund; the wallet outlives a restart.
#[test]
fn an_issued_coupon_lives_its_life() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let channels = channels(|_| {});
        let mall = mall(dir.path(), &channels).await;
        let campaign = Campaign { id: CampaignId(3), claimable: false, ..stamp() };
        mall.engine.record_campaign(campaign.clone()).await.unwrap();
        let (id, buyer) = (campaign.id, smol("buyer"));
        let terms = with_coupons(&[&campaign], at_once(&mall, "B-1"));
        assert_eq!(mall.create(&terms).await.unwrap_err().code, RejectCode::CouponNotHeld);
        let conflict = Err(RejectCode::IdempotencyConflict);
        let issues = [
            (1, "G-1", Ok(())),
            (1, "G-1", Ok(())),
            (2, "G-1", conflict),
            (2, "G-2", Err(RejectCode::CouponLimit)),
        ];
        for (count, number, expected) in issues {
            let told = mall.engine.issue_coupons(PLATFORM, id, &buyer, count, &smol(number)).await;
            assert_eq!(told.map_err(|reject| reject.code), expected, "{count} under {number}");
        }
        let held = mall.engine.customer_coupons(PLATFORM, id, &buyer).await.unwrap();
        assert_eq!((held.held, held.locked, held.allowance), (1, 0, Some(1)));
        let mall = restarted(mall, dir.path(), &channels).await;
        let told = mall.create(&terms).await.unwrap();
        assert_eq!(told.status, OrderStatus::Settled);
        assert_eq!(mall.engine.customer_coupons(PLATFORM, id, &buyer).await.unwrap().held, 0);
        mall.refund(told.id, "R-1", None).await.unwrap();
        let life = mall.life(told.id).await;
        assert!(life.entries.iter().any(|entry| entry.code == EntryCode::CouponReturned));
        assert_eq!(mall.engine.customer_coupons(PLATFORM, id, &buyer).await.unwrap().held, 1);
        mall.check_books().await;
    });
}

fn smol(text: &str) -> smol_str::SmolStr {
    text.into()
}

/// The same world, agreed otherwise.
async fn mall_agreed(
    dir: &std::path::Path,
    channels: &Channels,
    change: impl FnOnce(&mut PlatformPolicy),
) -> Mall {
    let mut world: World = world(channels);
    change(&mut world.policies[0]);
    settle_in(Engine::start(EngineOptions::new(dir), world).unwrap()).await
}

/// Closed here while the payer paid there: the payment comes late and is taken in, its coupon held anew.
#[test]
fn a_late_payment_reopens_its_order() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let late = channels(|behaviour| {
            behaviour.think = Latency::exactly(900);
            behaviour.paid_after_close = Rate::ALWAYS;
        });
        let reopening = |policy: &mut PlatformPolicy| policy.agreement.late_payment = LatePayment::Reopen;
        let mall = mall_agreed(dir.path(), &late, reopening).await;
        let expires_at = mall.engine.now() + DurationMs(400);
        let order = mall.create(&OrderTerms { expires_at, ..mall.terms("A-1") }).await.unwrap();
        let life = mall.until(order.id, |order| order.paid_by.is_some()).await;
        let kinds: Vec<_> = life.steps.iter().map(|step| step.kind).collect();
        let place = |kind| kinds.iter().position(|known| *known == kind);
        use event::EventKind::{Closed, Frozen, LatePaid, Reopened};
        assert!(place(Closed) < place(LatePaid) && place(LatePaid) < place(Reopened), "{kinds:?}");
        assert!(place(Reopened) < place(Frozen), "{kinds:?}");
        assert_eq!((life.status, life.frozen.minor()), (OrderStatus::Frozen, 12_800));
        let escrow = AccountId::internal(AccountType::Escrow, PLATFORM.0, Currency::Cny, 0);
        assert_eq!(mall.posted(escrow).await, 12_800);
        mall.check_books().await;
    });
}

/// A platform that refuses shortfalls: the refund is refused, and nothing stays held.
#[test]
fn a_refused_shortfall_leaves_nothing_behind() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let refuse = |policy: &mut PlatformPolicy| policy.agreement.shortfall = Shortfall::Refuse;
        let mall = mall_agreed(dir.path(), &channels(|_| {}), refuse).await;
        let order = mall.create(&mall.terms("A-1")).await.unwrap();
        mall.until_status(order.id, OrderStatus::Frozen).await;
        mall.release(order.id).await.unwrap();
        // The whole would take 0.25 more than the seller has.
        let refused = mall.refund(order.id, "R-1", None).await.unwrap_err();
        assert_eq!(refused.code, RejectCode::InsufficientFunds);
        for account in [mall.seller, mall.agent] {
            assert_eq!(mall.engine.balance(account).await.unwrap().held, Amount::ZERO);
        }
        let life = mall.life(order.id).await;
        assert!(life.refunds.is_empty() && life.status == OrderStatus::Settled);
        mall.refund(order.id, "R-2", Some(12_700)).await.unwrap();
        let life = mall.until(order.id, |order| !order.refunds[0].state.is_alive()).await;
        assert_eq!(life.refunds[0].source, RefundSource::Order);
        mall.check_books().await;
    });
}
