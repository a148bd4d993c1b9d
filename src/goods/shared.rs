use std::collections::{BTreeMap, BTreeSet, HashMap};

use async_trait::async_trait;
use diesel::QueryResult;
use diesel_async::AsyncPgConnection;

use crate::base::clock::Clock;
use crate::base::ids::VariantId;
use crate::base::outcome::Fault;
use crate::base::text::Locale;
use crate::goods::kind::{
    AskedVariant, Available, Given, GoodsKind, LineGiven, Piece, Promise, Served, Supply, Wanted,
};
use crate::infra::effects::Effects;
use crate::vault::secrets::{self, Offer, Share, Taken};

pub const CODE: &str = "secret";

/// One text for everybody who buys it: an account, a password, an address. The seller publishes it in versions and may
/// cap how many are sold.
pub(super) struct SharedSecret;

#[async_trait]
impl GoodsKind for SharedSecret {
    fn code(&self) -> &'static str {
        CODE
    }

    fn title(&self, locale: Locale) -> &'static str {
        match locale {
            Locale::En => "Access",
            Locale::Zh => "访问信息",
        }
    }

    fn lacks(&self, available: Available) -> Option<&'static str> {
        (available == Available::Missing).then_some("no version of the secret is published")
    }

    fn promise(&self, locale: Locale) -> Promise {
        Promise::of_text(locale)
    }

    fn supply(&self) -> Supply {
        Supply::Shared
    }

    fn secret(&self, locale: Locale) -> Option<(&'static str, &'static str)> {
        Some(("text", self.title(locale)))
    }

    async fn available(
        &self,
        conn: &mut AsyncPgConnection,
        asked: &[AskedVariant<'_>],
    ) -> QueryResult<HashMap<VariantId, Available>> {
        let variants: Vec<(VariantId, bool)> =
            asked.iter().map(|one| (one.variant_id, one.terms.sale_cap.is_some())).collect();
        let taken = secrets::taken(conn, &variants).await?;
        let of = |one: &AskedVariant<'_>| {
            let taken = taken.get(&one.variant_id).filter(|taken| taken.published)?;
            let left = one.terms.sale_cap.map(|cap| Available::Pieces(left(cap, taken).min(one.most)));
            Some(left.unwrap_or(Available::Endless))
        };
        Ok(asked.iter().map(|one| (one.variant_id, of(one).unwrap_or(Available::Missing))).collect())
    }

    fn stocked(&self, variant: &str, pieces: &str) -> String {
        format!(
            "(exists (select 1 from secret_version stocked where stocked.variant_id = {variant}.id) \
               and case when {variant}.terms ? 'sale_cap' \
                 then ({variant}.terms ->> 'sale_cap')::bigint - {} >= {pieces} else true end)",
            secrets::taken_of(&format!("{variant}.id"))
        )
    }

    fn ready(&self, variant: &str, pieces: &str) -> String {
        self.stocked(variant, pieces)
    }

    /// The newest version for everybody. Where there is a cap, it is locked first and counted then, so that two sales
    /// at once do not both take the last piece.
    async fn assign<'a>(
        &self,
        conn: &'a AsyncPgConnection,
        _clock: &Clock,
        lines: &[Wanted],
    ) -> Result<Served<'a>, Fault> {
        let mut caps: BTreeMap<VariantId, Option<i32>> = BTreeMap::new();
        caps.extend(lines.iter().map(|line| (line.variant_id, line.offered.sale_cap)));
        let variants: Vec<VariantId> = caps.keys().copied().collect();
        let capped: Vec<(VariantId, i32)> =
            caps.iter().filter_map(|(id, cap)| Some((*id, (*cap)?))).collect();
        let limited: Vec<VariantId> = capped.iter().map(|(id, _)| *id).collect();
        let offers = secrets::offers(conn, &variants, &limited).await?;
        let mut rest: HashMap<VariantId, usize> = HashMap::new();
        if !capped.is_empty() {
            let asked: Vec<(VariantId, bool)> = limited.iter().map(|id| (*id, true)).collect();
            let taken = secrets::taken(conn, &asked).await?;
            let of = |(id, cap): &(VariantId, i32)| Some((*id, left(*cap, taken.get(id)?) as usize));
            rest.extend(capped.iter().filter_map(of));
        }
        let mut shares = Vec::new();
        let mut given = Vec::with_capacity(lines.len());
        for line in lines {
            let offer = offers.iter().find(|offer| offer.variant_id == line.variant_id);
            given.push(share(line, offer, rest.get_mut(&line.variant_id), &mut shares));
        }
        let marks = Box::pin(async move { secrets::mark_given(conn, &shares).await });
        Ok(Served { lines: given, marks, effects: Effects::default() })
    }

    async fn take_back(
        &self,
        conn: &mut AsyncPgConnection,
        _actor: &str,
        pieces: &[Piece],
    ) -> Result<BTreeSet<VariantId>, Fault> {
        let freed = secrets::advance_taken_back(conn, &Piece::units(pieces)).await?;
        let capped = |variant: &VariantId| {
            pieces.iter().any(|piece| piece.variant_id == *variant && piece.offered.sale_cap.is_some())
        };
        Ok(freed.into_iter().filter(capped).collect())
    }
}

/// How many may be sold yet.
fn left(cap: i32, taken: &Taken) -> i64 {
    (i64::from(cap) - taken.pieces).max(0)
}

/// `left` is what the cap leaves, if there is one.
fn share(
    line: &Wanted,
    offer: Option<&Offer>,
    left: Option<&mut usize>,
    shares: &mut Vec<Share>,
) -> LineGiven {
    let Some(version_id) = offer.and_then(|offer| offer.version_id) else {
        return LineGiven::all(line, Given::AwaitStock);
    };
    let take = line.takes(left.as_deref().copied().unwrap_or(usize::MAX));
    if let Some(left) = left {
        *left -= take;
    }
    shares.extend(line.units.iter().take(take).map(|unit| Share {
        unit_id: *unit,
        seller_id: line.seller_id,
        variant_id: line.variant_id,
        version_id,
        follows: line.terms.updates_included,
    }));
    LineGiven::first(line, take)
}
