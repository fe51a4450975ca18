//! Releases in milestones, levels of splits, refunds of released money, debts and disputes over HTTP, to the cent.
#![allow(clippy::unwrap_used, reason = "test code: a panic is the report")]

mod common;

use common::{Answer, MALL, Shop, paid, vague, with};
use serde_json::{Value, json};
use suanpan_model::policy::{RefundedFee, Shortfall};
use suanpan_server::Config;
use suanpan_server::text::parse_time;

async fn shop_with(change: impl Fn(&mut Config)) -> Shop {
    Shop::open_with(tempfile::TempDir::new().unwrap(), change).await
}

fn path(order: &str, action: &str) -> String {
    format!("{MALL}/orders/{order}/{action}")
}

/// Does something to an order until it is not refused because something else is under way.
async fn act(shop: &Shop, order: &str, action: &str, body: Value) -> Answer {
    loop {
        let answer = shop.post(&path(order, action), &body).await;
        if answer.status != 409 || answer.problem().1 != "in_progress" {
            return answer;
        }
        actix_rt::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

fn agent(name: &str, share: Value) -> Value {
    with(json!({ "receiver": { "kind": "commission", "reference": name } }), share)
}

/// 600.00 of M1 and 400.00 of M2; 5 % to the platform, 10 % to an agent, who gives a quarter to another. The channel
/// takes 10.00.
fn cart(order_no: &str) -> Value {
    let changes = json!({
        "amount": "1000.00", "merchant": null,
        "sub_orders": [{ "merchant": "M1", "amount": "600.00" }, { "merchant": "M2", "amount": "400.00" }],
        "splits": [
            { "receiver": "platform", "percent": "5" },
            agent("A1", json!({ "percent": "10" })),
            agent("A2", json!({ "percent": "25", "within": 1 })),
        ],
    });
    with(paid(order_no), changes)
}

#[actix_web::test]
async fn a_cart_is_released_in_milestones_and_every_level_gets_its_cents() {
    let shop = Shop::open().await;
    let order = shop.frozen(&cart("R1")).await;
    let life = shop.life(&order).await;
    assert_eq!(life["terms"]["splits"][2]["within"], 1, "{life}");

    // Refused, in precedence; nothing changes.
    let few =
        |changes: Value| with(json!({ "release_no": "m1", "sub_order": 1, "amount": "100.00" }), changes);
    let table = [
        (few(json!({ "release_no": null })), "missing_field", "release_no"),
        (few(json!({ "release_no": "a\nb" })), "invalid_field", "release_no"),
        (few(json!({ "amount": "0", "sub_order": 7 })), "amount_zero", "amount"),
        (few(json!({ "amount": "1.001" })), "amount_decimals", "amount"),
        (few(json!({ "currency": "USD" })), "currency_mismatch", "currency"),
        (few(json!({ "currency": "USD", "amount": null })), "currency_mismatch", "currency"),
        (few(json!({ "currency": "XXX" })), "unknown_currency", "currency"),
        (few(json!({ "sub_order": 2 })), "invalid_field", "sub_order"),
        (few(json!({ "sub_order": -1 })), "invalid_field", "sub_order"),
        (few(json!({ "amount": "400.01" })), "exceeds_frozen", "amount"),
        (few(json!({ "payees": [["platform", "5"]] })), "invalid_field", "payees[0]"),
        (few(json!({ "payees": [{ "receiver": "platform" }] })), "missing_field", "payees[0].percent"),
        (
            few(json!({ "payees": [agent("A9", json!({ "percent": "1" }))] })),
            "unknown_account",
            "payees[0].receiver.reference",
        ),
        (few(json!({ "payees": [agent("A1", json!({ "percent": "30.01" }))] })), "split_over_cap", "payees"),
        (few(json!({ "payees": [agent("A1", json!({ "fixed": "100.01" }))] })), "split_over_whole", "payees"),
        (few(json!({ "why": "x" })), "invalid_field", "why"),
    ];
    for (body, code, field) in table {
        let problem = shop.post(&path(&order, "releases"), &body).await.problem();
        assert_eq!((problem.1.as_str(), problem.2.as_str()), (code, field), "{body}");
    }
    assert_eq!(shop.life(&order).await, life);

    // A quarter of M2's: 150.00 of splits and 10.00 of fee are 60:40, so 5.00, 7.50, 2.50 and 1.00; M2 gets 84.00.
    let first = act(&shop, &order, "releases", few(json!({}))).await;
    assert_eq!((&first.ok()["result"], &first.ok()["status"]), (&json!("moved"), &json!("part_released")));
    act(&shop, &order, "releases", few(json!({}))).await.assert_again(&first);
    let problem = act(&shop, &order, "releases", few(json!({ "amount": "100.01" }))).await.problem();
    assert_eq!((problem.1.as_str(), problem.2.as_str()), ("idempotency_conflict", "release_no"));
    assert_eq!(shop.balance("settlement", "M2").await, "84.00");
    assert_eq!(shop.balance("commission", "A2").await, "2.50");

    // A milestone with payees of its own: 20.00 to the agent, 1.00 to the platform, a third of the 6.00 of fee that M1 bears,
    // the rest, 177.00, to M1.
    let payees =
        json!([agent("A1", json!({ "percent": "10" })), { "receiver": "platform", "fixed": "1.00" }]);
    let second = json!({ "release_no": "m2", "sub_order": 0, "amount": "200.00", "payees": payees });
    let milestone = act(&shop, &order, "releases", second.clone()).await;
    assert_eq!(milestone.ok()["status"], "part_released");
    act(&shop, &order, "releases", second.clone()).await.assert_again(&milestone);
    let others = with(second, json!({ "payees": [payees[0]] }));
    assert_eq!(act(&shop, &order, "releases", others).await.problem().1, "idempotency_conflict");
    assert_eq!(shop.balance("settlement", "M1").await, "177.00");

    assert_eq!(act(&shop, &order, "confirm", json!({})).await.ok()["status"], "settled");
    assert_eq!(act(&shop, &order, "confirm", json!({})).await.ok()["result"], "repeat");
    // A repeat by number is answered as at first, whatever has become of the order.
    act(&shop, &order, "releases", few(json!({}))).await.assert_again(&first);
    // Of M1's 400.00 the splits take 60.00 and the fee 4.00; of M2's 300.00 45.00 and 3.00.
    assert_eq!(shop.balance("settlement", "M1").await, "513.00");
    assert_eq!(shop.balance("settlement", "M2").await, "336.00");
    assert_eq!(shop.balance("commission", "A1").await, "80.00");
    assert_eq!(shop.balance("commission", "A2").await, "20.00");
    assert_eq!(shop.balance("commission_income", "CNY").await, "41.00");
    assert_eq!(shop.balance("fee_income", "CNY").await, "10.00");

    let life = shop.life(&order).await;
    let releases = json!([
        { "release_no": "m1", "amount": "100.00" },
        { "release_no": "m2", "amount": "200.00" },
        { "release_no": "", "amount": "700.00" },
    ]);
    assert_eq!(life["releases"], releases);
    let money = &life["money"];
    assert_eq!(money["payer"], json!({ "paid": "1000.00", "given_back": "0.00" }));
    assert_eq!((&money["released"], &money["frozen"]), (&json!("1000.00"), &json!("0.00")));
    assert_eq!(money["fee_taken_from_merchants"], "10.00");
    let given = |sub_order: u64, role: &str| -> Vec<&str> {
        let all = money["receivers"].as_array().unwrap().iter();
        let of = all.filter(|one| one["sub_order"] == sub_order && one["role"] == role);
        of.map(|one| one["given"].as_str().unwrap()).collect()
    };
    assert_eq!(given(0, "split"), ["20.00", "30.00", "10.00"]);
    assert_eq!(given(0, "payee"), ["20.00", "1.00", "177.00"]);
    assert_eq!(given(0, "fee"), ["4.00", "2.00"]);
    assert_eq!(given(1, "split"), ["20.00", "30.00", "10.00"]);
    assert_eq!((given(1, "fee"), given(1, "merchant")), (vec!["4.00"], vec!["336.00"]));
    shop.assert_balanced().await;
    assert_eq!(shop.get("/v1/books").await.ok()["agree"], true);
    shop.close().await;
}

#[actix_web::test]
async fn a_receiver_that_spent_its_money_owes_it_until_its_next_income() {
    let shop = Shop::open().await;
    let order = shop.frozen(&paid("S1")).await;
    act(&shop, &order, "confirm", json!({})).await.ok();
    shop.until_balance("settlement", "M1", "99.00", "0.00").await;
    // The fee is kept: M1 gives back 40.00 of 40.00, and of the other 60.00 it has 59.00.
    act(&shop, &order, "refunds", json!({ "refund_no": "r1", "amount": "40.00" })).await.ok();
    shop.until_balance("settlement", "M1", "59.00", "0.00").await;
    act(&shop, &order, "refunds", json!({ "refund_no": "r2" })).await.ok();
    let life = shop.until(&order, |life| life["status"] == "refunded").await;
    shop.until_balance("settlement", "M1", "0.00", "1.00").await;
    let refund = &life["refunds"][1];
    assert_eq!((&refund["refund_no"], &refund["state"]), (&json!("r2"), &json!("succeeded")));
    assert_eq!((&refund["from_receivers"], &refund["from_frozen"]), (&json!("60.00"), &json!("0.00")));
    let takes = refund["receivers"].as_array().unwrap();
    assert_eq!(takes.len(), 1, "{refund}");
    let numbers = ["amount", "given_back", "owed", "advanced"].map(|name| takes[0][name].as_str().unwrap());
    assert_eq!(numbers, ["60.00", "59.00", "1.00", "0.00"]);
    assert_eq!(life["money"]["payer"], json!({ "paid": "100.00", "given_back": "100.00" }));
    let again = act(&shop, &order, "refunds", json!({ "refund_no": "r2" })).await;
    assert!(again.replayed && again.ok()["result"] == "moved", "{again:?}");
    let more = json!({ "refund_no": "r3", "amount": "0.01" });
    assert_eq!(act(&shop, &order, "refunds", more).await.problem().1, "illegal_state");
    shop.assert_balanced().await;

    // The next income pays the debt.
    let order = shop.frozen(&paid("S2")).await;
    act(&shop, &order, "confirm", json!({})).await.ok();
    shop.until_balance("settlement", "M1", "98.00", "0.00").await;
    let entries = shop.get(&format!("{MALL}/accounts/settlement/M1/entries")).await.ok();
    assert_eq!(entries["entries"].as_array().unwrap().last().unwrap()["code"], "recovery", "{entries}");
    shop.assert_balanced().await;
    assert_eq!(shop.get("/v1/books").await.ok()["agree"], true);
    shop.close().await;
}

#[actix_web::test]
async fn what_a_platform_agreed_decides_who_bears_what_is_missing() {
    // Refused: nothing happens, and less can be asked for.
    let shop = shop_with(|config| config.platforms[0].policy.agreement.shortfall = Shortfall::Refuse).await;
    let order = shop.frozen(&paid("A1")).await;
    act(&shop, &order, "confirm", json!({})).await.ok();
    let whole = json!({ "refund_no": "r1" });
    assert_eq!(act(&shop, &order, "refunds", whole).await.problem().1, "insufficient_funds");
    shop.until_balance("settlement", "M1", "99.00", "0.00").await;
    act(&shop, &order, "refunds", json!({ "refund_no": "r1", "amount": "99.00" })).await.ok();
    shop.until_balance("settlement", "M1", "0.00", "0.00").await;
    shop.close().await;

    // Advanced by the platform, which is owed.
    let shop = shop_with(|config| config.platforms[0].policy.agreement.shortfall = Shortfall::Advance).await;
    let order = shop.frozen(&paid("A2")).await;
    act(&shop, &order, "confirm", json!({})).await.ok();
    act(&shop, &order, "refunds", json!({ "refund_no": "r1" })).await.ok();
    let life = shop.until(&order, |life| life["status"] == "refunded").await;
    assert_eq!(life["refunds"][0]["receivers"][0]["advanced"], "1.00", "{life}");
    assert_eq!(life["agreement"]["shortfall"], "advance");
    shop.until_balance("settlement", "M1", "0.00", "1.00").await;
    assert_eq!(shop.balance("commission_income", "CNY").await, "-1.00");
    let order = shop.frozen(&paid("A3")).await;
    act(&shop, &order, "confirm", json!({})).await.ok();
    shop.until_balance("settlement", "M1", "98.00", "0.00").await;
    assert_eq!(shop.balance("commission_income", "CNY").await, "0.00");
    shop.assert_balanced().await;
    shop.close().await;

    // The fee is given back to the merchant in proportion: it gives back what it got.
    let shop =
        shop_with(|config| config.platforms[0].policy.agreement.refunded_fee = RefundedFee::Return).await;
    let order = shop.frozen(&paid("A4")).await;
    act(&shop, &order, "confirm", json!({})).await.ok();
    act(&shop, &order, "refunds", json!({ "refund_no": "r1" })).await.ok();
    shop.until(&order, |life| life["status"] == "refunded").await;
    shop.until_balance("settlement", "M1", "0.00", "0.00").await;
    assert_eq!(shop.balance("fee_income", "CNY").await, "0.00");
    shop.assert_balanced().await;
    shop.close().await;
}

#[actix_web::test]
async fn more_than_was_paid_never_goes_back_however_many_ask_at_once() {
    let shop = Shop::open().await;
    for (released, order_no) in [(false, "C1"), (true, "C2")] {
        let order = shop.frozen(&paid(order_no)).await;
        if released {
            act(&shop, &order, "confirm", json!({})).await.ok();
        }
        let refund = |place| json!({ "refund_no": format!("r{place}"), "amount": "30.00" });
        let all: Vec<(String, Value)> =
            (0..8).map(|place| (path(&order, "refunds"), refund(place))).collect();
        let answers = shop.post_all(&all).await;
        let mut taken = 0;
        for (place, answer) in answers.into_iter().enumerate() {
            // Who came while another was being decided asks again.
            let again = answer.status == 409 && answer.problem().1 == "in_progress";
            let answer = if again { act(&shop, &order, "refunds", refund(place)).await } else { answer };
            match answer.status {
                200 => taken += 1,
                _ => assert_eq!(answer.problem().1, "exceeds_paid"),
            }
        }
        assert_eq!(taken, 3, "three times 30.00 of 100.00");
        let life = shop.until(&order, |life| life["money"]["refunded"] == "90.00").await;
        assert_eq!(life["money"]["payer"], json!({ "paid": "100.00", "given_back": "90.00" }));
        // Two at once for all that is left: one gets it.
        let rest: Vec<(String, Value)> =
            ["x", "y"].map(|no| (path(&order, "refunds"), json!({ "refund_no": no }))).into();
        let answers = shop.post_all(&rest).await;
        let taken = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(taken, 1, "{answers:?}");
        shop.until(&order, |life| life["status"] == "refunded").await;
    }
    shop.assert_balanced().await;
    assert_eq!(shop.get("/v1/books").await.ok()["agree"], true);
    shop.close().await;
}

#[actix_web::test]
async fn a_refund_of_one_sub_order_leaves_the_other_alone() {
    let shop = Shop::open().await;
    let order = shop.frozen(&cart("U1")).await;
    let half = json!({ "release_no": "m1", "sub_order": 0, "amount": "300.00" });
    act(&shop, &order, "releases", half).await.ok();
    let table = [
        (json!({ "refund_no": "r1", "sub_order": 2 }), "invalid_field", "sub_order"),
        (json!({ "refund_no": "r1", "sub_order": 0, "amount": "600.01" }), "exceeds_paid", "amount"),
        (json!({ "refund_no": "r1", "amount": "0.00" }), "amount_zero", "amount"),
        (json!({ "sub_order": 0 }), "missing_field", "refund_no"),
        (json!({ "refund_no": "r1", "currency": "EUR" }), "currency_mismatch", "currency"),
    ];
    for (body, code, field) in table {
        let problem = shop.post(&path(&order, "refunds"), &body).await.problem();
        assert_eq!((problem.1.as_str(), problem.2.as_str()), (code, field), "{body}");
    }
    // Frozen money first, then half of what was released: of 150.00 to M1, the platform, A1 and A2.
    let part = json!({ "refund_no": "r1", "sub_order": 0, "amount": "450.00" });
    act(&shop, &order, "refunds", part.clone()).await.ok();
    let other = with(part, json!({ "sub_order": 1 }));
    assert_eq!(act(&shop, &order, "refunds", other).await.problem().1, "idempotency_conflict");
    let life = shop.until(&order, |life| life["refunds"][0]["state"] == "succeeded").await;
    let refund = &life["refunds"][0];
    assert_eq!((&refund["from_frozen"], &refund["from_receivers"]), (&json!("300.00"), &json!("150.00")));
    // Half of 15.00, 22.50 and 7.50; M1 had 252.00 and the fee was 3.00: half of 255.00.
    let taken = |kind: &str| -> Vec<&str> {
        let takes = refund["receivers"].as_array().unwrap().iter();
        takes
            .filter(|take| take["account_kind"] == kind)
            .map(|take| take["amount"].as_str().unwrap())
            .collect()
    };
    assert_eq!(taken("commission_income"), ["7.50"]);
    assert_eq!(taken("commission"), ["11.25", "3.75"]);
    assert_eq!(taken("settlement"), ["127.50"]);
    let parts: Vec<[&str; 4]> = life["money"]["sub_orders"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| ["price", "frozen", "released", "refunded"].map(|name| part[name].as_str().unwrap()))
        .collect();
    assert_eq!(parts, [["600.00", "0.00", "300.00", "450.00"], ["400.00", "400.00", "0.00", "0.00"]]);
    act(&shop, &order, "refunds", json!({ "refund_no": "r2" })).await.ok();
    let life = shop.until(&order, |life| life["status"] == "refunded").await;
    assert_eq!(life["money"]["payer"]["given_back"], "1000.00");
    for name in ["A1", "A2"] {
        shop.until_balance("commission", name, "0.00", "0.00").await;
    }
    // M1 had 252.00 of 255.00: the fee is its own.
    shop.until_balance("settlement", "M1", "0.00", "3.00").await;
    shop.assert_balanced().await;
    assert_eq!(shop.get("/v1/books").await.ok()["agree"], true);
    shop.close().await;
}

#[actix_web::test]
async fn a_dispute_holds_what_receivers_got_and_ends_with_or_without_a_refund() {
    let shop = Shop::open().await;
    let order = shop.frozen(&paid("D1")).await;
    act(&shop, &order, "confirm", json!({})).await.ok();
    shop.until_balance("settlement", "M1", "99.00", "0.00").await;
    assert_eq!(act(&shop, &order, "dispute/resolve", json!({})).await.problem().1, "illegal_state");
    assert_eq!(act(&shop, &order, "dispute", json!({})).await.ok()["status"], "disputed");
    assert_eq!(act(&shop, &order, "dispute", json!({})).await.ok()["result"], "repeat");
    let account = shop.get(&format!("{MALL}/accounts/settlement/M1")).await.ok();
    assert_eq!((&account["held"], &account["available"]), (&json!("99.00"), &json!("0.00")));
    let life = shop.life(&order).await;
    assert_eq!(
        (&life["dispute"]["before"], &life["dispute"]["held"][0]["amount"]),
        (&json!("settled"), &json!("99.00"))
    );

    let body = json!({ "refund_no": "r1", "amount": "30.00" });
    assert_eq!(act(&shop, &order, "refunds", body.clone()).await.problem().1, "illegal_state");
    let resolve = |refund: Value| json!({ "refund": refund });
    let table = [
        (resolve(json!({ "amount": "30.00" })), "missing_field", "refund.refund_no"),
        (resolve(with(body.clone(), json!({ "amount": "100.01" }))), "exceeds_paid", "refund.amount"),
        (resolve(with(body.clone(), json!({ "amount": "0" }))), "amount_zero", "refund.amount"),
        (resolve(with(body.clone(), json!({ "currency": "USD" }))), "currency_mismatch", "refund.currency"),
        (resolve(with(body.clone(), json!({ "sub_order": 1 }))), "invalid_field", "refund.sub_order"),
        (resolve(json!(["r1"])), "invalid_field", "refund"),
        (json!({ "why": "x" }), "invalid_field", "why"),
    ];
    for (body, code, field) in table {
        let problem = shop.post(&path(&order, "dispute/resolve"), &body).await.problem();
        assert_eq!((problem.1.as_str(), problem.2.as_str()), (code, field), "{body}");
    }
    let first = act(&shop, &order, "dispute/resolve", resolve(body.clone())).await;
    assert_eq!(first.ok()["result"], "moved");
    act(&shop, &order, "dispute/resolve", resolve(body.clone())).await.assert_again(&first);
    shop.until(&order, |life| life["refunds"][0]["state"] == "succeeded").await;
    act(&shop, &order, "dispute/resolve", resolve(body)).await.assert_again(&first);
    shop.until_balance("settlement", "M1", "69.00", "0.00").await;
    let account = shop.get(&format!("{MALL}/accounts/settlement/M1")).await.ok();
    assert_eq!(account["held"], "0.00");
    assert_eq!(shop.life(&order).await["status"], "settled");

    // Frozen money: the clock stands still, then runs anew; what was refunded is gone.
    let order = shop.frozen(&paid("D2")).await;
    act(&shop, &order, "dispute", json!({})).await.ok();
    let part = json!({ "release_no": "m1", "amount": "1.00" });
    assert_eq!(act(&shop, &order, "releases", part).await.problem().1, "illegal_state");
    let refund = json!({ "refund": { "refund_no": "r1" } });
    act(&shop, &order, "dispute/resolve", refund).await.ok();
    shop.until(&order, |life| life["status"] == "refunded").await;
    shop.assert_balanced().await;
    assert_eq!(shop.get("/v1/books").await.ok()["agree"], true);
    shop.close().await;
}

#[actix_web::test]
async fn virtual_goods_are_released_sooner() {
    let shop = Shop::open().await;
    for (order_no, virtual_goods, days) in [("V1", false, 10), ("V2", true, 2)] {
        let order = shop.frozen(&with(paid(order_no), json!({ "virtual_goods": virtual_goods }))).await;
        let life = shop.life(&order).await;
        let at = |value: &Value| parse_time(value.as_str().unwrap()).unwrap().0;
        let frozen = life["steps"].as_array().unwrap().iter().find(|step| step["kind"] == "frozen").unwrap();
        assert_eq!(at(&life["release_at"]) - at(&frozen["at"]), days * 24 * 3_600_000);
    }
    shop.close().await;
}

/// A refund that the channel neither makes nor refuses keeps its money where it was set aside.
#[actix_web::test]
async fn a_refund_that_is_on_its_way_counts_as_given_back() {
    let shop = Shop::open().await;
    let order = shop.frozen(&vague("W1")).await;
    act(&shop, &order, "refunds", json!({ "refund_no": "r1", "amount": "60.00" })).await.ok();
    let life = shop.until(&order, |life| life["refunds"][0]["state"] == "pending").await;
    let money = &life["money"];
    assert_eq!((&money["refunding"], &money["frozen"]), (&json!("60.00"), &json!("40.00")));
    assert_eq!(money["payer"]["given_back"], "0.00");
    let more = json!({ "refund_no": "r2", "amount": "40.01" });
    assert_eq!(act(&shop, &order, "refunds", more).await.problem().1, "exceeds_paid");
    assert_eq!(act(&shop, &order, "confirm", json!({})).await.ok()["status"], "part_released");
    // What is on its way back is not to be released any more: there is nothing left to confirm.
    let again = act(&shop, &order, "confirm", json!({})).await.ok();
    assert_eq!((&again["status"], &again["result"]), (&json!("part_released"), &json!("repeat")));
    assert_eq!(
        shop.notify("vague", &order, json!({ "refund": 1, "amount": "60.00" })).await.ok()["result"],
        "moved"
    );
    let life = shop.life(&order).await;
    assert_eq!((&life["status"], &life["money"]["refunded"]), (&json!("settled"), &json!("60.00")));
    shop.assert_balanced().await;
    shop.close().await;
}
