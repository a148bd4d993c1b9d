use std::collections::HashMap;

use async_trait::async_trait;
use diesel_async::AsyncPgConnection;

use crate::base::clock::Clock;
use crate::base::ids::{KeyId, VariantId};
use crate::base::outcome::Fault;
use crate::base::text::Locale;
use crate::goods::kind::{Facts, Given, GoodsKind, Promise, Supply, Wanted};
use crate::vault::claim::{self, Want};

/// A unique secret: a licence key, a voucher code.
pub(super) struct UniqueKey;

#[async_trait]
impl GoodsKind for UniqueKey {
    fn code(&self) -> &'static str {
        "key"
    }

    fn title(&self, locale: Locale) -> &'static str {
        match locale {
            Locale::En => "Licence key",
            Locale::Zh => "激活码",
        }
    }

    /// Keys may come later: the product is then sold out until they do.
    fn lacks(&self, _facts: &Facts) -> Option<&'static str> {
        None
    }

    fn promise(&self, locale: Locale) -> Promise {
        let text = match locale {
            Locale::En => "Shown and mailed as soon as the payment is confirmed",
            Locale::Zh => "付款确认后立即显示并发送邮件",
        };
        Promise { instant: true, within_seconds: Some(60), text }
    }

    fn supply(&self) -> Supply {
        Supply::Keys
    }

    /// Claims keys for all lines at once and shares them out in the order of the lines.
    async fn assign(
        &self,
        conn: &AsyncPgConnection,
        _clock: &Clock,
        lines: &[Wanted],
    ) -> Result<Vec<Given>, Fault> {
        let wants: Vec<Want> =
            lines.iter().map(|l| Want { variant_id: l.variant_id, count: l.units.len() as i64 }).collect();
        let claimed = claim::claim(conn, &wants).await?;
        let mut free: HashMap<VariantId, Vec<KeyId>> =
            claimed.into_iter().map(|c| (c.variant_id, c.key_ids.into_iter().rev().collect())).collect();
        Ok(lines.iter().map(|line| share(line, free.entry(line.variant_id).or_default())).collect())
    }
}

/// All or none, unless the product allows partial delivery. Takes keys off the end of `free`, which lies reversed.
fn share(line: &Wanted, free: &mut Vec<KeyId>) -> Given {
    let enough = free.len() >= line.units.len();
    let take = if enough || line.partial_delivery { line.units.len().min(free.len()) } else { 0 };
    let keys = free.split_off(free.len() - take);
    Given {
        assigned: line.units.iter().copied().zip(keys.into_iter().rev().map(Some)).collect(),
        awaiting_stock: line.units[take..].to_vec(),
        awaiting_person: Vec::new(),
    }
}
