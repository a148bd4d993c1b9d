use async_trait::async_trait;
use chrono::TimeDelta;
use diesel_async::AsyncPgConnection;

use crate::base::clock::Clock;
use crate::base::ids::UnitId;
use crate::base::outcome::Fault;
use crate::base::text::Locale;
use crate::downloads::grant::grant;
use crate::downloads::model::GrantWant;
use crate::goods::kind::{Facts, Given, GoodsKind, Promise, Supply, Wanted};

/// One file or several, downloaded as often as the variant allows.
pub(super) struct Files;

#[async_trait]
impl GoodsKind for Files {
    fn code(&self) -> &'static str {
        "file"
    }

    fn title(&self, locale: Locale) -> &'static str {
        match locale {
            Locale::En => "Download",
            Locale::Zh => "下载",
        }
    }

    fn lacks(&self, facts: &Facts) -> Option<&'static str> {
        (facts.published_files == 0).then_some("no file has a published version")
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

    /// Gives each unit the right to download. A variant without any file that may be served leaves its units to a person.
    async fn assign(
        &self,
        conn: &AsyncPgConnection,
        clock: &Clock,
        lines: &[Wanted],
    ) -> Result<Vec<Given>, Fault> {
        let now = clock.now();
        let want = |line: &Wanted, unit_id: UnitId| GrantWant {
            unit_id,
            line_id: line.line_id,
            order_id: line.order_id,
            seller_id: line.seller_id,
            variant_id: line.variant_id,
            max_downloads: line.download_limit,
            expires_at: line.access_days.map(|days| now + TimeDelta::days(i64::from(days))),
        };
        let wants: Vec<GrantWant> =
            lines.iter().flat_map(|line| line.units.iter().map(move |unit| want(line, *unit))).collect();
        let granted: Vec<UnitId> =
            grant(conn, clock, &wants).await?.into_iter().map(|grant| grant.unit_id).collect();
        Ok(lines.iter().map(|line| share(line, &granted)).collect())
    }
}

fn share(line: &Wanted, granted: &[UnitId]) -> Given {
    let (with, without): (Vec<UnitId>, Vec<UnitId>) = line.units.iter().partition(|u| granted.contains(u));
    Given {
        assigned: with.into_iter().map(|unit| (unit, None)).collect(),
        awaiting_stock: Vec::new(),
        awaiting_person: without,
    }
}
