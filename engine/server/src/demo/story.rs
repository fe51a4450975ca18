//! The first orders of every run are a story with one end: a promoter gets shares of an order, spends them, owes them
//! when the buyer disputes the order and gets money back, and pays the debt out of the next share. All of it is paid from
//! e-accounts, so that no chance of a channel changes it; every step can be repeated, so that a run that was killed goes
//! on wherever it was.

use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};

use super::DemoFault;
use super::cast::{self, PROMOTER};
use super::mall::{Answer, Mall};
use super::script::order_no;
use super::submit::count;

/// What was bought in the order whose life is told.
pub const DESCRIPTION: &str = "a promoted order";
/// Orders of the story.
const ORDERS: usize = 3;
/// What the promoter has in the end.
const END: &str = "70.00";
/// Looks at the promoter's account until the debt must be paid, and the pause between them.
const LOOKS: u32 = 200;
const PAUSE: Duration = Duration::from_millis(25);

/// Lets the story begin; how many of the run's `orders` it is.
pub fn begin(mall: &Rc<Mall>, seed: u64, orders: usize) -> usize {
    if orders < ORDERS {
        return 0;
    }
    let mall = Rc::clone(mall);
    mall.buyers.set(mall.buyers.get() + 1);
    actix_rt::spawn(async move {
        if let Err(fault) = tell(&mall, seed).await {
            mall.problem(format!("the story: {fault}"));
        }
        mall.buyers.set(mall.buyers.get() - 1);
    });
    ORDERS
}

async fn tell(mall: &Mall, seed: u64) -> Result<(), DemoFault> {
    // 20.00 of the first coupon, 15.00 of the second, of which the sponsor pays 6.00: the buyer pays 965.00.
    let mut first = promoted(seed, 0, &cast::buyer(1));
    first["description"] = DESCRIPTION.into();
    first["coupons"] = json!([{ "campaign": 2 }, { "campaign": 3 }]);
    let first = submit(mall, &first).await?;
    // Of a milestone of 400.00 the promoter gets 20.00, of the rest 60.00.
    let payees = json!([
        { "receiver": { "kind": "cash", "reference": PROMOTER }, "percent": "5" },
        { "receiver": "platform", "percent": "2" },
    ]);
    let milestone = json!({ "release_no": "M1", "amount": "400.00", "payees": payees });
    ok(mall.post(&format!("orders/{first}/releases"), &milestone).await?)?;
    ok(mall.post(&format!("orders/{first}/confirm"), &json!({})).await?)?;
    // The promoter spends 50.00 and has 30.00.
    let spent = json!({
        "order_no": order_no(seed, 1), "kind": "balance", "payer": PROMOTER, "amount": "50.00",
        "merchant": cast::merchant(2), "escrow": false,
    });
    submit(mall, &spent).await?;
    dispute(mall, &first).await?;
    // A share of 100.00 of another order pays the debt of 30.00.
    let last = submit(mall, &promoted(seed, 2, &cast::buyer(2))).await?;
    ok(mall.post(&format!("orders/{last}/confirm"), &json!({})).await?)?;
    wait_for_the_end(mall).await
}

/// An order over 1 000.00 of which the promoter gets a tenth.
fn promoted(seed: u64, place: usize, payer: &str) -> Value {
    json!({
        "order_no": order_no(seed, place), "kind": "balance", "payer": payer, "amount": "1000.00",
        "merchant": cast::merchant(1),
        "splits": [
            { "receiver": "platform", "percent": "2.50" },
            { "receiver": { "kind": "cash", "reference": PROMOTER }, "percent": "10" },
        ],
    })
}

/// The buyer disputes the order and gets 750.00 of its price back: the promoter's part is 60.00, half of which is gone.
async fn dispute(mall: &Mall, order: &str) -> Result<(), DemoFault> {
    let life = ok(mall.get(&format!("orders/{order}")).await?)?;
    if life.body["refunds"] != json!([]) {
        return Ok(());
    }
    ok(mall.post(&format!("orders/{order}/dispute"), &json!({})).await?)?;
    let refund = json!({ "refund": { "refund_no": "R1", "amount": "750.00" } });
    let resolved = mall.post(&format!("orders/{order}/dispute/resolve"), &refund).await?;
    ok(resolved).map(drop)
}

async fn wait_for_the_end(mall: &Mall) -> Result<(), DemoFault> {
    let mut known = Value::Null;
    for _ in 0..LOOKS {
        known = ok(mall.get(&format!("accounts/cash/{PROMOTER}")).await?)?.body;
        if known["balance"] == END && known["owed"] == "0.00" {
            return Ok(());
        }
        actix_rt::time::sleep(PAUSE).await;
    }
    mall.problem(format!("the promoter should have {END} and owe nothing: {known}"));
    Ok(())
}

async fn submit(mall: &Mall, order: &Value) -> Result<String, DemoFault> {
    let answer = ok(mall.post("orders", order).await?)?;
    let number = answer.body["order"].as_str().unwrap_or_default().to_owned();
    let no = order["order_no"].as_str().unwrap_or_default().to_owned();
    count(mall, answer.status);
    mall.acknowledge(&[(no, number.clone())])?;
    Ok(number)
}

fn ok(answer: Answer) -> Result<Answer, DemoFault> {
    if answer.is_ok() {
        return Ok(answer);
    }
    Err(DemoFault::Answer { status: answer.status, body: answer.body.to_string() })
}
