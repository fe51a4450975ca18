//! Journeys of orders through the whole engine: real actors, a real journal, simulated channels.

mod common;

use std::sync::Arc;

use common::{CAMPAIGN, PLATFORM, campaign, channels, mall, mall_with, run, with_coupons};
use suanpan_channels::Rate;
use suanpan_model::order::CloseReason;
use suanpan_model::*;
use suanpan_runtime::api::StatementQuery;
use suanpan_runtime::{Command, EngineOptions, Reply, Request};

#[test]
fn from_submission_to_a_settled_split() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let mall = mall(dir.path(), &channels(|_| {})).await;
        let created = mall.create(&mall.terms("A-1")).await.unwrap();
        assert_eq!((created.status, created.repeat), (OrderStatus::Routing, false));
        let frozen = mall.until_status(created.id, OrderStatus::Frozen).await;
        let escrow = AccountId::internal(AccountType::Escrow, PLATFORM.0, Currency::Cny, 0);
        assert_eq!(mall.posted(escrow).await, 12_800);
        let released = mall.release(created.id).await.unwrap();
        assert_eq!(released.status, OrderStatus::Settled);
        // icbc is the cheapest for 123.00 on an ICBC debit card: 0.20 % = 0.246, rounded 0.25.
        assert_eq!(frozen.attempts[0].fee.minor(), 25);
        // 128.00: 5 % = 6.40 platform, 2 % = 2.56 agent, 0.25 fee, the rest 118.79 to the seller.
        assert_eq!(mall.posted(escrow).await, 0);
        assert_eq!(mall.posted(mall.agent).await, 256);
        assert_eq!(mall.posted(mall.seller).await, 11_879);
        let commission = AccountId::internal(AccountType::CommissionIncome, PLATFORM.0, Currency::Cny, 0);
        assert_eq!(mall.posted(commission).await, 640);
        let fund = AccountId::internal(AccountType::CouponFund, PLATFORM.0, Currency::Cny, 0);
        assert_eq!(mall.posted(fund).await, 100_000_000 - 500);
        mall.check_books().await;
        mall.engine.shutdown().await.unwrap();
    });
}

#[test]
fn the_same_request_again_changes_nothing_and_other_content_is_a_conflict() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let mall = mall(dir.path(), &channels(|_| {})).await;
        let terms = mall.terms("A-1");
        let first = mall.create(&terms).await.unwrap();
        let again = mall.create(&terms).await.unwrap();
        assert!(again.repeat && again.id == first.id);
        let other = OrderTerms { description: "coffee".into(), ..terms.clone() };
        assert_eq!(mall.create(&other).await.unwrap_err().code, RejectCode::IdempotencyConflict);
        // The same holds when the order is finished and in the archive, also after a restart.
        mall.until_status(first.id, OrderStatus::Frozen).await;
        mall.release(first.id).await.unwrap();
        mall.until_archived().await;
        let archived = mall.create(&terms).await.unwrap();
        assert!(archived.repeat && archived.id == first.id && archived.status == OrderStatus::Settled);
        assert_eq!(mall.create(&other).await.unwrap_err().code, RejectCode::IdempotencyConflict);
        assert_eq!(mall.release(first.id).await.map(|told| told.repeat), Ok(true));
        mall.check_books().await;
    });
}

#[test]
fn balance_payments_are_held_paid_and_refused_beyond_the_balance() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let mall = mall(dir.path(), &channels(|_| {})).await;
        let terms = OrderTerms {
            kind: PayKind::Balance,
            payer_account: Some(mall.buyer),
            bank: None,
            card_type: None,
            escrow: false,
            ..mall.terms("B-1")
        };
        let told = mall.create(&terms).await.unwrap();
        assert_eq!(told.status, OrderStatus::Settled);
        assert_eq!(mall.posted(mall.buyer).await, 100_000_000 - 12_300);
        let dear = Amount::from_minor(100_000_000);
        let too_dear = OrderTerms {
            order_no: "B-2".into(),
            amount: dear,
            sub_orders: [SubOrder { merchant: mall.seller, amount: dear }].into(),
            ..terms.clone()
        };
        let too_dear = with_coupons(&[&campaign()], too_dear);
        let refused = mall.create(&too_dear).await.unwrap_err();
        assert_eq!((refused.code, refused.field), (RejectCode::InsufficientFunds, "payer"));
        // Nothing stays held: the coupon's hold was given back.
        let fund = AccountId::internal(AccountType::CouponFund, PLATFORM.0, Currency::Cny, 0);
        assert_eq!(mall.engine.balance(fund).await.unwrap().held, Amount::ZERO);
        assert_eq!(mall.engine.balance(mall.buyer).await.unwrap().held, Amount::ZERO);
        mall.check_books().await;
    });
}

