//! Lists of orders: live and archived together, page by page while others come, over a restart, with bounded work.
#![allow(clippy::unwrap_used, reason = "test code: a panic is the report")]

mod common;

use std::collections::HashSet;
use std::sync::Arc;

use common::{Mall, PLATFORM, channels, mall, release, run};
use suanpan_model::event::EventKind;
use suanpan_model::*;
use suanpan_runtime::{AnnouncedQuery, Engine, Listed, OrderQuery};

fn everything() -> OrderQuery {
    OrderQuery {
        platform: PLATFORM,
        before: None,
        from: TimestampMs(0),
        until: TimestampMs::NEVER,
        status: None,
        merchant: None,
        payer: None,
        limit: 7,
    }
}

/// Walks through every page; `between` is called after each.
async fn walk(engine: &Engine, query: OrderQuery, mut between: impl AsyncFnMut()) -> Vec<Arc<Order>> {
    let (mut query, mut seen) = (query, Vec::new());
    loop {
        let page = engine.orders(query.clone()).await.unwrap();
        assert!(page.items.len() <= query.limit);
        seen.extend(page.items);
        let Some(next) = page.next else { return seen };
        assert!(query.before.is_none_or(|before| next < before), "the walk goes on");
        query.before = Some(next);
        between().await;
    }
}

fn numbers(orders: &[Arc<Order>]) -> Vec<String> {
    orders.iter().map(|order| order.terms.order_no.to_string()).collect()
}

/// Twenty orders, of which every second is settled; those of even tens are archived, the others wait.
async fn fill(mall: &Mall) -> Vec<OrderId> {
    let mut ids = Vec::new();
    for n in 0..20 {
        let terms = OrderTerms { payer: format!("payer {}", n % 3).into(), ..mall.terms(&format!("A-{n}")) };
        let id = mall.create(&terms).await.unwrap().id;
        mall.until_status(id, OrderStatus::Frozen).await;
        if n % 2 == 0 {
            mall.release(id).await.unwrap();
        }
        ids.push(id);
        // Numbers rise from millisecond to millisecond; within one, shards count side by side.
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    mall.until_archived().await;
    ids
}

fn newest_first(wanted: impl Fn(u32) -> bool) -> Vec<String> {
    (0..20).rev().filter(|n| wanted(*n)).map(|n| format!("A-{n}")).collect()
}

async fn check(mall: &Mall, ids: &[OrderId]) {
    let list = async |query| numbers(&walk(&mall.engine, query, async || {}).await);
    assert_eq!(list(everything()).await, newest_first(|_| true));
    let one_at_a_time = OrderQuery { limit: 1, ..everything() };
    assert_eq!(list(one_at_a_time).await, newest_first(|_| true));
    let settled = OrderQuery { status: Some(OrderStatus::Settled), ..everything() };
    assert_eq!(list(settled).await, newest_first(|n| n % 2 == 0));
    let frozen = OrderQuery { status: Some(OrderStatus::Frozen), ..everything() };
    assert_eq!(list(frozen).await, newest_first(|n| n % 2 == 1));
    let of_payer = OrderQuery { payer: Some("payer 1".into()), ..everything() };
    assert_eq!(list(of_payer).await, newest_first(|n| n % 3 == 1));
    let of_seller = OrderQuery { merchant: Some(mall.seller), limit: 100, ..everything() };
    assert_eq!(list(of_seller).await.len(), 20);
    let of_nobody = OrderQuery { merchant: Some(mall.agent), ..everything() };
    assert_eq!(list(of_nobody).await, [""; 0]);
    let elsewhere = OrderQuery { platform: PlatformId(9002), ..everything() };
    assert_eq!(list(elsewhere).await, [""; 0]);
    // Times: from the sixth order on, up to before the sixteenth.
    let (sixth, sixteenth) = (mall.life(ids[5]).await.created_at(), mall.life(ids[15]).await.created_at());
    let between = OrderQuery { from: sixth, until: sixteenth, ..everything() };
    assert_eq!(list(between).await, newest_first(|n| (5..15).contains(&n)));
    assert_eq!(list(OrderQuery { from: sixth, until: sixth, ..everything() }).await, [""; 0]);
}

#[test]
fn a_list_has_live_and_archived_orders_before_and_after_a_restart() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let channels = channels(|_| {});
        let before = mall(dir.path(), &channels).await;
        let ids = fill(&before).await;
        check(&before, &ids).await;
        // No shutdown: the engine is dropped as it stands.
        drop(before);
        let after = mall(dir.path(), &channels).await;
        check(&after, &ids).await;
        // News of an archived order: the list has it once, as it stands now.
        after.order(ids[4], OrderCommand::OpenDispute).await.unwrap();
        let disputed = OrderQuery { status: Some(OrderStatus::Disputed), ..everything() };
        assert_eq!(numbers(&walk(&after.engine, disputed, async || {}).await), ["A-4"]);
        let settled = OrderQuery { status: Some(OrderStatus::Settled), limit: 100, ..everything() };
        assert!(!numbers(&after.engine.orders(settled).await.unwrap().items).contains(&"A-4".to_owned()));
        assert_eq!(walk(&after.engine, everything(), async || {}).await.len(), 20);
        after.engine.shutdown().await.unwrap();
        drop(after);
        let last = mall(dir.path(), &channels).await;
        assert_eq!(walk(&last.engine, everything(), async || {}).await.len(), 20);
        last.engine.shutdown().await.unwrap();
    });
}

