//! Routing rules and what was learned about channels, through the in-process API.

use std::ops::ControlFlow;
use std::sync::Arc;

use suanpan_core::routing::learning::Learning;
use suanpan_core::routing::{NoRoute, RouteRequest, RoutingRules};
use suanpan_model::{ChannelId, Order, PlatformId, Route};

use super::Engine;
use crate::codec::decode_order_row;
use crate::fault::EngineFault;
use crate::learner::Looking;
use crate::rulebook::{Put, PutFault, RuleVersion};
use crate::tally::ChannelTally;

impl Engine {
    /// Puts rules of a platform in force: durable when this returns, for every decision from then on, without a restart.
    ///
    /// # Errors
    /// A version that is not above the one in force (unless it is the same rules); rules that cannot work; the disk.
    pub fn put_rules(&self, platform: PlatformId, rules: RoutingRules) -> Result<Put, PutFault> {
        let shared = self.shared();
        shared.rules.put(&shared.router, platform, rules, shared.clock.now())
    }

    /// Puts rules in force until the next start, as if they had been configured.
    ///
    /// # Errors
    /// Rules that cannot work.
    pub fn configure_rules(&self, platform: PlatformId, rules: RoutingRules) -> Result<(), PutFault> {
        let shared = self.shared();
        let (router, _) = shared.router.load_full().with_rules(platform, rules)?;
        shared.router.store(Arc::new(router));
        Ok(())
    }

    /// A version of a platform's rules that was put.
    #[must_use]
    pub fn rules_version(&self, platform: PlatformId, version: u32) -> Option<Arc<RuleVersion>> {
        self.shared().rules.version(platform, version)
    }

    /// The channel that a payment would take now, with limits, health and success as they are. Takes nothing.
    ///
    /// # Errors
    /// When no channel can take it.
    #[expect(clippy::result_large_err, reason = "both sides carry the candidates inline")]
    pub fn what_if(&self, request: &RouteRequest<'_>) -> Result<Route, NoRoute> {
        let shared = self.shared();
        shared.router.load().decide(request, &Looking(shared.learner.board()))
    }

    /// What was learned about channels from everything that the log has.
    #[must_use]
    pub fn learning(&self) -> Learning {
        self.shared().learner.snapshot().learning
    }

    /// What became of attempts at a channel since the start.
    #[must_use]
    pub fn channel_tally(&self, channel: ChannelId) -> Option<&ChannelTally> {
        self.shared().learner.tally(channel)
    }

    /// Hands every archived order to `visit`, in the order in which they were recorded, until it breaks off.
    ///
    /// # Errors
    /// When the archive cannot be read.
    pub fn for_each_archived(
        &self,
        visit: &mut dyn FnMut(Order) -> ControlFlow<()>,
    ) -> Result<(), EngineFault> {
        let mut failed = None;
        self.shared().store.for_each_order(&mut |_, bytes| match decode_order_row(bytes) {
            Ok((_, order)) => visit(order),
            Err(fault) => {
                failed = Some(fault);
                ControlFlow::Break(())
            }
        })?;
        failed.map_or(Ok(()), |fault| Err(fault.into()))
    }
}
