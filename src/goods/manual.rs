use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use diesel::QueryResult;
use diesel_async::AsyncPgConnection;

use crate::base::clock::Clock;
use crate::base::ids::VariantId;
use crate::base::outcome::Fault;
use crate::base::text::Locale;
use crate::goods::kind::{AskedVariant, Available, GoodsKind, Piece, Promise, Served, Supply, Wanted};
use crate::vault::secrets;

pub const CODE: &str = "manual";

/// What a person makes for each buyer: a top-up, a service, a text of its own.
pub(super) struct ByHand;

#[async_trait]
impl GoodsKind for ByHand {
    fn code(&self) -> &'static str {
        CODE
    }

    fn title(&self, locale: Locale) -> &'static str {
        match locale {
            Locale::En => "Delivered by a person",
            Locale::Zh => "人工交付",
        }
    }

    fn lacks(&self, _available: Available) -> Option<&'static str> {
        None
    }

    fn promise(&self, locale: Locale) -> Promise {
        let text = match locale {
            Locale::En => "Made for you by a person after the payment is confirmed",
            Locale::Zh => "付款确认后由专人为您处理",
        };
        Promise { instant: false, within_seconds: None, text }
    }

    fn supply(&self) -> Supply {
        Supply::Person
    }

    fn secret(&self, locale: Locale) -> Option<(&'static str, &'static str)> {
        let name = match locale {
            Locale::En => "Delivery",
            Locale::Zh => "交付内容",
        };
        Some(("text", name))
    }

    async fn available(
        &self,
        _conn: &mut AsyncPgConnection,
        asked: &[AskedVariant<'_>],
    ) -> QueryResult<HashMap<VariantId, Available>> {
        Ok(asked.iter().map(|one| (one.variant_id, Available::Endless)).collect())
    }

    fn stocked(&self, _variant: &str, _pieces: &str) -> String {
        "true".into()
    }

    fn ready(&self, _variant: &str, _pieces: &str) -> String {
        "false".into()
    }

    /// Nothing is there before a person has made it.
    async fn assign<'a>(
        &self,
        _conn: &'a AsyncPgConnection,
        _clock: &Clock,
        lines: &[Wanted],
    ) -> Result<Served<'a>, Fault> {
        Ok(Served::by_a_person(lines))
    }

    /// What a person made was made for this buyer: nobody else can have it.
    async fn take_back(
        &self,
        conn: &mut AsyncPgConnection,
        _actor: &str,
        pieces: &[Piece],
    ) -> Result<BTreeSet<VariantId>, Fault> {
        secrets::advance_taken_back(conn, &Piece::units(pieces)).await?;
        Ok(BTreeSet::new())
    }
}
