//! Gifts: the goods of an order go to somebody else than its buyer. The recipient alone sees them, by the mail and by the
//! token in it; the buyer sees that they went.

mod store;

use diesel_async::AsyncPgConnection;

use crate::base::error_code::ErrorCode;
use crate::base::outcome::{Fault, Refusal};
use crate::base::text::{Email, clean};
use crate::infra::kit::Kit;
use crate::orders::model::Order;

pub use store::{GiftRow, advance_address, find, insert, list};

/// The longest message, characters.
const LONGEST_MESSAGE: usize = 500;
/// The longest name, characters.
const LONGEST_NAME: usize = 100;

/// Who gets the goods, as the buyer typed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GiftWish {
    pub email: String,
    pub name: String,
    pub giver: Option<String>,
    pub message: Option<String>,
}

/// The same, read.
#[derive(Clone, Debug)]
pub struct GiftTo {
    pub email: Email,
    pub name: String,
    pub giver: Option<String>,
    pub message: Option<String>,
}

/// Reads what a buyer typed. `EMAIL_INVALID`, `INVALID`, each at its field of `gift`.
pub fn read(kit: &Kit, wish: &GiftWish) -> Result<GiftTo, Refusal> {
    let within = |mut refusal: Refusal| {
        let field = refusal.field.pop().unwrap_or_default();
        refusal.at(["gift".to_owned(), field])
    };
    let at = |field: &'static str| move |refusal: Refusal| within(refusal.at([field]));
    let email = Email::parse(&wish.email).map_err(at("email"))?;
    kit.config.mail.takes(&email).map_err(at("email"))?;
    let name = clean(&wish.name, "name", LONGEST_NAME, false).map_err(within)?;
    let optional = |text: &Option<String>, field: &'static str, longest: usize, multiline: bool| {
        let given = text.as_deref().filter(|text| !text.trim().is_empty());
        given.map(|text| clean(text, field, longest, multiline)).transpose().map_err(within)
    };
    Ok(GiftTo {
        email,
        name,
        giver: optional(&wish.giver, "from", LONGEST_NAME, false)?,
        message: optional(&wish.message, "message", LONGEST_MESSAGE, true)?,
    })
}

/// What prevents a gift: goods of nothing go to one mailbox a few times a day, whoever gives them (`BUYER_LIMIT_REACHED`),
/// and a gift goes to somebody else than its buyer (`INVALID`).
pub async fn refusal(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    to: &GiftTo,
    buyer: &Email,
    free: bool,
) -> Result<Option<Refusal>, Fault> {
    if to.email.normalised() == buyer.normalised() {
        let text = "a gift goes to another address than the order";
        return Ok(Some(Refusal::new(ErrorCode::Invalid, text).at(["gift", "email"])));
    }
    let most = kit.config.shop.free_orders_per_day;
    if free && store::count_free(conn, &to.email.mailbox()).await? >= most {
        let text = format!("at most {most} free gifts a day for one person");
        return Ok(Some(Refusal::new(ErrorCode::BuyerLimitReached, text).at(["gift", "email"])));
    }
    Ok(None)
}

/// Refuses the buyer of a gift what only its recipient may: `FORBIDDEN`.
pub async fn refuse_buyer(
    conn: &mut AsyncPgConnection,
    order: &Order,
) -> Result<(), crate::base::outcome::Failure> {
    match store::find(conn, order.id).await? {
        Some(_) => {
            Err(Refusal::new(ErrorCode::Forbidden, "this is a gift: its recipient alone sees it").into())
        }
        None => Ok(()),
    }
}
