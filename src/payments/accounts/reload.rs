//! A changed configuration of accounts is taken over while the program runs: secrets rotate, policies change, accounts
//! come and go without a restart (P10). One with any fault changes nothing.

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::Signal;
use tokio::time::MissedTickBehavior;

use crate::base::outcome::Fault;
use crate::config::{self, Config, Sources, Stamp};
use crate::infra::db::Db;
use crate::payments::accounts::{Accounts, Complaint, faults, needed, store};
use crate::payments::kit::PaymentKit;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// How often the database is asked whether an account is missing.
const LOOK_FOR_MISSING: Duration = Duration::from_secs(60);

/// Where the accounts of a running program come from.
#[derive(Clone, Debug)]
pub struct Origin {
    pub sources: Sources,
    /// Those of a simulator inside the program, which are in no file. Beside them only test accounts are taken.
    pub simulated: Vec<config::Account>,
}

/// Reads the accounts again and takes them over. Answers the faults that prevented this; they are reported in the
/// log, once, and by [`Accounts::complaints`]. An error is a fault of the database: nothing has changed.
pub async fn reload(kit: &PaymentKit, origin: &Origin) -> Result<Vec<Complaint>, Fault> {
    let complaints = match read(kit, origin) {
        Err(complaints) => complaints,
        Ok(accounts) => take_over(kit, accounts).await?,
    };
    if !complaints.is_empty() {
        let faults: Vec<String> = complaints.iter().map(|(key, text)| format!("{key}: {text}")).collect();
        tracing::error!(
            faults = faults.join("; "),
            "the new configuration has faults; the old accounts stay"
        );
        kit.accounts.refuse(complaints.clone());
    }
    Ok(complaints)
}

/// Puts these accounts in place of the ones in force, unless something prevents it, which is answered. An attempt
/// may be started at an account that is left out while this looks: after the change it looks again, and goes back.
async fn take_over(kit: &PaymentKit, accounts: Accounts) -> Result<Vec<Complaint>, Fault> {
    let mut complaints = needed::missing(&kit.db, &accounts).await?;
    if complaints.is_empty() {
        complaints = sync(&kit.db, &accounts).await?;
    }
    if !complaints.is_empty() {
        return Ok(complaints);
    }
    let ids: Vec<String> = accounts.iter().map(|(account, _)| account.id.clone()).collect();
    let before = kit.accounts.copy();
    kit.accounts.replace(accounts);
    let late = needed::missing(&kit.db, &kit.accounts).await?;
    if !late.is_empty() {
        sync(&kit.db, &before).await?;
        kit.accounts.replace(before);
        return Ok(late);
    }
    kit.accounts.blame(Vec::new());
    tracing::info!(accounts = ids.join(", "), "the accounts were read again and are in force");
    Ok(Vec::new())
}

/// Names the accounts that are missed in the configuration in force; in the log when they are others than before.
pub async fn look_for_missing(kit: &PaymentKit) -> Result<(), Fault> {
    let missing = needed::missing(&kit.db, &kit.accounts).await?;
    let faults: Vec<String> = missing.iter().map(|(key, text)| format!("{key} {text}")).collect();
    if kit.accounts.blame(missing) && !faults.is_empty() {
        tracing::error!(faults = faults.join("; "), "the configuration in force lacks accounts");
    }
    Ok(())
}

fn read(kit: &PaymentKit, origin: &Origin) -> Result<Accounts, Vec<Complaint>> {
    let mut config = Config::load(&origin.sources, faults).map_err(|faults| {
        faults.iter().map(|(key, text)| (key.to_owned(), text.to_owned())).collect::<Vec<_>>()
    })?;
    if !origin.simulated.is_empty() {
        let real = config.accounts.iter().filter(|a| !a.sandbox);
        let text = "only test accounts are allowed beside --sandbox";
        let complaints: Vec<Complaint> =
            real.map(|a| (format!("accounts[{}].sandbox", a.id), text.to_owned())).collect();
        if !complaints.is_empty() {
            return Err(complaints);
        }
        config.accounts.retain(|a| origin.simulated.iter().all(|own| own.id != a.id));
        config.accounts.extend(origin.simulated.iter().cloned());
    }
    Accounts::build(&config, &kit.outbound)
}

/// Brings the accounts' rows in line, all or none. Answers what prevents it: an account is at one gateway and in
/// one mode for ever, because old payments point to it.
pub async fn sync(db: &Db, accounts: &Accounts) -> Result<Vec<Complaint>, Fault> {
    let mut tx = db.begin().await?;
    let changed = store::sync(&mut tx, accounts).await?;
    if changed.is_empty() {
        tx.commit().await?;
    }
    let text = "gateway and sandbox of an account never change: give it a new id";
    Ok(changed.into_iter().map(|id| (format!("accounts[{id}]"), text.to_owned())).collect())
}

/// Reads the accounts again whenever their files changed, and at each hang-up signal. `seen` is what the files were like
/// before the configuration in force was read. Never ends by itself.
pub async fn watch(kit: Arc<PaymentKit>, origin: Origin, mut seen: Stamp, mut hangup: Signal) {
    let mut tick = tokio::time::interval(LOOK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = seen.clone();
    kit.accounts.in_force();
    let mut missing = tokio::time::interval(LOOK_FOR_MISSING);
    missing.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = missing.tick() => {
                if let Err(fault) = look_for_missing(&kit).await {
                    tracing::warn!(%fault, "could not look for accounts that are missing");
                }
                continue;
            }
            _ = tick.tick() => {
                let now = Stamp::of(&origin.sources);
                // One that changed since the last look may still be written to.
                let quiet = now == last;
                last = now;
                if !quiet || last == seen {
                    continue;
                }
            }
            _ = hangup.recv() => {}
        }
        let now = Stamp::of(&origin.sources);
        match reload(&kit, &origin).await {
            Ok(_) => seen = now,
            Err(fault) => {
                tracing::warn!(%fault, "the accounts could not be read again; trying at the next look")
            }
        }
    }
}