#[test]
fn a_number_is_taken_while_its_first_request_is_under_way_and_free_after_a_refusal() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let mall = mall(dir.path(), &channels(|_| {})).await;
        let costing = |amount| {
            let amount = Amount::from_minor(amount);
            let sub_orders = [SubOrder { merchant: mall.seller, amount }].into();
            let payer_account = Some(mall.buyer);
            let terms = OrderTerms {
                amount,
                sub_orders,
                payer_account,
                bank: None,
                card_type: None,
                ..mall.terms("B-1")
            };
            with_coupons(&[&campaign()], OrderTerms { kind: PayKind::Balance, ..terms })
        };
        let twice = |terms: &OrderTerms| vec![Command::Create(Arc::new(terms.clone())); 2];
        for _ in 0..3 {
            let answers = mall.engine.call_many(twice(&costing(200_000_000))).await;
            let codes: Vec<_> = answers.into_iter().map(|answer| answer.unwrap_err().code).collect();
            assert_eq!(codes, [RejectCode::InsufficientFunds, RejectCode::InProgress]);
        }
        let mut answers = mall.engine.call_many(twice(&costing(12_800))).await;
        assert_eq!(answers.pop().unwrap().unwrap_err().code, RejectCode::InProgress);
        let Ok(Reply::Order(first)) = answers.pop().unwrap() else { panic!("it can be paid now") };
        assert!(!first.repeat);
        let again = mall.create(&costing(12_800)).await.unwrap();
        assert!(again.repeat && again.id == first.id);
        let conflict = mall.create(&costing(200_000_000)).await.unwrap_err();
        assert_eq!(conflict.code, RejectCode::IdempotencyConflict);
        mall.check_books().await;
    });
}

#[test]
fn a_definite_failure_goes_to_another_channel_and_an_unknown_outcome_does_not() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let refusing = channels(|behaviour| behaviour.refused = Rate::from_percent(100));
        let mall = mall(dir.path(), &refusing).await;
        let order = mall.create(&mall.terms("A-1")).await.unwrap();
        let failed = mall.until_status(order.id, OrderStatus::Failed).await;
        assert!(failed.attempts.len() > 1, "every attempt was proved not sent");
        let fund = AccountId::internal(AccountType::CouponFund, PLATFORM.0, Currency::Cny, 0);
        assert_eq!(mall.engine.balance(fund).await.unwrap().held, Amount::ZERO, "the coupon was given back");
    });
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let silent = channels(|behaviour| {
            behaviour.timeout_done = Rate::from_percent(100);
            behaviour.notice_lost = Rate::from_percent(100);
        });
        let mall = mall(dir.path(), &silent).await;
        let terms =
            OrderTerms { kind: PayKind::QuickPay, agreement_no: "AGREE1".into(), ..mall.terms("A-2") };
        let order = mall.create(&terms).await.unwrap();
        let frozen = mall.until_status(order.id, OrderStatus::Frozen).await;
        assert_eq!(frozen.attempts.len(), 1, "a query found the payment; nobody was asked twice for money");
        mall.check_books().await;
    });
}

#[test]
fn an_unpaid_order_expires_by_asking_closing_and_asking_again() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let mall =
            mall(dir.path(), &channels(|behaviour| behaviour.never_pays = Rate::from_percent(100))).await;
        let expires_at = mall.engine.now() + DurationMs(400);
        let order = mall.create(&OrderTerms { expires_at, ..mall.terms("A-1") }).await.unwrap();
        let closed = mall.until_status(order.id, OrderStatus::Closed).await;
        assert_eq!(closed.closed, Some(CloseReason::Expired));
        assert!(closed.steps.iter().any(|step| step.kind == event::EventKind::ClosingAdvanced));
        let other = mall.create(&mall.terms("A-2")).await.unwrap();
        mall.until_status(other.id, OrderStatus::Pending).await;
        mall.order(other.id, OrderCommand::Close).await.unwrap();
        let closed = mall.until_status(other.id, OrderStatus::Closed).await;
        assert_eq!(closed.closed, Some(CloseReason::Cancelled));
        mall.check_books().await;
    });
}

