//! News of other sales on the same merchant account. What carries nothing of ours is ignored at once; refunds and
//! disputes, which carry little, are looked up once at the gateway, and its answer is kept. What does carry ours and is
//! unknown here waits as an orphan: its order may be on its way, or this database may be older than the sale.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};
use std::time::Duration;

use diesel_async::AsyncPgConnection;
use tokio::sync::Mutex as AsyncMutex;

use crate::base::ids::RefundId;
use crate::base::outcome::Fault;
use crate::infra::db::Purpose;
use crate::payments::accounts::circuit::Lane;
use crate::payments::attempts::number;
use crate::payments::gateways::gateway::{Call, Facts, Meaning, Named, Notice, NumberThere, came_clearly};
use crate::payments::kit::PaymentKit;
use crate::payments::notices::slice::Slice;
use crate::payments::notices::store::asked::{self, AskedTrade};
use crate::payments::notices::store::slice;
use crate::payments::report::{PaymentReport, Settled};

/// Time for the one question about a trade.
const TIMEOUT: Duration = Duration::from_secs(3);

/// The answers kept about the trades of reports that no payment was found for.
pub(super) async fn kept(conn: &AsyncPgConnection, slice: &Slice<'_>) -> Result<Vec<AskedTrade>, Fault> {
    let unknown = slice.entries.iter().filter(|e| e.subject.is_none()).map(|e| e.report);
    let trades = unknown.filter_map(|report| Some((report.account_id(), asked_about(report.facts()?)?)));
    Ok(asked::list(conn, &trades.collect::<Vec<_>>()).await?)
}

/// What becomes of a report about no payment of ours. `prefix` is that of this shop's numbers.
pub(super) fn judge(prefix: &str, report: &PaymentReport, kept: &[AskedTrade]) -> Settled {
    let Some(facts) = report.facts() else { return Settled::Orphan };
    if facts.meaning == Meaning::Ignored {
        return Settled::Ignored;
    }
    let ours =
        |number: &str| if number::is_ours(prefix, number) { Settled::Orphan } else { Settled::Ignored };
    if let Some(number) = &facts.number {
        return ours(number);
    }
    if names_our_refund(facts) {
        return Settled::Orphan;
    }
    let Some(trade_no) = asked_about(facts) else { return Settled::Ignored };
    match kept.iter().find(|k| k.account_id == report.account_id() && k.trade_no == trade_no) {
        None => Settled::AskWhose,
        Some(AskedTrade { number: Some(number), .. }) => ours(number),
        Some(AskedTrade { number: None, .. }) => Settled::Ignored,
    }
}

fn names_our_refund(facts: &Facts) -> bool {
    let named = facts.refund.as_ref().and_then(|refund| refund.refund_id.as_deref());
    named.is_some_and(|id| RefundId::parse(id).is_ok())
}

/// The trade that says whose a refund or dispute is, where its message does not.
fn asked_about(facts: &Facts) -> Option<&str> {
    let named = facts.number.is_some() || names_our_refund(facts);
    facts.trade_no.as_deref().filter(|_| facts.meaning.is_about_money_back() && !named)
}

/// Asks the gateway whose the trade of a notice is and keeps what it says; false when it does not say. Several notices
/// about one trade at once ask once.
pub(super) async fn ask(kit: &PaymentKit, notice: &Notice) -> Result<bool, Fault> {
    let Some(trade_no) = asked_about(notice.facts()) else { return Ok(false) };
    Ok(whose(kit, notice.account_id(), trade_no).await?.is_some())
}

/// Whether what an event names that cannot be read is surely somebody else's: nothing stored, no number and no refund of
/// ours, and of money that goes back not by the gateway's answer either.
pub(super) async fn is_others(kit: &PaymentKit, account_id: &str, named: &Named) -> Result<bool, Fault> {
    let prefix = &kit.config.shop.order_prefix;
    let refund = named.refund_id.as_deref().is_some_and(|id| RefundId::parse(id).is_ok());
    if refund || named.numbers.iter().any(|number| number::is_ours(prefix, number)) {
        return Ok(false);
    }
    {
        let mut conn = kit.db.conn_for(Purpose::Notices).await?;
        if slice::is_known(&mut conn, account_id, named).await? {
            return Ok(false);
        }
    }
    match named.trade_no.as_deref().filter(|_| named.carries_little && named.numbers.is_empty()) {
        Some(trade_no) => {
            Ok(whose(kit, account_id, trade_no).await?.is_some_and(|asked| asked.number.is_none()))
        }
        None => Ok(true),
    }
}

/// What the gateway says of a trade, asked now unless its answer is kept; none when it does not say.
async fn whose(kit: &PaymentKit, account_id: &str, trade_no: &str) -> Result<Option<AskedTrade>, Fault> {
    let Some((account, gateway)) = kit.accounts.find(account_id) else { return Ok(None) };
    let turn = turn(account_id, trade_no);
    let _turn = turn.lock().await;
    {
        let conn = kit.db.conn_for(Purpose::Notices).await?;
        if let Some(kept) = asked::list(&conn, &[(account_id, trade_no)]).await?.pop() {
            return Ok(Some(kept));
        }
    }
    let call = Call { keys: &account.keys, now_unix: kit.clock.unix(), timeout: TIMEOUT };
    let question = tokio::time::timeout(TIMEOUT, gateway.number_of(&call, trade_no));
    let answer = kit.circuits.call(&account.id, Lane::Notices, question, came_clearly).await?;
    let number = match answer {
        Ok(NumberThere::Number(number)) => Some(number),
        Ok(NumberThere::None) => None,
        Ok(NumberThere::Unsupported) | Err(_) => return Ok(None),
        Ok(NumberThere::Unknown(why)) => {
            tracing::warn!(why, account = account_id, "a gateway does not say whose a trade is");
            return Ok(None);
        }
    };
    // What is no number of ours is of no concern, and may be anything.
    let number = number.filter(|number| number::is_ours(&kit.config.shop.order_prefix, number));
    let conn = kit.db.conn_for(Purpose::Notices).await?;
    asked::insert(&conn, account_id, trade_no, number.as_deref()).await?;
    Ok(Some(AskedTrade { account_id: account_id.to_owned(), trade_no: trade_no.to_owned(), number }))
}

/// Whoever asks about this trade now, one after the other.
fn turn(account_id: &str, trade_no: &str) -> Arc<AsyncMutex<()>> {
    type Turns = HashMap<(String, String), Weak<AsyncMutex<()>>>;
    static TURNS: LazyLock<Mutex<Turns>> = LazyLock::new(Mutex::default);
    let mut turns = TURNS.lock().unwrap_or_else(PoisonError::into_inner);
    turns.retain(|_, turn| turn.strong_count() > 0);
    let slot = turns.entry((account_id.to_owned(), trade_no.to_owned())).or_default();
    slot.upgrade().unwrap_or_else(|| {
        let fresh = Arc::default();
        *slot = Arc::downgrade(&fresh);
        fresh
    })
}
