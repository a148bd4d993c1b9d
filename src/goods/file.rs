use std::collections::{BTreeSet, HashMap, HashSet};

use async_trait::async_trait;
use chrono::TimeDelta;
use diesel::QueryResult;
use diesel_async::AsyncPgConnection;

use crate::base::clock::Clock;
use crate::base::ids::{UnitId, VariantId};
use crate::base::outcome::Fault;
use crate::base::text::Locale;
use crate::files::grant::{grant, revoke};
use crate::files::model::GrantWant;
use crate::goods::kind::{
    AskedVariant, Available, Given, GoodsKind, LineGiven, Piece, Promise, Served, Supply, Wanted,
};
use crate::goods::read;
use crate::infra::effects::Effects;

pub const CODE: &str = "file";

/// One file or several, downloaded as often as the variant allows.
pub(super) struct Files;

#[async_trait]
impl GoodsKind for Files {
    fn code(&self) -> &'static str {
        CODE
    }

    fn title(&self, locale: Locale) -> &'static str {
        match locale {
            Locale::En => "Download",
            Locale::Zh => "下载",
        }
    }

    fn lacks(&self, available: Available) -> Option<&'static str> {
        (available == Available::Missing).then_some("no file has a published version")
    }

    fn promise(&self, locale: Locale) -> Promise {
        let text = match locale {
            Locale::En => "Ready to download as soon as the payment is confirmed",
            Locale::Zh => "付款确认后即可下载",
        };
        Promise { instant: true, within_seconds: Some(60), text }
    }

    fn supply(&self) -> Supply {
        Supply::Files
    }

    fn secret(&self, _locale: Locale) -> Option<(&'static str, &'static str)> {
        None
    }

    async fn available(
        &self,
        conn: &mut AsyncPgConnection,
        asked: &[AskedVariant<'_>],
    ) -> QueryResult<HashMap<VariantId, Available>> {
        let published = read::list_published(conn, asked.iter().map(|one| one.variant_id)).await?;
        let of = |variant| match published.contains(variant) {
            true => Available::Endless,
            false => Available::Missing,
        };
        Ok(asked.iter().map(|one| (one.variant_id, of(&one.variant_id))).collect())
    }

    fn stocked(&self, variant: &str, _pieces: &str) -> String {
        format!(
            "exists (select 1 from file stocked join file_version version on version.file_id = stocked.id \
               where stocked.variant_id = {variant}.id and version.yanked_at is null)"
        )
    }

    fn ready(&self, variant: &str, pieces: &str) -> String {
        self.stocked(variant, pieces)
    }

    /// Gives each unit the right to download. A variant without any file that may be served leaves its units to a person.
    async fn assign<'a>(
        &self,
        conn: &'a AsyncPgConnection,
        clock: &Clock,
        lines: &[Wanted],
    ) -> Result<Served<'a>, Fault> {
        let now = clock.now();
        let want = |line: &Wanted, unit_id: UnitId| GrantWant {
            unit_id,
            line_id: line.line_id,
            order_id: line.order_id,
            seller_id: line.seller_id,
            variant_id: line.variant_id,
            max_downloads: line.terms.download_limit,
            expires_at: line.terms.access_days.map(|days| now + TimeDelta::days(i64::from(days))),
            bind_address: line.bind_address,
        };
        let wants: Vec<GrantWant> =
            lines.iter().flat_map(|line| line.units.iter().map(move |unit| want(line, *unit))).collect();
        let (granted, events) = grant(conn, clock, &wants).await?;
        let with: HashSet<UnitId> = granted.iter().map(|grant| grant.unit_id).collect();
        let given = |unit: &UnitId| if with.contains(unit) { Given::Assigned } else { Given::AwaitPerson };
        let of_line =
            |line: &Wanted| LineGiven { units: line.units.iter().map(given).collect(), keys: Vec::new() };
        let effects = Effects { events, ..Effects::default() };
        Ok(Served { effects, ..Served::plain(lines.iter().map(of_line).collect()) })
    }

    async fn take_back(
        &self,
        conn: &mut AsyncPgConnection,
        actor: &str,
        pieces: &[Piece],
    ) -> Result<BTreeSet<VariantId>, Fault> {
        revoke(conn, &Piece::units(pieces), actor).await?;
        // There is no end to what can be had of a file.
        Ok(BTreeSet::new())
    }
}