#[test]
fn bad_orders_are_refused_and_leave_nothing() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let mall = mall(dir.path(), &channels(|_| {})).await;
        let good = mall.terms("A-1");
        let stranger = AccountId::opened(AccountType::Settlement, 0xffff_ffff, 3);
        let table = [
            (OrderTerms { amount: Amount::ZERO, ..good.clone() }, RejectCode::AmountZero),
            (OrderTerms { bank: Bank::from_code("NOPE"), ..good.clone() }, RejectCode::UnknownBank),
            (OrderTerms { platform: PlatformId(1), ..good.clone() }, RejectCode::UnknownPlatform),
            (OrderTerms { expires_at: TimestampMs(1), ..good.clone() }, RejectCode::InvalidExpiry),
            (
                OrderTerms {
                    sub_orders: [SubOrder { merchant: stranger, amount: good.amount }].into(),
                    ..good.clone()
                },
                RejectCode::UnknownAccount,
            ),
            (
                with_coupons(&[&Campaign { id: CampaignId(99), ..campaign() }], good.clone()),
                RejectCode::UnknownCampaign,
            ),
        ];
        let before = mall.engine.stats().records;
        for (terms, code) in table {
            assert_eq!(mall.create(&terms).await.unwrap_err().code, code);
        }
        assert_eq!(mall.engine.stats().records, before, "nothing was recorded");
        assert_eq!(mall.create(&good).await.map(|told| told.repeat), Ok(false), "the number is still free");
        assert_eq!(good.coupons[0].campaign, CAMPAIGN);
    });
}

#[test]
fn too_much_at_once_is_answered_busy() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let options = EngineOptions { in_flight_max: 4, ..EngineOptions::new(dir.path()) };
        let mall = mall_with(options, &channels(|_| {})).await;
        let creates = (0..10).map(|n| Command::Create(mall.terms(&format!("A-{n}")).into())).collect();
        let answers = mall.engine.call_many(creates).await;
        let codes: Vec<_> =
            answers.iter().map(|answer| answer.as_ref().err().map(|reject| reject.code)).collect();
        // A quarter of the places is kept for commands to orders that exist.
        assert_eq!(codes[..3], [None; 3]);
        assert_eq!(codes[3..], [Some(RejectCode::Busy); 7]);
        assert_eq!(mall.create(&mall.terms("A-9")).await.map(|told| told.repeat), Ok(false));
        // A request is plain data: it can be kept and handed in again.
        let _ = Request { ticket: Ticket(1), command: Command::Create(mall.terms("A-8").into()) };
    });
}

#[test]
fn statements_tell_every_line_with_its_balance_from_memory_and_archive() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let channels = channels(|_| {});
        let mall = mall(dir.path(), &channels).await;
        for n in 0..30 {
            let order = mall.create(&mall.terms(&format!("A-{n}"))).await.unwrap();
            mall.until_status(order.id, OrderStatus::Frozen).await;
            mall.release(order.id).await.unwrap();
            if n == 15 {
                mall.until_archived().await;
            }
        }
        let everything = StatementQuery {
            account: mall.seller,
            after: Lsn(0),
            from: TimestampMs(0),
            until: TimestampMs::NEVER,
            limit: 1_000,
        };
        let lines = mall.engine.statement(everything).await.unwrap();
        let balances: Vec<i128> = lines.iter().map(|line| line.balance).collect();
        assert_eq!(balances, (1..=30).map(|n| n * 11_879).collect::<Vec<i128>>());
        let page = mall.engine.statement(StatementQuery { limit: 7, ..everything }).await.unwrap();
        assert_eq!(page, lines[..7]);
        let next = StatementQuery { after: page[6].lsn, limit: 7, ..everything };
        assert_eq!(mall.engine.statement(next).await.unwrap(), lines[7..14]);
    });
}

#[test]
fn a_fee_above_the_payment_is_booked_as_the_channel_takes_it() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let mut icbc = channels(|_| {});
        icbc.retain(|adapter| adapter.capability().name == "icbc");
        let mall = mall(dir.path(), &icbc).await;
        let amount = Amount::from_minor(1);
        let sub_orders = [SubOrder { merchant: mall.seller, amount }].into();
        let tiny = OrderTerms {
            amount,
            sub_orders,
            coupons: vec![],
            splits: Default::default(),
            ..mall.terms("A-1")
        };
        let order = mall.create(&tiny).await.unwrap();
        let frozen = mall.until_status(order.id, OrderStatus::Frozen).await;
        // icbc takes at least 0.05, also of 0.01: the merchant bears a cent of it, the operator the rest.
        assert_eq!(frozen.attempts[0].fee.minor(), 5);
        mall.release(order.id).await.unwrap();
        assert_eq!(mall.posted(mall.seller).await, 0);
        mall.check_books().await;
    });
}
