//! What payments need beside the common kit.

use std::sync::Arc;

use crate::base::outcome::Fault;
use crate::infra::kit::Kit;
use crate::leads_to_kit;
use crate::payments::accounts::circuit::Circuits;
use crate::payments::accounts::{self, Accounts};
use crate::payments::notices::intake::Intake;
use crate::payments::notices::refuse::FullDays;

/// The kit of everything that has to do with gateways.
pub struct PaymentKit {
    pub kit: Arc<Kit>,
    /// The accounts at gateways, each checked.
    pub accounts: Accounts,
    /// How much of this program each gateway may keep waiting.
    pub circuits: Circuits,
    /// Accounts that keep no more forged notices today.
    pub full_days: FullDays,
    /// The way of notices into slices.
    pub intake: Intake,
}

leads_to_kit!(PaymentKit);

impl PaymentKit {
    /// Checks the configured accounts, stores them, and starts the slices. Fails with all faults of accounts at once.
    pub async fn start(kit: Arc<Kit>) -> Result<Arc<Self>, Fault> {
        let accounts = Accounts::build(&kit.config, &kit.outbound).map_err(|faults| setup(&faults))?;
        let changed = accounts::reload::sync(&kit.db, &accounts).await?;
        if !changed.is_empty() {
            return Err(setup(&changed));
        }
        let (circuits, full_days, intake) = (Circuits::default(), FullDays::default(), Intake::default());
        let kit = Arc::new(Self { kit, accounts, circuits, full_days, intake });
        Intake::start(&kit);
        Ok(kit)
    }
}

fn setup(faults: &[(String, String)]) -> Fault {
    let lines: Vec<String> = faults.iter().map(|(key, text)| format!("{key}: {text}")).collect();
    Fault::setup(lines.join("; "))
}
