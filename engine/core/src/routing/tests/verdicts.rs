//! What removes a channel, and which of several reasons is named.

use std::cell::RefCell;
use std::collections::HashSet;

use suanpan_model::CandidateVerdict as Verdict;
use suanpan_model::{
    Amount, Banks, Capability, CardType, ChannelId, Currency, PayKind, RouteRule, ServiceHours, TimestampMs,
};

use super::{AFTERNOON, Board, bank, channel, fen, payment, router, tariff};
use crate::routing::{RouteRequest, RoutingRules, Standing};

/// The verdict on channel 1 when channel 2, which takes everything at 1 %, stands beside it.
fn verdict(subject: Capability, request: &RouteRequest<'_>, board: &Board) -> Verdict {
    let spare = Capability {
        currencies: Currency::ALL.to_vec(),
        amount_max: Amount::MAX,
        tariff: tariff(10_000),
        ..channel(2, "spare")
    };
    let route = router(vec![subject, spare], RoutingRules::default()).decide(request, board).unwrap();
    assert_eq!(route.rule, RouteRule::LowestCost);
    assert_eq!(route.because.len(), 2);
    let first = route.because[0];
    assert_eq!(first.channel, ChannelId(1));
    assert!(first.verdict.is_capable() || first.fee.is_zero(), "only a capable channel has a fee");
    first.verdict
}

fn hours(from_minute: u16, until_minute: u16) -> Option<ServiceHours> {
    Some(ServiceHours { from_minute, until_minute })
}

#[test]
fn every_verdict() {
    let one = || channel(1, "subject");
    let banks = || Banks::Only(vec![bank("CMB"), bank("ABC")]);
    let limits = || Capability { amount_min: fen(500), amount_max: fen(50_000), ..one() };
    let quota = || Capability { daily_quota: Some(fen(30_000)), ..one() };
    let of = |minor| RouteRequest { amount: fen(minor), ..payment() };
    let from = |code: Option<&str>| RouteRequest { bank: code.map(bank), ..payment() };
    let debit = || Capability { card_types: vec![CardType::Debit], ..one() };
    let card = |card_type| RouteRequest { card_type, ..payment() };
    let used = |minor| Board { used: vec![fen(minor)], ..Board::default() };
    let free = Board::default;
    let sick = || Board { sick: vec![true], ..Board::default() };
    let open = |from, until| Capability { hours: hours(from, until), ..one() };
    // 14:05 in Beijing.
    let minute = AFTERNOON.beijing_minute();
    #[rustfmt::skip]
    let table = vec![
        (one(), payment(), free(), Verdict::Chosen),
        (Capability { tariff: tariff(20_000), ..one() }, payment(), free(), Verdict::Ranked),
        (Capability { enabled: false, ..one() }, payment(), free(), Verdict::Disabled),
        (one(), RouteRequest { tried: &[ChannelId(9), ChannelId(1)], ..payment() }, free(), Verdict::AlreadyTried),
        (one(), RouteRequest { tried: &[ChannelId(9)], ..payment() }, free(), Verdict::Chosen),
        (Capability { kinds: vec![PayKind::QuickPay], ..one() }, payment(), free(), Verdict::Kind),
        (one(), RouteRequest { currency: Currency::Usd, ..payment() }, free(), Verdict::Currency),
        (Capability { banks: banks(), ..one() }, from(Some("ICBC")), free(), Verdict::Bank),
        (Capability { banks: banks(), ..one() }, from(None), free(), Verdict::Bank),
        (Capability { banks: banks(), ..one() }, from(Some("ABC")), free(), Verdict::Chosen),
        (one(), from(None), free(), Verdict::Chosen),
        (debit(), card(Some(CardType::Credit)), free(), Verdict::CardType),
        (debit(), card(None), free(), Verdict::Chosen),
        (limits(), of(499), free(), Verdict::BelowMinimum),
        (limits(), of(500), free(), Verdict::Chosen),
        (limits(), of(50_000), free(), Verdict::Chosen),
        (limits(), of(50_001), free(), Verdict::AboveMaximum),
        (open(minute + 1, 1_440), payment(), free(), Verdict::Hours),
        (open(0, minute), payment(), free(), Verdict::Hours),
        (open(minute, minute + 1), payment(), free(), Verdict::Chosen),
        (open(minute + 1, minute), payment(), free(), Verdict::Hours),
        (open(1_380, minute + 1), payment(), free(), Verdict::Chosen),
        (quota(), payment(), used(20_000), Verdict::Chosen),
        (quota(), payment(), used(20_001), Verdict::Quota),
        (quota(), payment(), used(u64::MAX), Verdict::Quota),
        (one(), payment(), used(u64::MAX), Verdict::Chosen),
        (one(), payment(), sick(), Verdict::Unhealthy),
    ];
    let mut seen = HashSet::new();
    for (row, (subject, request, board, expected)) in table.into_iter().enumerate() {
        assert_eq!(verdict(subject, &request, &board), expected, "row {row}");
        seen.insert(expected);
    }
    // `Unhealthy` and the others: thirteen verdicts, none without a row.
    assert_eq!(seen.len(), 13);
}

