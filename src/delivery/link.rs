//! Links: signed tokens that name a row. A *claim* link of days is put in mails and can only be exchanged for a
//! *download* link of minutes, because scanners follow what is in mails.

use crate::base::error_code::ErrorCode;
use crate::files;
use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};

use crate::base::ids::{FileVersionId, GrantId, LinkId, OrderId};
use crate::base::outcome::{Outcome, Refusal};
use crate::config::RingKey;
use crate::delivery::access;
use crate::delivery::model::{GrantStanding, Link};
use crate::delivery::read;
use crate::delivery::session;
use crate::delivery::store;
use crate::files::model::FileVersion;
use crate::infra::kit::Kit;
use crate::infra::sign::{self, TokenError};

/// Method and path are in the signature: a token of one entry point is valid at no other.
const DOWNLOAD: &str = "link GET,HEAD /downloads/";
const CLAIM: &str = "link GET,POST /claims/";
const NETWORK: &str = "link network";

/// How long a download may wait for its first byte unless the caller asks for another time, seconds.
pub const START_WITHIN: i64 = 600;
/// The longest that may be asked for: phones start transfers in the background late. Seconds.
pub const LONGEST_START: i64 = 86_400;
/// Clocks of two machines of one shop may differ by this, seconds.
const LEEWAY: i64 = 60;

/// What a token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    pub link_id: LinkId,
    /// The version it serves, whatever is published meanwhile. A claim link has none.
    pub version_id: Option<FileVersionId>,
    /// Unix seconds.
    pub not_before: i64,
    pub expires: i64,
    /// The network it was made for, keyed.
    pub network: Option<[u8; 8]>,
}

/// A link that serves bytes.
#[derive(Clone, Debug)]
pub struct DownloadLink {
    pub token: String,
    /// Absolute when the shop knows its public address.
    pub url: String,
    pub grant_id: GrantId,
    pub start_before: DateTime<Utc>,
    /// The latest time until which a download that starts now can be resumed.
    pub resume_until: DateTime<Utc>,
    /// False while a session of the grant is open, which it will join.
    pub counts_on_start: bool,
    pub file: FileVersion,
}

/// A link for a mail.
#[derive(Clone, Debug)]
pub struct ClaimLink {
    pub token: String,
    pub url: String,
    pub grant_id: GrantId,
    pub expires_at: DateTime<Utc>,
    pub file: FileVersion,
}

/// What a claim link leads to.
#[derive(Clone, Debug)]
pub struct LinkClaim {
    pub standing: GrantStanding,
    pub expires_at: DateTime<Utc>,
    pub file: FileVersion,
}

