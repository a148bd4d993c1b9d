use std::collections::HashMap;

use async_trait::async_trait;
use diesel::QueryResult;
use diesel_async::AsyncPgConnection;

use crate::base::clock::Clock;
use crate::base::ids::VariantId;
use crate::base::outcome::Fault;
use crate::base::text::Locale;
use crate::goods::kind::{Available, Given, GoodsKind, LineGiven, Promise, Served, Supply, Wanted};
use crate::infra::effects::Effects;
use crate::vault::secrets::{self, Offer, Share};

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
        wants: &[(VariantId, i64)],
    ) -> QueryResult<HashMap<VariantId, Available>> {
        let variants: Vec<VariantId> = wants.iter().map(|want| want.0).collect();
        let sold = secrets::available(conn, &variants).await?;
        let of = |(variant, most): &(VariantId, i64)| {
            let sold = sold.get(variant).filter(|sold| sold.published)?;
            let left = sold.left().map(|left| Available::Pieces(left.min(*most)));
            Some((*variant, left.unwrap_or(Available::Endless)))
        };
        let missing = |(variant, _): &(VariantId, i64)| (*variant, Available::Missing);
        Ok(wants.iter().map(|want| of(want).unwrap_or_else(|| missing(want))).collect())
    }

    fn stocked(&self, variant: &str, pieces: &str) -> String {
        format!(
            "(exists (select 1 from secret_version stocked where stocked.variant_id = {variant}) \
               and coalesce((select (capped.terms ->> 'sale_cap')::bigint from variant capped \
                 where capped.id = {variant} and capped.terms ? 'sale_cap') - {} >= {pieces}, true))",
            secrets::taken_of(variant)
        )
    }

    /// The newest version for everybody. Where there is a cap, it is locked first and counted then, so that two sales
    /// at once do not both take the last piece.
    async fn assign<'a>(
        &self,
        conn: &'a AsyncPgConnection,
        _clock: &Clock,
        lines: &[Wanted],
    ) -> Result<Served<'a>, Fault> {
        let mut variants: Vec<VariantId> = lines.iter().map(|line| line.variant_id).collect();
        variants.sort_unstable();
        variants.dedup();
        let offers = secrets::offers(conn, &variants).await?;
        let capped: Vec<VariantId> = offers.iter().filter(|o| o.capped).map(|o| o.variant_id).collect();
        let mut left: HashMap<VariantId, usize> = HashMap::new();
        if !capped.is_empty() {
            let sold = secrets::available(conn, &capped).await?;
            left.extend(sold.into_iter().filter_map(|(id, sold)| Some((id, sold.left()? as usize))));
        }
        let mut shares = Vec::new();
        let mut given = Vec::with_capacity(lines.len());
        for line in lines {
            let offer = offers.iter().find(|offer| offer.variant_id == line.variant_id);
            given.push(share(line, offer, left.get_mut(&line.variant_id), &mut shares));
        }
        let marks = Box::pin(async move { secrets::mark_given(conn, &shares).await });
        Ok(Served { lines: given, marks, effects: Effects::default() })
    }
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
