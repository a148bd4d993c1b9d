//! Is this key good, on this device?

use crate::base::ids::ProductId;
use crate::base::key_text::KeyText;
use crate::base::outcome::{Fault, Outcome, Refusal};
use crate::base::secret::Secret;
use crate::infra::db;
use crate::infra::kit::Kit;
use crate::licences::device::{Device, LONGEST_KEY};
use crate::licences::model::LicenceRow;
use crate::licences::read::{self, Prints};
use crate::licences::{store, verdict};

/// Which key of which product.
#[derive(Clone, Debug)]
pub struct Asked {
    pub product: ProductId,
    pub key: Secret,
    pub device: Option<Device>,
}

/// The answer about a key that exists; `verdict` says why it is not good.
#[derive(Clone, Debug)]
pub struct Validated {
    pub licence: LicenceRow,
    pub verdict: Result<(), Refusal>,
}

/// `NO_SUCH_KEY`; everything else is in the verdict: what `judge` refuses, and for a named device `DEVICE_NOT_ACTIVATED` and
/// `DEVICE_LIMIT_REACHED`.
pub async fn validate(kit: &Kit, asked: &Asked) -> Outcome<Validated> {
    let mut conn = kit.db.conn().await?;
    let (_, mut licence) = find(&mut conn, kit, asked).await?;
    let mut good = verdict::judge(&licence).map(|_| ());
    if good.is_ok() && asked.device.is_some() {
        good = match licence.activation() {
            Some(activation) => {
                if licence.is_due_to_be_seen() {
                    let at = store::advance_seen(&mut conn, activation.id, None, None, false).await?;
                    licence.seen(at);
                }
                Ok(())
            }
            None => Err(verdict::not_active(&licence)),
        };
    }
    Ok(Validated { licence, verdict: good })
}

/// The key of a licence by its text. The same statements run for texts that nobody has, so that the time of an answer reveals nothing.
pub(super) async fn find(
    conn: &mut db::Connection,
    kit: &Kit,
    asked: &Asked,
) -> Outcome<(KeyText, LicenceRow)> {
    let seller = read::find_seller(conn, asked.product).await?.unwrap_or(uuid::Uuid::nil().into());
    let text = asked.key.expose();
    let text = (text.chars().count() <= LONGEST_KEY).then(|| KeyText::parse(text).ok().flatten()).flatten();
    let prints = Prints::of(&kit.sealer, seller, text.as_ref().map_or("", KeyText::expose));
    let device = asked.device.as_ref().map(|device| device.digest);
    let found = read::find_by_text(conn, asked.product, &prints, device).await.map_err(Fault::from)?;
    match (text, found) {
        (Some(text), Some(row)) if verdict::is_licence(&row) => Ok((text, row)),
        _ => Err(verdict::unknown().into()),
    }
}
