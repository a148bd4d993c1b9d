use std::collections::{BTreeSet, HashMap, HashSet};

use async_trait::async_trait;
use diesel::QueryResult;
use diesel_async::AsyncPgConnection;

use crate::base::clock::Clock;
use crate::base::ids::{KeyId, SupplierPurchaseId, UnitId, VariantId};
use crate::base::outcome::Fault;
use crate::base::text::Locale;
use crate::goods::key;
use crate::goods::kind::{
    AskedVariant, Available, Given, GoodsKind, LineGiven, Piece, Promise, Served, Supply, Wanted,
};
use crate::infra::effects::Effects;
use crate::infra::effects::jobs::Payload;
use crate::suppliers::jobs::BuyFromSupplier;
use crate::suppliers::store::{self, NewPurchase};
use crate::suppliers::{PricedOffer, read};
use crate::vault::claim::{self, Want};
use crate::vault::give_back::give_back;
use crate::vault::secrets;

pub const CODE: &str = "supplier";

/// What is bought at a supplier for each buyer, piece by piece. What was bought and could not be given any more is stock,
/// and is given first.
pub(super) struct Bought;

#[async_trait]
impl GoodsKind for Bought {
    fn code(&self) -> &'static str {
        CODE
    }

    fn title(&self, locale: Locale) -> &'static str {
        match locale {
            Locale::En => "Code",
            Locale::Zh => "兑换码",
        }
    }

    fn lacks(&self, available: Available) -> Option<&'static str> {
        (available == Available::Missing).then_some("no supplier is named where it is bought")
    }

    fn promise(&self, locale: Locale) -> Promise {
        let text = match locale {
            Locale::En => "Fetched for you when the payment is confirmed, mostly within a minute",
            Locale::Zh => "付款确认后自动获取，通常在一分钟内",
        };
        Promise { instant: false, within_seconds: Some(60), text }
    }

    fn supply(&self) -> Supply {
        Supply::Supplier
    }

    fn secret(&self, locale: Locale) -> Option<(&'static str, &'static str)> {
        Some(("code", self.title(locale)))
    }

    async fn available(
        &self,
        conn: &mut AsyncPgConnection,
        asked: &[AskedVariant<'_>],
    ) -> QueryResult<HashMap<VariantId, Available>> {
        let variants: Vec<(VariantId, bool)> =
            asked.iter().map(|one| (one.variant_id, one.terms.sold_while_down)).collect();
        let offered: HashSet<VariantId> = read::list_offered(conn, &variants).await?.into_iter().collect();
        let of = |id: VariantId| match offered.contains(&id) {
            true => Available::Endless,
            false => Available::Missing,
        };
        Ok(asked.iter().map(|one| (one.variant_id, of(one.variant_id))).collect())
    }

    fn stocked(&self, variant: &str, _pieces: &str) -> String {
        let while_down = format!("coalesce(({variant}.terms ->> 'sold_while_down')::boolean, true)");
        read::offered(&format!("{variant}.id"), &while_down)
    }

    fn ready(&self, variant: &str, pieces: &str) -> String {
        key::free(variant, pieces)
    }

    /// Keys that are stock already, then a purchase per unit, which is only meant here: a job sends it.
    async fn assign<'a>(
        &self,
        conn: &'a AsyncPgConnection,
        clock: &Clock,
        lines: &[Wanted],
    ) -> Result<Served<'a>, Fault> {
        let wants: Vec<Want> =
            lines.iter().map(|l| Want { variant_id: l.variant_id, count: l.units.len() as i64 }).collect();
        let claimed = claim::claim(conn, &wants).await?;
        let mut free: HashMap<VariantId, Vec<KeyId>> =
            claimed.into_iter().map(|c| (c.variant_id, c.key_ids.into_iter().rev().collect())).collect();
        let variants: Vec<VariantId> = lines.iter().map(|line| line.variant_id).collect();
        let offers = read::list_offers(conn, &variants, true).await?;
        let (mut given, mut pairs, mut purchases) = (Vec::new(), Vec::new(), Vec::new());
        for line in lines {
            let free = free.entry(line.variant_id).or_default();
            let offer = offers.iter().find(|offer| offer.variant_id == line.variant_id);
            given.push(share(line, free, offer, clock, &mut pairs, &mut purchases));
        }
        let mut effects = Effects::default();
        effects.jobs.extend(purchases.iter().map(|p| BuyFromSupplier { piece: p.unit_id }.job()));
        let marks = Box::pin(async move {
            claim::assign(conn, &pairs).await?;
            store::insert_purchases(conn, &purchases, true).await?;
            Ok(())
        });
        Ok(Served { lines: given, marks, effects })
    }

    /// A key that nobody has seen is stock again where the variant says so. What a person delivered instead was made for
    /// this buyer.
    async fn take_back(
        &self,
        conn: &mut AsyncPgConnection,
        actor: &str,
        pieces: &[Piece],
    ) -> Result<BTreeSet<VariantId>, Fault> {
        let units = Piece::units(pieces);
        secrets::advance_taken_back(conn, &units).await?;
        let restocked: Vec<UnitId> = pieces.iter().filter(|p| p.restock_unseen).map(|p| p.unit_id).collect();
        give_back(conn, actor, &units, &restocked).await
    }
}

/// Takes keys off the end of `free`, which is reversed; each other unit is bought by itself, so one does not wait for
/// another.
fn share(
    line: &Wanted,
    free: &mut Vec<KeyId>,
    offer: Option<&PricedOffer>,
    clock: &Clock,
    pairs: &mut Vec<(KeyId, UnitId)>,
    purchases: &mut Vec<NewPurchase>,
) -> LineGiven {
    let mut given = LineGiven::default();
    for unit in &line.units {
        if let Some(key) = free.pop() {
            pairs.push((key, *unit));
            given.keys.push(key);
            given.units.push(Given::Assigned);
        } else if let Some(offer) = offer {
            purchases.push(NewPurchase {
                id: SupplierPurchaseId(clock.uuid()),
                seller_id: line.seller_id,
                order_id: line.order_id,
                unit_id: *unit,
                round: 1,
                offer: offer.clone(),
            });
            given.units.push(Given::AwaitSupplier);
        } else {
            given.units.push(Given::AwaitPerson);
        }
    }
    given
}
