//! Buyers whose orders a person looks at before anything leaves: by mailbox, by the domain of the address, by the network
//! address an order was placed from, or by its country. Their orders are taken and paid like all others and then held; nobody learns from the
//! shop that they are on the list.

mod store;

use std::net::IpAddr;

use crate::base::actor::Actor;
use crate::base::caller::Caller;
use crate::base::country::Country;
use crate::base::error_code::ErrorCode;
use crate::base::ids::BlockId;
use crate::base::outcome::{Outcome, Refusal};
use crate::base::text::{self, Email};
use crate::infra::effects::events::{self, Event};
use crate::infra::kit::Kit;
use crate::infra::throttle::prefix;
use crate::orders::events::{BlockEvent, OfBlock};
use crate::people::throttle::client_key;

pub(super) use store::hold_if_blocked;
pub use store::{Block, block_keys, count, end_review, list};

/// Longest reason, characters.
const LONGEST_REASON: usize = 500;

/// By what a buyer is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockKind {
    Mailbox,
    Domain,
    Client,
    Country,
}

impl BlockKind {
    const ALL: [Self; 4] = [Self::Mailbox, Self::Domain, Self::Client, Self::Country];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mailbox => "mailbox",
            Self::Domain => "domain",
            Self::Client => "client",
            Self::Country => "country",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

crate::text_column!(BlockKind);

/// Adds a block. From the commit on every order of this buyer that is not paid is held for review, also those that were
/// placed before. `FORBIDDEN`, `REASON_REQUIRED`, `INVALID`. One that is there is answered as it is.
pub async fn add(kit: &Kit, actor: &Actor, kind: BlockKind, value: &str, reason: &str) -> Outcome<Block> {
    if !actor.is_staff() {
        return Err(Refusal::new(ErrorCode::Forbidden, "buyers are blocked by staff").into());
    }
    let reason = text::reason(reason, "reason", LONGEST_REASON, "say why")?;
    let (compared, shown) = compared_with(kit, kind, value)?;
    let mut tx = kit.db.begin().await?;
    // Who places an order reads this table and is waited for: no order slips between the list and the look at unpaid ones.
    store::lock(&mut tx).await?;
    if let Some(known) = store::find_active(&mut tx, kind, &compared).await? {
        return Ok(known);
    }
    let id = BlockId(kit.clock.uuid());
    let block = store::insert(&mut tx, id, kind, (&compared, &shown), &reason, actor.user_id()).await?;
    let held = store::hold_unpaid(&mut tx, &block).await?;
    let body = OfBlock { kind: kind.as_str().into(), held };
    events::append(&tx, &[BlockEvent::Added(id, body).by(actor.label())]).await?;
    tx.commit().await?;
    Ok(block)
}

/// Ends a block. Orders that are under review stay so until each is released. `FORBIDDEN`, `NOT_FOUND`; a repeat changes
/// nothing.
pub async fn remove(kit: &Kit, actor: &Actor, id: BlockId) -> Outcome<Block> {
    if !actor.is_staff() {
        return Err(Refusal::new(ErrorCode::Forbidden, "buyers are blocked by staff").into());
    }
    let mut tx = kit.db.begin().await?;
    let removed = store::advance_removed(&mut tx, id).await?;
    let missing = || Refusal::new(ErrorCode::NotFound, "there is no such block").at(["blockId"]);
    let block = store::find(&mut tx, id).await?.ok_or_else(missing)?;
    if removed {
        let body = OfBlock { kind: block.kind.as_str().into(), held: 0 };
        events::append(&tx, &[BlockEvent::Removed(id, body).by(actor.label())]).await?;
        tx.commit().await?;
    }
    Ok(block)
}

/// What orders are compared with, and what staff is shown.
fn compared_with(kit: &Kit, kind: BlockKind, value: &str) -> Result<(String, String), Refusal> {
    let invalid = |text: &str| Refusal::new(ErrorCode::Invalid, text).at(["value"]);
    match kind {
        BlockKind::Mailbox => {
            let email = Email::parse(value).map_err(|_| invalid("this is no mail address"))?;
            Ok((email.mailbox(), email.normalised().to_owned()))
        }
        BlockKind::Domain => {
            let domain = value.trim().trim_start_matches('@');
            let email = Email::parse(&format!("somebody@{domain}"))
                .map_err(|_| invalid("this is no domain of a mail address"))?;
            let mailbox = email.mailbox();
            let domain = mailbox.rsplit_once('@').map_or("", |(_, domain)| domain);
            Ok((domain.to_owned(), domain.to_owned()))
        }
        BlockKind::Client => {
            let address: IpAddr =
                value.trim().parse().map_err(|_| invalid("this is no address of a network"))?;
            let caller = Caller { address, ..Caller::local() };
            Ok((client_key(kit, &caller), prefix(address).to_string()))
        }
        BlockKind::Country if kit.config.server.country_header.is_empty() => Err(invalid(
            "this shop does not know the countries of its buyers: `server.country_header` is not set",
        )),
        BlockKind::Country => {
            let country = Country::parse(value).ok_or_else(|| invalid("a country is a code such as DE"))?;
            Ok((country.to_string(), country.to_string()))
        }
    }
}
