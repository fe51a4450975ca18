//! Coupon campaigns: recording them, issuing coupons, and where the coupons are.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use suanpan_model::{CampaignId, RejectCode};

use crate::answer::{Answered, json as respond};
use crate::body::Body;
use crate::identity::Caller;
use crate::problem::Problem;
use crate::query::{PAGE, Parameters, page};
use crate::state::{Names, State};
use crate::wire::{
    CampaignIn, CampaignOut, CampaignsOut, CustomerOut, IssueIn, IssuedOut, campaign, reference,
};

pub(super) async fn record(caller: Caller, state: Data<State>, body: Body) -> Answered {
    let written: CampaignIn<'_> = body.read()?;
    let named = campaign(&written, caller.platform)?;
    let lookup = Names { engine: &state.engine, platform: caller.platform };
    let wanted = named.resolve(&lookup)?;
    let status =
        if state.engine.campaign(wanted.id).is_some() { StatusCode::OK } else { StatusCode::CREATED };
    let recorded = CampaignOut::new(&wanted, None);
    state.engine.record_campaign(wanted).await?;
    respond(status, &recorded)
}

pub(super) async fn list(caller: Caller, state: Data<State>, request: HttpRequest) -> Answered {
    let query = Parameters::read(&request, PAGE)?;
    let (after, limit) = (query.cursor::<u32>()?, query.limit()?);
    // By number; a campaign never changes, so a page that was read stays as it was.
    let mut campaigns = state.engine.campaigns(caller.platform);
    campaigns.retain(|campaign| after.is_none_or(|after| campaign.id.0 > after));
    let (campaigns, next) = page(&campaigns, limit, |campaign| campaign.id.0);
    let campaigns = campaigns.iter().map(|campaign| CampaignOut::new(campaign, None)).collect();
    respond(StatusCode::OK, &CampaignsOut { campaigns, next })
}

pub(super) async fn show(caller: Caller, state: Data<State>, path: Path<(String, String)>) -> Answered {
    let id = campaign_id(&path.1)?;
    let known = state.engine.campaign_state(caller.platform, id).await?;
    let campaign = state.engine.campaign(id).ok_or_else(unknown)?;
    respond(StatusCode::OK, &CampaignOut::new(&campaign, Some(&known)))
}

pub(super) async fn issue(
    caller: Caller,
    state: Data<State>,
    path: Path<(String, String)>,
    body: Body,
) -> Answered {
    let id = campaign_id(&path.1)?;
    let wanted: IssueIn<'_> = body.read()?;
    let customer = reference("customer", &wanted.customer)?;
    let number = reference("reference", &wanted.reference)?;
    let count = wanted.count.unwrap_or(1);
    let issued =
        state.engine.issue_coupons(caller.platform, id, &customer.into(), count, &number.into()).await;
    issued.map_err(|reject| Problem::from(reject).in_words_of_caller(&[("amount", "count")]))?;
    respond(StatusCode::OK, &IssuedOut { campaign: id.0, customer, count, reference: number })
}

pub(super) async fn customer(
    caller: Caller,
    state: Data<State>,
    path: Path<(String, String, String)>,
) -> Answered {
    let id = campaign_id(&path.1)?;
    let customer = reference("customer", &path.2)?;
    let coupons = state.engine.customer_coupons(caller.platform, id, &customer.into()).await?;
    respond(StatusCode::OK, &CustomerOut::new(id, customer, &coupons))
}

fn campaign_id(text: &str) -> Result<CampaignId, Problem> {
    text.parse().map(CampaignId).map_err(|_| unknown())
}

fn unknown() -> Problem {
    Problem::new(RejectCode::UnknownCampaign, "campaign", "the number of a campaign of this platform")
}
