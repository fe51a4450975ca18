//! What channels say by themselves. Simulated channels speak JSON; a real channel's notification is verified and
//! read by its adapter and then takes the same way.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use suanpan_model::command::OrderRef;
use suanpan_model::{ChannelReport, FailureKind, OrderCommand, OrderId, Outcome, RejectCode, ReportSource};
use suanpan_runtime::Command;

use crate::answer::{self, Answered};
use crate::body::Body;
use crate::identity::ChannelCaller;
use crate::problem::Problem;
use crate::state::State;
use crate::wire::{NotificationIn, NotifiedOut, currency, positive_amount, reference};

pub(super) async fn notify(caller: ChannelCaller, state: Data<State>, body: Body) -> Answered {
    let engine = &state.engine;
    let notification: NotificationIn<'_> = body.read()?;
    let (order, attempt) = OrderId::from_payment_no(&notification.payment_no).ok_or_else(|| {
        let expected = "the number under which the channel was given the payment";
        Problem::new(RejectCode::UnknownOrder, "payment_no", expected)
    })?;
    let currency = currency("currency", &notification.currency)?;
    let outcome = outcome(&notification, currency)?;
    let query = Command::Query { platform: None, order: OrderRef::Id(order) };
    let before = answer::life(engine.call(query.clone()).await?)?;
    if before.terms.currency != currency {
        let expected = format!("the payment's currency, {}", before.terms.currency);
        return Err(Problem::new(RejectCode::CurrencyMismatch, "currency", expected));
    }
    let source = match notification.refund {
        Some(refund) => ReportSource::Refund { refund },
        None => ReportSource::PayNotice,
    };
    let report = ChannelReport { channel: caller.channel, order, attempt, source, outcome };
    let command =
        Command::Order { platform: None, order: OrderRef::Id(order), command: OrderCommand::Report(report) };
    let reported = engine
        .call(command)
        .await
        .map_err(|reject| Problem::from(reject).in_words_of_caller(&[("attempt", "payment_no")]))?;
    let summary = answer::summary(reported)?;
    let result = if summary.repeat {
        "repeat"
    } else if summary.status != before.status {
        "moved"
    } else {
        // A contradiction is recorded and changes nothing else.
        let after = answer::life(engine.call(query).await?)?;
        if after.contradictions > before.contradictions { "contradiction" } else { "moved" }
    };
    answer::json(StatusCode::OK, &NotifiedOut { result })
}

fn outcome(notification: &NotificationIn<'_>, currency: suanpan_model::Currency) -> Result<Outcome, Problem> {
    let channel_no = reference("channel_no", &notification.channel_no)?.into();
    let amount = positive_amount("amount", &notification.amount, currency)?;
    let code = reference("code", notification.code.as_deref().unwrap_or("notified"))?.into();
    match (&*notification.status, notification.refund) {
        ("succeeded", _) => Ok(Outcome::Succeeded { channel_no, amount, fee: None }),
        ("failed", _) => Ok(Outcome::Failed { kind: FailureKind::Declined, code }),
        ("closed", None) => Ok(Outcome::Closed),
        ("abnormal", Some(_)) => Ok(Outcome::Abnormal { code }),
        ("bounced", Some(_)) => Ok(Outcome::Bounced { amount, code }),
        (_, None) => Err(Problem::new(RejectCode::InvalidField, "status", "succeeded, failed or closed")),
        (_, Some(_)) => {
            let expected = "succeeded, failed, abnormal or bounced";
            Err(Problem::new(RejectCode::InvalidField, "status", expected))
        }
    }
}