impl Ticket {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![1];
        bytes.extend(self.link_id.0.as_bytes());
        bytes.extend(self.version_id.map(|v| v.0).unwrap_or_default().as_bytes());
        bytes.extend(self.not_before.to_be_bytes());
        bytes.extend(self.expires.to_be_bytes());
        bytes.extend(self.network.iter().flatten());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (head, network) = bytes.split_at_checked(49)?;
        let uuid = |range: std::ops::Range<usize>| uuid::Uuid::from_slice(head.get(range)?).ok();
        let number =
            |range: std::ops::Range<usize>| Some(i64::from_be_bytes(head.get(range)?.try_into().ok()?));
        Some(Self {
            link_id: (head[0] == 1).then_some(LinkId(uuid(1..17)?))?,
            version_id: uuid(17..33).filter(|v| !v.is_nil()).map(FileVersionId),
            not_before: number(33..41)?,
            expires: number(41..49)?,
            network: if network.is_empty() { None } else { Some(network.try_into().ok()?) },
        })
    }

    fn open(kit: &Kit, domain: &str, token: &str) -> Result<Self, Refusal> {
        let malformed = || Refusal::new(ErrorCode::LinkMalformed, "this is not a link of this shop");
        let bytes =
            sign::open_token(&kit.config.secrets.links, domain, token).map_err(|error| match error {
                TokenError::Malformed => malformed(),
                TokenError::Forged => {
                    Refusal::new(ErrorCode::LinkForged, "this link was not made by this shop")
                }
            })?;
        let ticket = Self::decode(&bytes).ok_or_else(malformed)?;
        if ticket.not_before > kit.clock.unix() + LEEWAY {
            return Err(Refusal::new(ErrorCode::LinkNotYet, "this link does not work yet"));
        }
        Ok(ticket)
    }

    /// Why its link is not stored: it left some time after its end, or this shop has forgotten it.
    pub(super) fn unknown(&self, now_unix: i64) -> Refusal {
        if self.expires <= now_unix {
            return Refusal::new(
                ErrorCode::LinkExpired,
                "the time of this link has passed, ask for a new one",
            );
        }
        Refusal::new(ErrorCode::LinkForged, "this link was not made by this shop")
    }

    /// The ticket of a download token, whatever its age: it may belong to a session that can still be resumed.
    pub fn of_download(kit: &Kit, token: &str) -> Result<Self, Refusal> {
        Self::open(kit, DOWNLOAD, token)
    }

    /// Refuses a client in another network than the one the link was made for.
    pub fn allows(&self, kit: &Kit, address: Option<IpAddr>) -> Result<(), Refusal> {
        let Some(network) = self.network else { return Ok(()) };
        let same =
            |key: &RingKey| address.is_some_and(|a| sign::equal(&keyed(key, self.link_id, a), &network));
        if kit.config.secrets.links.iter().any(same) {
            return Ok(());
        }
        Err(Refusal::new(ErrorCode::LinkOtherNetwork, "this link works only in the network it was made in"))
    }
}

/// The first 24 bits of an IPv4 address, 56 of an IPv6 one, under the shop's key.
fn keyed(key: &RingKey, link: LinkId, address: IpAddr) -> [u8; 8] {
    let prefix: Vec<u8> = match address.to_canonical() {
        IpAddr::V4(v4) => v4.octets()[..3].to_vec(),
        IpAddr::V6(v6) => v6.octets()[..7].to_vec(),
    };
    let mac = sign::mac(key, NETWORK, &[link.0.as_bytes(), &prefix]);
    let mut short = [0; 8];
    short.copy_from_slice(&mac[..8]);
    short
}

/// A link to start a download of the grant within `start_within` seconds (60 to 86,400). It counts nothing; the
/// first byte does. The caller has made sure that whoever asks may see the order; `address` is where they are.
pub async fn create_download_link(
    kit: &Kit,
    grant_id: GrantId,
    start_within: Option<i64>,
    address: Option<IpAddr>,
) -> Outcome<DownloadLink> {
    let seconds = start_within.unwrap_or(START_WITHIN);
    if !(60..=LONGEST_START).contains(&seconds) {
        let text = format!("a download starts within 60 to {LONGEST_START} seconds");
        return Err(Refusal::new(ErrorCode::Invalid, text).at(["startWithinSeconds"]).into());
    }
    let mut tx = kit.db.begin().await?;
    let standing = read::find_standing(&mut tx, grant_id)
        .await?
        .ok_or_else(|| Refusal::new(ErrorCode::NotFound, "there is no such download"))?;
    access::may_download(&standing)?;
    let file = offered(&mut tx, &standing).await?;
    let end = standing.expires_at.unwrap_or(DateTime::<Utc>::MAX_UTC);
    let start_before = (standing.now + TimeDelta::seconds(seconds)).min(end);
    let link_id = LinkId(kit.clock.uuid());
    let generation = standing.access_generation;
    store::insert_download_link(&mut tx, link_id, grant_id, start_before, generation).await?;
    tx.commit().await?;

    let ring = &kit.config.secrets.links;
    let network = match (standing.bind_address, address, ring.first()) {
        (true, Some(address), Some(key)) => Some(keyed(key, link_id, address)),
        _ => None,
    };
    let ticket = Ticket {
        link_id,
        version_id: Some(file.id),
        not_before: standing.now.timestamp(),
        expires: start_before.timestamp(),
        network,
    };
    let token = sign::token(ring, DOWNLOAD, &ticket.encode());
    Ok(DownloadLink {
        url: format!("{}/downloads/{token}", kit.public_url()),
        token,
        grant_id,
        start_before,
        resume_until: (start_before + session::life()).min(end),
        counts_on_start: standing.session_id.is_none(),
        file,
    })
}

