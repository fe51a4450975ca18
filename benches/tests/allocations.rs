//! A decision needs no memory of its own: with up to 16 channels everything that it says stands inline.
#![allow(clippy::unwrap_used, reason = "test code: a panic is the report")]

use std::hint::black_box;

use allocation_counter::measure;
use suanpan_benches::routing_world::{Board, Notes, by_rules, channel, requests, router};
use suanpan_core::routing::{RouteRequest, Router, Strategy, explain};
use suanpan_model::{Capability, ChannelId, Currency};

fn allocations(router: &Router, requests: &[RouteRequest<'_>]) -> u64 {
    let board = Board::ailing();
    let counted = measure(|| {
        for request in requests {
            let _ = black_box(router.decide(black_box(request), &board));
        }
    });
    counted.count_total
}

#[test]
fn no_strategy_allocates() {
    let tried = [ChannelId(100), ChannelId(104)];
    let payments = requests(&tried);
    for strategy in Strategy::ALL {
        let router = router(false, &[strategy]);
        assert_eq!(allocations(&router, &payments), 0, "{strategy:?}");
    }
    let mixed = router(false, &[Strategy::Designated, Strategy::Amount, Strategy::Priority, Strategy::Cost]);
    assert_eq!(allocations(&mixed, &requests(&[])), 0);
}

#[test]
fn rules_as_data_do_not_allocate() {
    let notes = Notes::new();
    for count in [50, 400] {
        let channels: Vec<Capability> = (0..16).map(|n| channel(n, false)).collect();
        let router = Router::new(channels, by_rules(count), Vec::new()).unwrap();
        assert_eq!(allocations(&router, &notes.requests()), 0, "{count} rules");
    }
}

#[test]
fn the_counter_counts() {
    let router = router(false, &[Strategy::Cost]);
    let payments = requests(&[]);
    let route = payments.iter().find_map(|request| router.decide(request, &Board::open()).ok()).unwrap();
    assert!(measure(|| drop(black_box(explain(&router, &route, Currency::Cny)))).count_total > 0);
}
