//! `dispense restored`, from the raised epoch to the opened shop. Killed in between it is run again and goes on.

use chrono::{DateTime, Utc};

use crate::base::error_code::ErrorCode;
use crate::base::ids::{OrderId, RefundId, SHOP};
use crate::base::outcome::{Outcome, Refusal};
use crate::infra::effects::events::{self, Event, NewEvent};
use crate::infra::effects::record::Nothing;
use crate::infra::epoch::{self, Epoch};
use crate::infra::sequence;
use crate::payments::events::{RefundEvent, Reopened, Restored, ShopEvent};
use crate::payments::kit::PaymentKit;
use crate::payments::restored::ask;
use crate::payments::restored::release;
use crate::payments::restored::report::RestoredReport;
use crate::payments::restored::store;
use crate::vault::restored;

/// Raises the epoch, asks the gateways, lists what is unknown and opens sales. `since` is when the backup was made; none:
/// the time of the newest thing the database knows. Sales stay held while a gateway does not answer, unless `anyway`.
/// Refuses a `since` that is yet to come with `INVALID`.
pub async fn run(kit: &PaymentKit, since: Option<DateTime<Utc>>, anyway: bool) -> Outcome<RestoredReport> {
    if sequence::restart(&mut *kit.db.conn().await?).await? {
        tracing::info!(
            "the rows come from another cluster: the sequence of events begins anew behind its last number"
        );
    }
    let epoch = raise(kit, since).await?;
    crate::fault_point!("restored.raised");
    let attempts = ask::attempts(kit, &epoch).await?;
    let questions = store::list_questions(&mut *kit.db.conn().await?, epoch.id).await?;
    let mut silent = attempts.unclear;
    for question in questions.into_iter().filter(|q| q.state == "waiting") {
        let asked = ask::day(kit, &epoch, question).await?;
        let no_answer = asked.state == "waiting" && asked.reason.as_deref() != Some(ask::NOT_MADE_YET);
        silent += usize::from(no_answer);
    }
    crate::fault_point!("restored.asked");
    let opened = silent == 0 || anyway;
    if opened {
        open(kit, &epoch).await?;
        release::release_if_nothing_is_unknown(kit, &epoch).await?;
    }
    let mut conn = kit.db.conn().await?;
    Ok(RestoredReport {
        epoch: epoch.id,
        since: epoch.unknown_since.unwrap_or(epoch.raised_at),
        opened,
        asked: attempts.asked,
        found: attempts.found,
        unclear: attempts.unclear,
        questions: store::list_questions(&mut conn, epoch.id).await?,
        unknown: store::list_found(&mut conn, epoch.raised_at).await?,
        frozen: restored::frozen(&mut conn).await?,
    })
}

/// The epoch that is held, or a new one: in one transaction with the freezing of what may have been sold.
async fn raise(kit: &PaymentKit, since: Option<DateTime<Utc>>) -> Outcome<Epoch> {
    if since.is_some_and(|since| since > kit.clock.now()) {
        return Err(Refusal::new(ErrorCode::Invalid, "the backup cannot be of a time to come")
            .at(["since"])
            .into());
    }
    let mut tx = kit.db.begin().await?;
    let current = epoch::current(&mut tx).await?;
    if current.held {
        return Ok(current);
    }
    let since = match since {
        Some(since) => since,
        None => store::newest_fact(&mut tx).await?,
    };
    epoch::raise(&mut tx, since).await?;
    let epoch = epoch::current(&mut tx).await?;
    let frozen = restored::freeze_all(&mut tx, epoch.id).await?;
    let once =
        kit.accounts.iter().filter(|(account, gateway)| !gateway.abilities(&account.keys).refund_repeatable);
    let once: Vec<String> = once.map(|(account, _)| account.id.clone()).collect();
    let unseen = store::advance_refunds_to_unknown(&mut tx, &once).await?;
    let unknown = |(refund, order): (RefundId, OrderId)| {
        RefundEvent::Unknown(refund, Nothing {}).by("system").of_order(order)
    };
    let mut recorded: Vec<NewEvent> = unseen.into_iter().map(unknown).collect();
    let paid_at = store::list_accounts_paid_at(&mut tx).await?;
    store::insert_questions(&mut tx, epoch.id, &ask::questions(kit, &epoch, paid_at)).await?;
    let keys_frozen = frozen.iter().map(|s| s.keys).sum();
    let restored = Restored { epoch: epoch.id, unknown_since: since, keys_frozen };
    recorded.push(ShopEvent::Restored(SHOP, restored).by("system"));
    events::append(&tx, &recorded).await?;
    tx.commit().await?;
    Ok(epoch)
}

async fn open(kit: &PaymentKit, epoch: &Epoch) -> Outcome<()> {
    let mut tx = kit.db.begin().await?;
    if epoch::open(&mut tx, epoch.id).await? {
        let opened = ShopEvent::Opened(SHOP, Reopened { epoch: epoch.id });
        events::append(&tx, &[opened.by("system")]).await?;
    }
    tx.commit().await?;
    Ok(())
}