/// A channel that fails every filter names the first; with each cure it names the next.
#[test]
fn the_first_failing_filter_is_named() {
    let minute = AFTERNOON.beijing_minute();
    let mut subject = Capability {
        enabled: false,
        kinds: vec![PayKind::QuickPay],
        currencies: vec![Currency::Usd],
        banks: Banks::Only(vec![bank("ABC")]),
        card_types: vec![CardType::Credit],
        // A single channel cannot be both, so the maximum fails after the minimum is cured.
        amount_min: fen(20_000),
        amount_max: fen(30_000),
        daily_quota: Some(fen(1)),
        hours: hours(minute + 1, minute + 2),
        ..channel(1, "subject")
    };
    let mut board = Board { used: vec![fen(1)], sick: vec![true] };
    let mut request = RouteRequest { tried: &[ChannelId(1)], ..payment() };
    let mut named = vec![verdict(subject.clone(), &request, &board)];
    subject.enabled = true;
    named.push(verdict(subject.clone(), &request, &board));
    request.tried = &[];
    named.push(verdict(subject.clone(), &request, &board));
    subject.kinds = vec![PayKind::Gateway];
    named.push(verdict(subject.clone(), &request, &board));
    subject.currencies = vec![Currency::Cny];
    named.push(verdict(subject.clone(), &request, &board));
    subject.banks = Banks::All;
    named.push(verdict(subject.clone(), &request, &board));
    subject.card_types = vec![CardType::Debit];
    named.push(verdict(subject.clone(), &request, &board));
    (subject.amount_min, subject.amount_max) = (fen(1), fen(9_999));
    named.push(verdict(subject.clone(), &request, &board));
    subject.amount_max = fen(10_000);
    named.push(verdict(subject.clone(), &request, &board));
    subject.hours = None;
    named.push(verdict(subject.clone(), &request, &board));
    board.used.clear();
    subject.daily_quota = Some(fen(10_000));
    named.push(verdict(subject.clone(), &request, &board));
    board.sick.clear();
    named.push(verdict(subject, &request, &board));
    let precedence = [
        Verdict::Disabled,
        Verdict::AlreadyTried,
        Verdict::Kind,
        Verdict::Currency,
        Verdict::Bank,
        Verdict::CardType,
        Verdict::BelowMinimum,
        Verdict::AboveMaximum,
        Verdict::Hours,
        Verdict::Quota,
        Verdict::Unhealthy,
        Verdict::Chosen,
    ];
    assert_eq!(named, precedence);
}

/// Notes which questions are asked.
#[derive(Default)]
struct Listener(RefCell<Vec<(&'static str, usize, ChannelId)>>);

impl Standing for Listener {
    fn quota_used(&self, channel_index: usize, channel: ChannelId, day: u32) -> Amount {
        assert_eq!(day, AFTERNOON.beijing_day());
        self.0.borrow_mut().push(("quota", channel_index, channel));
        if channel_index == 2 { fen(1) } else { Amount::ZERO }
    }

    fn is_healthy(&self, channel_index: usize, channel: ChannelId, now: TimestampMs) -> bool {
        assert_eq!(now, AFTERNOON);
        self.0.borrow_mut().push(("health", channel_index, channel));
        true
    }
}

#[test]
fn the_standing_is_asked_only_about_channels_that_are_still_in() {
    let quota = |id, name| Capability { daily_quota: Some(fen(10_000)), ..channel(id, name) };
    let channels = vec![
        Capability { enabled: false, ..quota(11, "off") },
        channel(12, "without_quota"),
        quota(13, "used_up"),
        quota(14, "with_quota"),
    ];
    let listener = Listener::default();
    // As a trait object: a runtime need not make its callers generic.
    let standing: &dyn Standing = &listener;
    router(channels, RoutingRules::default()).decide(&payment(), standing).unwrap();
    let asked = [
        ("quota", 2, ChannelId(13)),
        ("quota", 3, ChannelId(14)),
        ("health", 1, ChannelId(12)),
        ("health", 3, ChannelId(14)),
    ];
    assert_eq!(*listener.0.borrow(), asked);
}
