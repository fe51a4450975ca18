//! What every handler works with.

use std::sync::Arc;

use suanpan_model::{AccountId, AccountType, Campaign, CampaignId, PlatformId};
use suanpan_runtime::Engine;

use crate::answers::Answers;
use crate::metrics::Metrics;
use crate::notify::Notifier;
use crate::security::{BodyRules, Security};
use crate::traces::Tracer;
use crate::wire::Lookup;

/// The engine and the server's own settings.
pub struct State {
    /// The engine.
    pub engine: Engine,
    /// Most orders in one batch.
    pub orders_per_batch_max: usize,
    /// Answers under idempotency keys.
    pub answers: Arc<Answers>,
    /// How large bodies may be, and how long they may take.
    pub bodies: BodyRules,
    /// Counts and latencies of all workers.
    pub metrics: Arc<Metrics>,
    /// Tells malls what happened.
    pub notifier: Arc<Notifier>,
    /// Takes a span of each request, where traces are wanted.
    pub tracer: Option<Tracer>,
    /// Keys, certificates, and what was seen of requests.
    pub security: Arc<Security>,
}

/// Names of one platform, as the engine knows them.
pub struct Names<'a> {
    /// The engine.
    pub engine: &'a Engine,
    /// Whose names.
    pub platform: PlatformId,
}

impl Lookup for Names<'_> {
    fn account(&self, kind: AccountType, reference: &str) -> Option<AccountId> {
        self.engine.account_by_reference(self.platform, kind, reference)
    }

    fn campaign(&self, id: CampaignId) -> Option<Arc<Campaign>> {
        self.engine.campaign(id).filter(|campaign| campaign.platform == self.platform)
    }
}
