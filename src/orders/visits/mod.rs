//! From where a buyer acts: kept sealed for a while, for whoever has to prove to a bank that the buyer got the goods. Nothing
//! else reads it.

mod store;

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::base::caller::Caller;
use crate::base::ids::{DownloadSessionId, OrderId};
use crate::base::outcome::Fault;
use crate::infra::kit::Kit;

/// What the sealed place is called.
const PURPOSE: &str = "order-visit";

/// Rows kept of one act of one order: a buyer who looks every day fills no table.
const MOST: i64 = 50;

/// What a buyer did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VisitAct {
    Placed,
    Revealed,
    Downloaded,
}

impl VisitAct {
    const ALL: [Self; 3] = [Self::Placed, Self::Revealed, Self::Downloaded];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Placed => "placed",
            Self::Revealed => "revealed",
            Self::Downloaded => "downloaded",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|act| act.as_str() == text)
    }
}

crate::text_column!(VisitAct);

/// Where somebody is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visit {
    pub address: IpAddr,
    /// `User-Agent`, cleaned and cut to 200 characters.
    pub device: Option<String>,
}

impl Visit {
    pub fn of(caller: &Caller) -> Self {
        Self { address: caller.address, device: caller.device.clone() }
    }
}

/// A visit as it was kept.
#[derive(Clone, Debug)]
pub struct KeptVisit {
    pub act: VisitAct,
    pub at: DateTime<Utc>,
    /// None when it was sealed by a key that the shop does not have any more.
    pub visit: Option<Visit>,
}

/// Keeps a visit in the transaction of what was done, unless the shop keeps none.
pub async fn keep(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    order: OrderId,
    (act, session): (VisitAct, Option<DownloadSessionId>),
    visit: Option<&Visit>,
) -> Result<(), Fault> {
    let Some(visit) = visit.filter(|_| kit.config.shop.keep_addresses_days > 0) else { return Ok(()) };
    let id: Uuid = kit.clock.uuid();
    let text = serde_json::to_vec(visit).map_err(|e| Fault::bug(e.to_string()))?;
    let sealed = kit.sealer.seal_small(PURPOSE, id, &text).map_err(Fault::from)?;
    store::insert(conn, (id, order), (act, session), sealed, MOST).await?;
    Ok(())
}

/// The visits of an order, the earliest first.
pub async fn list(conn: &mut AsyncPgConnection, kit: &Kit, order: OrderId) -> Result<Vec<KeptVisit>, Fault> {
    let open = |row: store::VisitRow| {
        let opened = kit.sealer.open_small(PURPOSE, row.id, &row.sealed).ok();
        let visit = opened.and_then(|text| serde_json::from_slice(&text).ok());
        KeptVisit { act: row.act, at: row.at, visit }
    };
    Ok(store::list(conn, order).await?.into_iter().map(open).collect())
}
