//! Who may see an order: its buyer, staff, the API client that placed it, or whoever holds its access token. The address
//! alone reveals nothing, and a foreign order looks exactly like a missing one.

use chrono::{DateTime, TimeDelta, Utc};

use crate::base::actor::{Actor, ApiScope};
use crate::base::ids::{self, OrderId};
use crate::base::secret::Secret;
use crate::infra::kit::Kit;
use crate::infra::sign;
use crate::orders::model::Order;

const ACCESS: &str = "order-access";
const WATCH: &str = "order-watch";
const GIFT: &str = "order-gift";

/// Begins the tokens of gifts' recipients.
const GIFT_TOKEN: &str = "gft";

/// Begins watch tickets.
const TICKET: &str = "wat";

/// How long a watch ticket works.
const WATCH_TICKET: TimeDelta = TimeDelta::hours(1);

/// How far a right to see an order goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccessLevel {
    /// Its state alone: a watch ticket.
    Status,
    /// What a gift is, and its goods; nothing of the money.
    Recipient,
    /// Everything its buyer may see and do; of a gift, all but its goods.
    Buyer,
    /// Staff: also what buyers do not see; never secrets without a reason.
    Staff,
}

impl AccessLevel {
    /// How far those see a line who sell it, and staff. Whether the caller is one of them was looked at before.
    pub fn of_who_sells(actor: &Actor) -> Self {
        if actor.is_staff() { Self::Staff } else { Self::Status }
    }
}

/// The guest's token: an HMAC over the order and a generation, so that it can be given again after a lost answer and
/// revoked by growing the generation.
pub fn token(kit: &Kit, order: OrderId, generation: i32) -> Secret {
    let mac = sign::mac(&kit.config.secrets.access, ACCESS, &[order.0.as_bytes(), &generation.to_be_bytes()]);
    Secret::new(format!("oat_{}", hex::encode(mac)))
}

/// The token of a gift's recipient, which names its order so that it is enough by itself. It ends with the order's other
/// tokens and is given in the mail with the goods alone.
pub fn gift_token(kit: &Kit, order: OrderId, generation: i32) -> Secret {
    let mac = sign::mac(&kit.config.secrets.access, GIFT, &[order.0.as_bytes(), &generation.to_be_bytes()]);
    Secret::new(format!("{}_{}", ids::encode(GIFT_TOKEN, order.0), hex::encode(mac)))
}

/// The order that a recipient's token names, whoever made it.
pub fn order_of_gift_token(token: &str) -> Option<OrderId> {
    let (id, _) = token.rsplit_once('_')?;
    match ids::decode(id) {
        Ok((GIFT_TOKEN, uuid)) => Some(OrderId(uuid)),
        _ => None,
    }
}

/// Whether this is the token of the order's recipient.
pub fn opens_gift(kit: &Kit, order: &Order, token: &str) -> bool {
    let expected = gift_token(kit, order.id, order.access_generation);
    sign::equal(expected.expose().as_bytes(), token.as_bytes())
}

/// A ticket that shows one order's state for an hour and can do nothing else. May be in a URL. It names its order,
/// so that it is enough by itself, and ends with the order's tokens.
pub fn watch_ticket(kit: &Kit, order: OrderId, generation: i32) -> (String, DateTime<Utc>) {
    // Ends on a full ten minutes, so that a client's cache does not see a new ticket on every poll.
    let end = (kit.clock.now() + WATCH_TICKET).timestamp() / 600 * 600 + 600;
    let ends = DateTime::from_timestamp(end, 0).unwrap_or_default();
    let mac = ticket_mac(kit, order, end, generation);
    (format!("{}_{end}_{generation}_{}", ids::encode(TICKET, order.0), hex::encode(mac)), ends)
}

fn ticket_mac(kit: &Kit, order: OrderId, end: i64, generation: i32) -> [u8; 32] {
    let parts: [&[u8]; 3] = [order.0.as_bytes(), &end.to_be_bytes(), &generation.to_be_bytes()];
    sign::mac(&kit.config.secrets.access, WATCH, &parts)
}

/// What a watch ticket says that is ours and not over.
#[derive(Clone, Copy, Debug)]
pub struct Ticket {
    pub order: OrderId,
    generation: i32,
    pub ends: DateTime<Utc>,
}

impl Ticket {
    /// Whether it shows this order, and access was not given anew since.
    pub fn shows(&self, order: &Order) -> bool {
        self.order == order.id && self.generation == order.access_generation
    }
}

/// Reads a watch ticket; none for what is not ours or over. Whether it still `shows` its order, the order says.
pub fn open_watch_ticket(kit: &Kit, ticket: &str) -> Option<Ticket> {
    let mut parts = ticket.splitn(5, '_');
    let (prefix, order) = (parts.next()?, parts.next()?);
    let order = match ids::decode(&format!("{prefix}_{order}")) {
        Ok((TICKET, uuid)) => OrderId(uuid),
        _ => return None,
    };
    let (end, generation) = (parts.next()?.parse::<i64>().ok()?, parts.next()?.parse::<i32>().ok()?);
    let mac = hex::decode(parts.next()?).ok()?;
    let fits = sign::equal(&ticket_mac(kit, order, end, generation), &mac) && kit.clock.unix() < end;
    Some(Ticket { order, generation, ends: DateTime::from_timestamp(end, 0)? }).filter(|_| fits)
}

/// What this actor with this token may see of the order; `None` looks like a missing order.
pub fn access_level(kit: &Kit, actor: &Actor, order: &Order, given: Option<&str>) -> Option<AccessLevel> {
    if actor.is_staff() {
        return Some(AccessLevel::Staff);
    }
    if order.user_id.is_some() && order.user_id == actor.user_id() {
        return Some(AccessLevel::Buyer);
    }
    let client = actor.api_client.filter(|client| order.api_client_id == Some(*client));
    if client.is_some() && actor.client_with(ApiScope::OrdersWrite).is_some() {
        return Some(AccessLevel::Buyer);
    }
    let reads = client.and(actor.client_with(ApiScope::OrdersRead)).map(|_| AccessLevel::Status);
    let beside = actor.order_tokens.iter().map(Secret::expose);
    let expected = token(kit, order.id, order.access_generation);
    let access_level = |given: &str| match given.split('_').next() {
        Some("wat") => {
            open_watch_ticket(kit, given).filter(|ticket| ticket.shows(order)).map(|_| AccessLevel::Status)
        }
        Some(GIFT_TOKEN) => opens_gift(kit, order, given).then_some(AccessLevel::Recipient),
        _ => sign::equal(expected.expose().as_bytes(), given.as_bytes()).then_some(AccessLevel::Buyer),
    };
    given.into_iter().chain(beside).filter_map(access_level).chain(reads).max()
}
