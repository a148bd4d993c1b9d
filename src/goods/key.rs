use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use diesel::QueryResult;
use diesel_async::AsyncPgConnection;

use crate::base::clock::Clock;
use crate::base::ids::{KeyId, OrderId, UnitId, VariantId};
use crate::base::outcome::Fault;
use crate::base::text::Locale;
use crate::goods::kind::{
    AskedVariant, Available, GoodsKind, LineGiven, Piece, Promise, Served, Supply, Wanted,
};
use crate::vault;
use crate::vault::claim::{self, Want};
use crate::vault::give_back::give_back;
use crate::vault::reserved::{self, Cause, FreedLine, OwnKeys};

pub const CODE: &str = "key";

/// A unique secret: a licence key, a voucher code.
pub(super) struct UniqueKey;

#[async_trait]
impl GoodsKind for UniqueKey {
    fn code(&self) -> &'static str {
        CODE
    }

    fn title(&self, locale: Locale) -> &'static str {
        match locale {
            Locale::En => "Licence key",
            Locale::Zh => "激活码",
        }
    }

    /// Keys may come later: the product is then sold out until they do.
    fn lacks(&self, _available: Available) -> Option<&'static str> {
        None
    }

    fn promise(&self, locale: Locale) -> Promise {
        Promise::of_text(locale)
    }

    fn supply(&self) -> Supply {
        Supply::Keys
    }

    fn secret(&self, locale: Locale) -> Option<(&'static str, &'static str)> {
        let name = match locale {
            Locale::En => "Key",
            Locale::Zh => "激活码",
        };
        Some((CODE, name))
    }

    async fn available(
        &self,
        conn: &mut AsyncPgConnection,
        asked: &[AskedVariant<'_>],
    ) -> QueryResult<HashMap<VariantId, Available>> {
        let wants: Vec<(VariantId, i64)> = asked.iter().map(|one| (one.variant_id, one.most)).collect();
        let counted = vault::read::stock(conn, &wants).await?;
        Ok(counted.into_iter().map(|(variant, keys)| (variant, Available::Pieces(keys))).collect())
    }

    fn stocked(&self, variant: &str, pieces: &str) -> String {
        free(variant, pieces)
    }

    fn ready(&self, variant: &str, pieces: &str) -> String {
        free(variant, pieces)
    }

    /// Gives each line what is held for it, claims the rest for all lines at once and shares it out in the order of the
    /// lines. What was held for a line that cannot be served with it goes back on sale.
    async fn assign<'a>(
        &self,
        conn: &'a AsyncPgConnection,
        _clock: &Clock,
        lines: &[Wanted],
    ) -> Result<Served<'a>, Fault> {
        let holding = lines.iter().filter(|line| line.reserved).map(|line| line.line_id).collect();
        let own = reserved::own(conn, holding).await?;
        let held = |line: &Wanted| own.get(&line.line_id).map_or(&[][..], |keys| &keys.sellable);
        let missing = |line: &Wanted| line.units.len().saturating_sub(held(line).len()) as i64;
        let wants: Vec<Want> =
            lines.iter().map(|l| Want { variant_id: l.variant_id, count: missing(l) }).collect();
        let claimed = claim::claim(conn, &wants).await?;
        let mut free: HashMap<VariantId, Vec<KeyId>> =
            claimed.into_iter().map(|c| (c.variant_id, c.key_ids.into_iter().rev().collect())).collect();
        let shared: Vec<LineGiven> = lines
            .iter()
            .map(|line| share(line, held(line), free.entry(line.variant_id).or_default()))
            .collect();
        let pairs: Vec<(KeyId, UnitId)> = lines
            .iter()
            .zip(&shared)
            .flat_map(|(line, given)| given.keys.iter().copied().zip(line.units.iter().copied()))
            .collect();
        let freed: Vec<(OrderId, FreedLine)> = lines
            .iter()
            .zip(&shared)
            .filter_map(|(line, given)| left_over(line, own.get(&line.line_id)?, given))
            .collect();
        let unused: Vec<KeyId> = freed.iter().flat_map(|(_, line)| line.keys.iter().copied()).collect();
        let effects = reserved::effects(&freed, Cause::NotServed, "system");
        let marks = Box::pin(async move {
            claim::assign(conn, &pairs).await?;
            reserved::release_keys(conn, unused).await
        });
        Ok(Served { lines: shared, marks, effects })
    }

    /// Keys that somebody has seen are never sold again.
    async fn take_back(
        &self,
        conn: &mut AsyncPgConnection,
        actor: &str,
        pieces: &[Piece],
    ) -> Result<BTreeSet<VariantId>, Fault> {
        let restocked: Vec<UnitId> = pieces.iter().filter(|p| p.restock_unseen).map(|p| p.unit_id).collect();
        give_back(conn, actor, &Piece::units(pieces), &restocked).await
    }
}

/// That so many keys of a variant may be sold, as SQL.
pub(super) fn free(variant: &str, pieces: &str) -> String {
    format!(
        "exists (select 1 from vault_key stocked where stocked.variant_id = {variant}.id \
           and stocked.state = 'available' and stocked.expires_at > app_now() \
           order by stocked.expires_at, stocked.pos offset {pieces} - 1 limit 1)"
    )
}

/// First what is held for the line, then keys off the end of `free`, which is reversed: the first units get them, one each.
fn share(line: &Wanted, held: &[KeyId], free: &mut Vec<KeyId>) -> LineGiven {
    let take = line.takes(held.len() + free.len());
    let mut keys: Vec<KeyId> = held.iter().copied().take(take).collect();
    let rest = take - keys.len();
    keys.extend(free.split_off(free.len() - rest).into_iter().rev());
    LineGiven { keys, ..LineGiven::first(line, take) }
}

/// What was held for a line and is not among what it got.
fn left_over(line: &Wanted, own: &OwnKeys, given: &LineGiven) -> Option<(OrderId, FreedLine)> {
    let unused = own.sellable.iter().chain(&own.expired).filter(|key| !given.keys.contains(key));
    let keys: Vec<KeyId> = unused.copied().collect();
    let Wanted { line_id, variant_id, seller_id, order_id, .. } = *line;
    (!keys.is_empty()).then_some((order_id, FreedLine { line_id, variant_id, seller_id, keys }))
}
