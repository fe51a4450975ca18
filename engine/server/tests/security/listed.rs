//! Lists, asked for with the client library.

use std::time::Duration;

use suanpan_client::{ClientFault, Kind, NewOrder, OrderFilter, Platform, Refund, Release, TimeRange};

use crate::house::House;

/// Pages that a test reads at the most.
const PAGES: usize = 50;

/// Every entry of a list, two at a time: `$page` asks for one, `$entries` names them.
macro_rules! all {
    ($entries:ident, $after:ident => $page:expr) => {{
        let (mut seen, mut next) = (Vec::new(), None::<String>);
        for _ in 0..PAGES {
            let $after = next.as_deref();
            let page = $page.await.unwrap();
            assert!(page.$entries.len() <= 2, "{page:?}");
            seen.extend(page.$entries);
            next = page.next;
            if next.is_none() {
                break;
            }
        }
        assert_eq!(next, None, "the pages end");
        seen
    }};
}

async fn frozen(mall: &Platform<'_>, order_no: &str, payer: &str, merchant: &str) -> String {
    let mut order = NewOrder::new(order_no, payer, "100.00", Kind::Gateway).to_merchant(merchant);
    order.bank = Some("CMB".to_owned());
    let receipt = mall.create_order_and_wait(&order, 5_000).await.unwrap();
    assert_eq!(receipt.now.unwrap().status, "frozen");
    // Numbers rise from millisecond to millisecond; within one, shards count side by side.
    tokio::time::sleep(Duration::from_millis(2)).await;
    receipt.order
}

#[actix_web::test]
async fn the_client_lists_orders_refunds_releases_and_disputes() {
    let house = House::open().await;
    let client = house.client("mall-1");
    let mall = client.platform(9001);
    let mut orders = Vec::new();
    for (order_no, payer, merchant) in [
        ("L1", "U1", "M1"),
        ("L2", "U 2&x", "M1"),
        ("L3", "U1", "M2"),
        ("L4", "U1", "M1"),
        ("L5", "U1", "M2"),
    ] {
        orders.push(frozen(&mall, order_no, payer, merchant).await);
    }
    let part = |amount: &str| Some(amount.to_owned());
    for (order, release_no) in [(0, "a"), (0, "b"), (3, "a")] {
        let release =
            Release { release_no: release_no.to_owned(), amount: part("10.00"), ..Release::default() };
        mall.release(&orders[order], &release).await.unwrap();
    }
    for (order, refund_no) in [(1, "r1"), (1, "r2"), (4, "r1")] {
        let refund = Refund { refund_no: refund_no.to_owned(), amount: part("20.00"), ..Refund::default() };
        mall.refund(&orders[order], &refund).await.unwrap();
    }
    mall.confirm(&orders[3]).await.unwrap();
    for order in [0, 2, 2] {
        mall.dispute(&orders[order]).await.unwrap();
        if order == 2 {
            mall.resolve(&orders[order], None).await.unwrap();
        }
    }

    let text = |text: &str| Some(text.to_owned());
    let all_orders = OrderFilter::default();
    let past = TimeRange { from: None, until: text("2020-01-01T00:00:00+08:00") };
    let table = [
        (all_orders.clone(), "L5 L4 L3 L2 L1"),
        (OrderFilter { status: text("settled"), ..all_orders.clone() }, "L4"),
        (OrderFilter { payer: text("U 2&x"), ..all_orders.clone() }, "L2"),
        (OrderFilter { merchant: text("M2"), ..all_orders.clone() }, "L5 L3"),
        (OrderFilter { merchant: text("M1"), payer: text("U1"), ..all_orders.clone() }, "L4 L1"),
        (OrderFilter { created: past.clone(), ..all_orders.clone() }, ""),
    ];
    for (filter, expected) in table {
        let seen = all!(orders, after => mall.orders(&filter, after, 2));
        let numbers: Vec<&str> = seen.iter().map(|order| order.order_no.as_str()).collect();
        assert_eq!(numbers.join(" "), expected, "{filter:?}");
    }
    let settled = OrderFilter { status: text("settled"), ..all_orders.clone() };
    let settled = mall.orders(&settled, None, 2).await.unwrap().orders.remove(0);
    assert_eq!((&settled.order, settled.released.as_str()), (&orders[3], "100.00"));
    assert_eq!((settled.frozen.as_str(), settled.currency.as_str()), ("0.00", "CNY"));

    // What happened is listed soon after.
    let any = TimeRange::default();
    for _ in 0..500 {
        let (refunds, disputes) = (mall.refunds(&any, None, 100).await, mall.disputes(&any, None, 100).await);
        let refunds = refunds.unwrap().refunds;
        let is_over = refunds.iter().filter(|line| line.refund.state == "succeeded").count() == 3;
        if is_over && disputes.unwrap().disputes.len() == 3 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let seen = all!(refunds, after => mall.refunds(&any, after, 2));
    let seen: Vec<_> =
        seen.iter().map(|line| (line.order_no.as_str(), line.refund.refund_no.as_str())).collect();
    assert_eq!(seen, [("L5", "r1"), ("L2", "r2"), ("L2", "r1")]);
    let seen = all!(releases, after => mall.releases(&any, after, 2));
    let seen: Vec<_> = seen
        .iter()
        .map(|line| format!("{} {} {}", line.order_no, line.release.release_no, line.release.amount))
        .collect();
    assert_eq!(seen, ["L4  90.00", "L4 a 10.00", "L1 b 10.00", "L1 a 10.00"]);
    let seen = all!(disputes, after => mall.disputes(&any, after, 2));
    let seen: Vec<_> = seen
        .iter()
        .map(|line| format!("{} {} {}", line.order_no, line.state, line.resolved_at.is_some()))
        .collect();
    assert_eq!(seen, ["L3 resolved true", "L3 resolved true", "L1 open false"]);
    assert!(mall.refunds(&past, None, 2).await.unwrap().refunds.is_empty());

    let unknown = OrderFilter { merchant: text("nobody"), ..all_orders };
    let Err(ClientFault::Refused(problem)) = mall.orders(&unknown, None, 2).await else { panic!("refused") };
    assert_eq!((problem.code.as_str(), problem.field.as_str()), ("unknown_account", "merchant"));
    let other = house.client("another");
    assert!(other.platform(9002).orders(&OrderFilter::default(), None, 2).await.unwrap().orders.is_empty());
}
