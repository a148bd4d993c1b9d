//! The program's parts, built once from the configuration; used by serve, work, demo and tests alike. No feature and no
//! transport knows it: each declares what it needs, and is given that here.

use std::sync::Arc;

use crate::base::clock::Clock;
use crate::base::outcome::Fault;
use crate::catalogue::kit::CatalogueKit;
use crate::catalogue::product_list;
use crate::config::Config;
use crate::delivery::kit::DeliveryKit;
use crate::graphql::Live;
use crate::graphql::context::GraphqlBackend;
use crate::graphql::live_of;
use crate::graphql::orders::followed_orders;
use crate::hooks::kit::HookKit;
use crate::http::backend::HttpBackend;
use crate::infra::kit::Kit;
use crate::infra::mailer;
use crate::kinds::events;
use crate::leads_to_kit;
use crate::payments::accounts;
use crate::payments::kit::PaymentKit;
use crate::people::kit::PeopleKit;
use crate::rest::state::RestBackend;
use crate::worker::backend::WorkerBackend;

/// What is wrong with a configuration that its own layer cannot see: a gateway's demands, the keys of mails.
pub fn faults(config: &Config) -> Vec<(String, String)> {
    let mut faults = accounts::faults(config);
    faults.extend(mailer::faults(&config.mail));
    faults
}

/// The kits of the features.
pub struct App {
    pub kit: Arc<Kit>,
    pub people: Arc<PeopleKit>,
    pub catalogue: Arc<CatalogueKit>,
    pub downloads: Arc<DeliveryKit>,
    pub payments: Arc<PaymentKit>,
    pub hooks: Arc<HookKit>,
    pub live: Arc<Live>,
}

leads_to_kit!(App);

impl App {
    /// Builds the parts over a migrated database. `url` is the runtime role's.
    pub async fn start(config: Config, clock: Clock, url: &str) -> Result<Arc<Self>, Fault> {
        let kit = Kit::start(config, clock, url).await?;
        let people = PeopleKit::new(kit.clone())?;
        let payments = PaymentKit::start(kit.clone()).await?;
        product_list::kept::start(&kit).await?;
        let (catalogue, downloads) = (CatalogueKit::new(kit.clone()), DeliveryKit::new(kit.clone()));
        let hooks = HookKit::new(kit.clone(), events::KNOWN);
        let live = live_of(&kit.config.live, &kit.lasting);
        Ok(Arc::new(Self { kit, people, catalogue, downloads, payments, hooks, live }))
    }

    /// What the HTTP server passes requests on to.
    pub fn http(&self) -> Arc<HttpBackend> {
        let graphql = GraphqlBackend {
            kit: self.kit.clone(),
            people: self.people.clone(),
            catalogue: self.catalogue.clone(),
            payments: self.payments.clone(),
            hooks: self.hooks.clone(),
            live: self.live.clone(),
            followed: followed_orders(self.kit.db.clone()),
        };
        let rest = RestBackend {
            kit: self.kit.clone(),
            people: self.people.clone(),
            downloads: self.downloads.clone(),
            payments: self.payments.clone(),
        };
        let http = HttpBackend { kit: self.kit.clone(), graphql: Arc::new(graphql), rest: Arc::new(rest) };
        Arc::new(http)
    }

    /// What background work calls.
    pub fn worker(&self) -> Arc<WorkerBackend> {
        let (kit, payments, hooks) = (self.kit.clone(), self.payments.clone(), self.hooks.clone());
        Arc::new(WorkerBackend { kit, payments, hooks })
    }
}