#[test]
fn pages_neither_skip_nor_repeat_while_orders_come_and_end() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let mall = mall(dir.path(), &channels(|_| {})).await;
        let ids = fill(&mall).await;
        let mut more = 0;
        let seen = walk(&mall.engine, OrderQuery { limit: 3, ..everything() }, async || {
            let id = mall.create(&mall.terms(&format!("B-{more}"))).await.unwrap().id;
            mall.until_status(id, OrderStatus::Frozen).await;
            // One that was live when the walk began ends and goes to the archive.
            mall.release(ids[more * 2 + 1]).await.unwrap();
            if more % 3 == 0 {
                mall.until_archived().await;
            }
            more += 1;
        })
        .await;
        assert_eq!(numbers(&seen), newest_first(|_| true));
        let now = walk(&mall.engine, everything(), async || {}).await;
        assert_eq!(now.len(), 20 + more);
        let different: HashSet<OrderId> = now.iter().map(|order| order.id).collect();
        assert_eq!(different.len(), now.len());
        mall.engine.shutdown().await.unwrap();
    });
}

#[test]
fn what_happened_is_listed_by_kind_and_time() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let mall = mall(dir.path(), &channels(|_| {})).await;
        let mut at = Vec::new();
        for n in 0..6 {
            let id = mall.create(&mall.terms(&format!("A-{n}"))).await.unwrap().id;
            mall.until_status(id, OrderStatus::Frozen).await;
            mall.order(id, release("r1", Some(1_000))).await.unwrap();
            mall.refund(id, "b1", Some(500)).await.unwrap();
            at.push(
                mall.life(id).await.steps.iter().find(|step| step.kind == EventKind::Released).unwrap().at,
            );
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        let query = AnnouncedQuery {
            platform: PLATFORM,
            listed: Listed::Releases,
            before: None,
            from: TimestampMs(0),
            until: TimestampMs::NEVER,
            limit: 4,
        };
        let list = async |mut query: AnnouncedQuery| {
            let mut seen = Vec::new();
            loop {
                let page = mall.engine.announced_as(query.clone()).await.unwrap();
                seen.extend(page.items.iter().map(|one| one.announcement.order_no.to_string()));
                let Some(next) = page.next else { return seen };
                query.before = Some(next);
            }
        };
        // They are written down soon after they happened, in their order; a refund was the last.
        let refunds = AnnouncedQuery { listed: Listed::Refunds, limit: 1, ..query.clone() };
        while list(refunds.clone()).await.len() < 6 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        assert_eq!(list(query.clone()).await, ["A-5", "A-4", "A-3", "A-2", "A-1", "A-0"]);
        let between = AnnouncedQuery { from: at[1], until: at[4], ..query.clone() };
        assert_eq!(list(between).await, ["A-3", "A-2", "A-1"]);
        assert_eq!(list(AnnouncedQuery { until: at[0], ..query.clone() }).await, [""; 0]);
        assert_eq!(list(refunds).await.len(), 6);
        let disputes = AnnouncedQuery { listed: Listed::Disputes, ..query };
        assert_eq!(list(disputes).await, [""; 0]);
        mall.engine.shutdown().await.unwrap();
    });
}