/// The version that a link made now serves. Never one that is yanked: `may_download` has seen to that.
async fn offered(
    conn: &mut diesel_async::AsyncPgConnection,
    standing: &GrantStanding,
) -> Outcome<FileVersion> {
    let yanked = || Refusal::new(ErrorCode::FileYanked, "this file is not offered any more");
    let id = standing.current_version_id.ok_or_else(yanked)?;
    Ok(files::read::find_version(conn, id).await?.ok_or_else(yanked)?)
}

/// Links for the mail of an order: one per grant that may be used, the same ones again within a day, so that every
/// attempt to send a mail has the same content.
pub async fn claim_links(kit: &Kit, order_id: OrderId) -> Outcome<Vec<ClaimLink>> {
    let mut tx = kit.db.begin().await?;
    let mut standings = read::list_standings_of_order(&mut tx, order_id).await?;
    standings.retain(|s| access::may_download(s).is_ok());
    let ids: Vec<GrantId> = standings.iter().map(|s| s.grant_id).collect();
    // Two senders at once must not make two links.
    files::store::lock_grants(&mut tx, &ids).await?;
    let mut links = read::list_fresh_claim_links(&mut tx, &ids).await?;
    let missing: Vec<(LinkId, GrantId)> = ids
        .iter()
        .filter(|id| !links.iter().any(|l| l.grant_id == **id))
        .map(|id| (LinkId(kit.clock.uuid()), *id))
        .collect();
    links.extend(store::insert_claim_links(&mut tx, &missing, kit.config.shop.claim_link_days).await?);
    let versions: Vec<_> = standings.iter().filter_map(|s| s.current_version_id).collect();
    let versions = files::read::list_versions(&mut tx, &versions).await?;
    tx.commit().await?;

    let made = standings.iter().filter_map(|standing| {
        let link = links.iter().find(|l| l.grant_id == standing.grant_id)?;
        let file = versions.iter().find(|v| Some(v.id) == standing.current_version_id)?.clone();
        let token = claim_token(kit, link);
        let url = format!("{}/claims/{token}", kit.public_url());
        Some(ClaimLink { token, url, grant_id: link.grant_id, expires_at: link.expires_at, file })
    });
    Ok(made.collect())
}

fn claim_token(kit: &Kit, link: &Link) -> String {
    let ticket = Ticket {
        link_id: link.id,
        version_id: None,
        not_before: link.created_at.timestamp(),
        expires: link.expires_at.timestamp(),
        network: None,
    };
    sign::token(&kit.config.secrets.links, CLAIM, &ticket.encode())
}

/// What a claim link leads to; counts and changes nothing.
pub async fn look_at_claim(kit: &Kit, token: &str) -> Outcome<LinkClaim> {
    let ticket = Ticket::open(kit, CLAIM, token)?;
    let mut conn = kit.db.conn().await?;
    let forged = || Refusal::new(ErrorCode::LinkForged, "this link was not made by this shop");
    let unknown = || ticket.unknown(kit.clock.unix());
    let link = read::find_claim_link(&mut conn, ticket.link_id).await?.ok_or_else(unknown)?;
    let standing = read::find_standing(&mut conn, link.grant_id).await?.ok_or_else(forged)?;
    access::may_download(&standing)?;
    access::may_use(&link, &standing)?;
    if link.expires_at <= standing.now {
        return Err(Refusal::new(
            ErrorCode::LinkExpired,
            "the time of this link has passed, ask for a new one",
        )
        .into());
    }
    let file = offered(&mut conn, &standing).await?;
    Ok(LinkClaim { standing, expires_at: link.expires_at, file })
}

/// Exchanges a claim link for a download link of ten minutes.
pub async fn redeem_claim(kit: &Kit, token: &str, address: Option<IpAddr>) -> Outcome<DownloadLink> {
    let claim = look_at_claim(kit, token).await?;
    create_download_link(kit, claim.standing.grant_id, None, address).await
}
