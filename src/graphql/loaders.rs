//! Reads that many fields of one request share: asked one by one, answered by one statement.

use crate::delivery;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::Context;
use async_graphql::dataloader::{DataLoader, Loader};
use chrono::{DateTime, Utc};

use crate::base::actor::Actor;
use crate::base::ids::{CaseId, FileVersionId, LineId, OrderId, ProductId, UnitId, VariantId};
use crate::base::outcome::Fault;
use crate::base::text::Locale;
use crate::catalogue::read;
use crate::catalogue::scope::Scope;
use crate::delivery::cases::{self, AnswerRow, CaseRow};
use crate::delivery::model::GrantStanding;
use crate::files;
use crate::files::model::FileVersion;
use crate::fulfilment;
use crate::fulfilment::read::ExpectedGoods;
use crate::graphql::catalogue::types::{Product, Variant};
use crate::graphql::context::GraphqlBackend;
use crate::graphql::error::{Answer, fault};
use crate::infra::db::{Purpose, within};
use crate::licences::{self, LicenceRow};
use crate::mail;
use crate::mail::read::MailTrouble;
use crate::orders::sync;
use crate::payments;
use crate::payments::accounts::store::Paused;
use crate::payments::notices::raw::KeptBody;
use crate::vault;
use crate::vault::reveal::OpenedKey;

/// The batches of one request.
pub struct Batch {
    backend: Arc<GraphqlBackend>,
    actor: Actor,
    locale: Locale,
}

/// A fault that every field of a batch gets.
#[derive(Clone)]
pub struct Shared(Arc<Fault>);

impl<E: Into<Fault>> From<E> for Shared {
    fn from(error: E) -> Self {
        Self(Arc::new(error.into()))
    }
}

type Loaders = DataLoader<Batch>;

/// Whose connections the requests of this caller use: what those who sell read may be large.
pub fn purpose_of(actor: &Actor) -> Purpose {
    let sells = actor.person.as_ref().is_some_and(|person| !person.sellers.is_empty());
    if actor.is_staff() || sells { Purpose::Reports } else { Purpose::Requests }
}

/// What one request asks of the database together.
pub fn of_request(backend: Arc<GraphqlBackend>, actor: Actor, locale: Locale) -> Loaders {
    let purpose = purpose_of(&actor);
    DataLoader::new(Batch { backend, actor, locale }, move |batch| tokio::spawn(within(purpose, batch)))
        .delay(Duration::from_micros(200))
        .max_batch_size(500)
}

macro_rules! key {
    ($($(#[doc = $doc:literal])* $name:ident($inner:ty);)*) => {$(
        $(#[doc = $doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name(pub $inner);
    )*};
}

key! {
    ProductOf(ProductId);
    VariantOf(VariantId);
    /// The newest version of each file of a variant.
    NewestFiles(VariantId);
    VersionOf(FileVersionId);
    /// The grants of a line.
    GrantsOf(LineId);
    /// What was reported of pieces of a line, and the answers.
    CasesOf(LineId);
    /// The key of a unit, opened, for its masked form.
    KeyOf(UnitId);
    /// The key of a unit as a licence.
    LicenceOf(UnitId);
    /// The devices on which the key of a unit is used.
    ActivationsOf(UnitId);
    /// When an order last changed.
    OrderChange(OrderId);
    /// When the goods of a gift were mailed.
    GiftSentOf(OrderId);
    /// Whether an order's mail came back.
    MailOf(OrderId);
    /// When goods are expected that an order waits for.
    ExpectedOf(OrderId);
    /// When a line last changed.
    LineChange(LineId);
    /// What is kept of a notice, by its number in the inbox.
    NoticeOf(i64);
    /// The ways to pay that staff has paused.
    PausedMethods(());
}

impl Loader<ProductOf> for Batch {
    type Value = Product;
    type Error = Shared;

    async fn load(&self, keys: &[ProductOf]) -> Result<HashMap<ProductOf, Product>, Shared> {
        let ids: Vec<_> = keys.iter().map(|k| k.0).collect();
        let mut conn = self.backend.db.conn().await?;
        let mut rows = read::products_by_ids(&mut conn, &Scope::Buyers, &ids, self.locale).await?;
        let scope = Scope::of(&self.actor);
        if rows.len() < ids.len() && scope != Scope::Buyers {
            rows = read::products_by_ids(&mut conn, &scope, &ids, self.locale).await?;
        }
        Ok(rows.into_iter().map(|view| (ProductOf(view.product.id), Product(Arc::new(view)))).collect())
    }
}

impl Loader<VariantOf> for Batch {
    type Value = Variant;
    type Error = Shared;

    async fn load(&self, keys: &[VariantOf]) -> Result<HashMap<VariantOf, Variant>, Shared> {
        let ids: Vec<_> = keys.iter().map(|k| k.0).collect();
        let mut conn = self.backend.db.conn().await?;
        let mut rows = read::variants_by_ids(&mut conn, &Scope::Buyers, &ids, self.locale).await?;
        let scope = Scope::of(&self.actor);
        if rows.len() < ids.len() && scope != Scope::Buyers {
            rows = read::variants_by_ids(&mut conn, &scope, &ids, self.locale).await?;
        }
        Ok(rows
            .into_iter()
            .map(|view| (VariantOf(view.variant.id), Variant::alone(Arc::new(view))))
            .collect())
    }
}

impl Loader<NewestFiles> for Batch {
    type Value = Vec<FileVersion>;
    type Error = Shared;

    async fn load(&self, keys: &[NewestFiles]) -> Result<HashMap<NewestFiles, Vec<FileVersion>>, Shared> {
        let ids: Vec<_> = keys.iter().map(|k| k.0).collect();
        let mut conn = self.backend.db.conn().await?;
        let mut files: HashMap<NewestFiles, Vec<FileVersion>> = HashMap::new();
        for (variant, file) in files::read::list_newest_of_variants(&mut conn, &ids).await? {
            files.entry(NewestFiles(variant)).or_default().push(file);
        }
        Ok(files)
    }
}

impl Loader<VersionOf> for Batch {
    type Value = FileVersion;
    type Error = Shared;

    async fn load(&self, keys: &[VersionOf]) -> Result<HashMap<VersionOf, FileVersion>, Shared> {
        let ids: Vec<_> = keys.iter().map(|k| k.0).collect();
        let mut conn = self.backend.db.conn().await?;
        let rows = files::read::list_versions(&mut conn, &ids).await?;
        Ok(rows.into_iter().map(|row| (VersionOf(row.id), row)).collect())
    }
}

impl Loader<GrantsOf> for Batch {
    type Value = Vec<GrantStanding>;
    type Error = Shared;

    async fn load(&self, keys: &[GrantsOf]) -> Result<HashMap<GrantsOf, Vec<GrantStanding>>, Shared> {
        let ids: Vec<_> = keys.iter().map(|k| k.0).collect();
        let mut conn = self.backend.db.conn().await?;
        let mut grants: HashMap<GrantsOf, Vec<GrantStanding>> = HashMap::new();
        for grant in delivery::read::list_standings_of_lines(&mut conn, &ids).await? {
            grants.entry(GrantsOf(grant.line_id)).or_default().push(grant);
        }
        Ok(grants)
    }
}

impl Loader<CasesOf> for Batch {
    type Value = Vec<(CaseRow, Vec<AnswerRow>)>;
    type Error = Shared;

    async fn load(&self, keys: &[CasesOf]) -> Result<HashMap<CasesOf, Self::Value>, Shared> {
        let ids: Vec<_> = keys.iter().map(|k| k.0).collect();
        let mut conn = self.backend.db.conn().await?;
        let rows = cases::read::list_of_lines(&mut conn, &ids).await?;
        let mut answers: HashMap<CaseId, Vec<AnswerRow>> = HashMap::new();
        if !rows.is_empty() {
            let ids: Vec<CaseId> = rows.iter().map(|row| row.id).collect();
            for answer in cases::read::list_answers(&mut conn, &ids).await? {
                answers.entry(answer.case_id).or_default().push(answer);
            }
        }
        let mut found: HashMap<CasesOf, Self::Value> = HashMap::new();
        for row in rows {
            let own = answers.remove(&row.id).unwrap_or_default();
            found.entry(CasesOf(row.line_id)).or_default().push((row, own));
        }
        Ok(found)
    }
}

impl Loader<KeyOf> for Batch {
    type Value = OpenedKey;
    type Error = Shared;

    async fn load(&self, keys: &[KeyOf]) -> Result<HashMap<KeyOf, OpenedKey>, Shared> {
        let ids: Vec<_> = keys.iter().map(|k| k.0).collect();
        let mut conn = self.backend.db.conn().await?;
        let rows = vault::reveal::open(&mut conn, &self.backend, &ids).await?;
        Ok(rows.into_iter().map(|key| (KeyOf(key.unit_id), key)).collect())
    }
}

impl Loader<LicenceOf> for Batch {
    type Value = LicenceRow;
    type Error = Shared;

    async fn load(&self, keys: &[LicenceOf]) -> Result<HashMap<LicenceOf, LicenceRow>, Shared> {
        let ids: Vec<_> = keys.iter().map(|k| k.0).collect();
        let mut conn = self.backend.db.conn().await?;
        let rows = licences::read::list_of_units(&mut conn, &ids).await?;
        Ok(rows.into_iter().filter_map(|row| Some((LicenceOf(row.unit_id?), row))).collect())
    }
}

impl Loader<ActivationsOf> for Batch {
    type Value = Vec<licences::Activation>;
    type Error = Shared;

    async fn load(
        &self,
        keys: &[ActivationsOf],
    ) -> Result<HashMap<ActivationsOf, Vec<licences::Activation>>, Shared> {
        let ids: Vec<_> = keys.iter().map(|k| k.0).collect();
        let mut conn = self.backend.db.conn().await?;
        let mut found: HashMap<ActivationsOf, Vec<licences::Activation>> = HashMap::new();
        for activation in licences::read::list_activations(&mut conn, &ids).await? {
            found.entry(ActivationsOf(activation.unit_id)).or_default().push(activation);
        }
        Ok(found)
    }
}

impl Loader<OrderChange> for Batch {
    type Value = DateTime<Utc>;
    type Error = Shared;

    async fn load(&self, keys: &[OrderChange]) -> Result<HashMap<OrderChange, DateTime<Utc>>, Shared> {
        let ids: Vec<_> = keys.iter().map(|k| k.0).collect();
        let mut conn = self.backend.db.conn().await?;
        let rows = sync::changes_of_orders(&mut conn, &ids).await?;
        Ok(rows.into_iter().map(|(id, at)| (OrderChange(id), at)).collect())
    }
}

impl Loader<PausedMethods> for Batch {
    type Value = Arc<Paused>;
    type Error = Shared;

    async fn load(&self, keys: &[PausedMethods]) -> Result<HashMap<PausedMethods, Arc<Paused>>, Shared> {
        let mut conn = self.backend.db.conn().await?;
        let paused = Arc::new(payments::accounts::store::list_paused(&mut conn).await?);
        Ok(keys.iter().map(|key| (*key, paused.clone())).collect())
    }
}

impl Loader<GiftSentOf> for Batch {
    type Value = DateTime<Utc>;
    type Error = Shared;

    async fn load(&self, keys: &[GiftSentOf]) -> Result<HashMap<GiftSentOf, DateTime<Utc>>, Shared> {
        let ids: Vec<_> = keys.iter().map(|k| k.0).collect();
        let mut conn = self.backend.db.conn().await?;
        let rows = mail::read::list_gifts_sent(&mut conn, &ids).await?;
        Ok(rows.into_iter().map(|row| (GiftSentOf(row.order_id), row.sent_at)).collect())
    }
}

impl Loader<MailOf> for Batch {
    type Value = MailTrouble;
    type Error = Shared;

    async fn load(&self, keys: &[MailOf]) -> Result<HashMap<MailOf, MailTrouble>, Shared> {
        let ids: Vec<_> = keys.iter().map(|k| k.0).collect();
        let mut conn = self.backend.db.conn().await?;
        let rows = mail::read::list_troubles(&mut conn, &ids).await?;
        Ok(rows.into_iter().map(|row| (MailOf(row.order_id), row)).collect())
    }
}

impl Loader<ExpectedOf> for Batch {
    type Value = Vec<ExpectedGoods>;
    type Error = Shared;

    async fn load(&self, keys: &[ExpectedOf]) -> Result<HashMap<ExpectedOf, Self::Value>, Shared> {
        let ids: Vec<_> = keys.iter().map(|k| k.0).collect();
        let mut conn = self.backend.db.conn().await?;
        let mut found: HashMap<ExpectedOf, Self::Value> = HashMap::new();
        for goods in fulfilment::read::list_expected(&mut conn, &ids).await? {
            found.entry(ExpectedOf(goods.order_id)).or_default().push(goods);
        }
        Ok(found)
    }
}

impl Loader<LineChange> for Batch {
    type Value = DateTime<Utc>;
    type Error = Shared;

    async fn load(&self, keys: &[LineChange]) -> Result<HashMap<LineChange, DateTime<Utc>>, Shared> {
        let ids: Vec<_> = keys.iter().map(|k| k.0).collect();
        let mut conn = self.backend.db.conn().await?;
        let rows = sync::changes_of_lines(&mut conn, &ids).await?;
        Ok(rows.into_iter().map(|(id, at)| (LineChange(id), at)).collect())
    }
}

impl Loader<NoticeOf> for Batch {
    type Value = KeptBody;
    type Error = Shared;

    async fn load(&self, keys: &[NoticeOf]) -> Result<HashMap<NoticeOf, KeptBody>, Shared> {
        let ids: Vec<_> = keys.iter().map(|k| k.0).collect();
        let mut conn = self.backend.db.conn().await?;
        let rows = payments::read::list_kept(&mut conn, &ids).await?;
        Ok(rows.into_iter().map(|(id, kept)| (NoticeOf(id), kept)).collect())
    }
}

async fn one<K>(ctx: &Context<'_>, key: K) -> Answer<Option<<Batch as Loader<K>>::Value>>
where
    K: Send + Sync + std::hash::Hash + Eq + Clone + 'static,
    Batch: Loader<K, Error = Shared>,
{
    ctx.data_unchecked::<Loaders>().load_one(key).await.map_err(failed)
}

/// What a field of a batch that failed gets.
pub fn failed(shared: Shared) -> async_graphql::Error {
    fault(match &*shared.0 {
        Fault::Bug(text) => Fault::Bug(text.clone()),
        other => Fault::Database(other.to_string()),
    })
}

/// A product, as far as the caller may see.
pub async fn product(ctx: &Context<'_>, id: ProductId) -> Answer<Option<Product>> {
    one(ctx, ProductOf(id)).await
}

/// A variant, as far as the caller may see.
pub async fn variant(ctx: &Context<'_>, id: VariantId) -> Answer<Option<Variant>> {
    one(ctx, VariantOf(id)).await
}

/// The newest version of each file of a variant.
pub async fn newest_files(ctx: &Context<'_>, id: VariantId) -> Answer<Vec<FileVersion>> {
    Ok(one(ctx, NewestFiles(id)).await?.unwrap_or_default())
}

/// A version of a file, yanked or not.
pub async fn file_version(ctx: &Context<'_>, id: FileVersionId) -> Answer<Option<FileVersion>> {
    one(ctx, VersionOf(id)).await
}

/// The grants of a line, by unit and file.
pub async fn grants(ctx: &Context<'_>, line: LineId) -> Answer<Vec<GrantStanding>> {
    Ok(one(ctx, GrantsOf(line)).await?.unwrap_or_default())
}

/// What was reported of pieces of a line, the newest first, each with its answers.
pub async fn cases(ctx: &Context<'_>, line: LineId) -> Answer<Vec<(CaseRow, Vec<AnswerRow>)>> {
    Ok(one(ctx, CasesOf(line)).await?.unwrap_or_default())
}

/// The key of a unit. The caller shows no more of it than its masked form.
pub async fn key(ctx: &Context<'_>, unit: UnitId) -> Answer<Option<OpenedKey>> {
    one(ctx, KeyOf(unit)).await
}

/// The key of a unit as a licence.
pub async fn licence(ctx: &Context<'_>, unit: UnitId) -> Answer<Option<LicenceRow>> {
    one(ctx, LicenceOf(unit)).await
}

/// The devices on which the key of a unit is used.
pub async fn activations(ctx: &Context<'_>, unit: UnitId) -> Answer<Vec<licences::Activation>> {
    Ok(one(ctx, ActivationsOf(unit)).await?.unwrap_or_default())
}

/// When an order last changed.
pub async fn order_change(ctx: &Context<'_>, id: OrderId) -> Answer<Option<DateTime<Utc>>> {
    one(ctx, OrderChange(id)).await
}

/// When the last mail with a gift's goods went to its recipient.
pub async fn gift_sent(ctx: &Context<'_>, id: OrderId) -> Answer<Option<DateTime<Utc>>> {
    one(ctx, GiftSentOf(id)).await
}

/// What keeps an order's mail with goods from its reader, if anything does.
pub async fn mail_trouble(ctx: &Context<'_>, id: OrderId) -> Answer<Option<MailTrouble>> {
    one(ctx, MailOf(id)).await
}

/// When goods are expected that an order waits for.
pub async fn expected_goods(ctx: &Context<'_>, id: OrderId) -> Answer<Vec<ExpectedGoods>> {
    Ok(one(ctx, ExpectedOf(id)).await?.unwrap_or_default())
}

/// When a line last changed.
pub async fn line_change(ctx: &Context<'_>, id: LineId) -> Answer<Option<DateTime<Utc>>> {
    one(ctx, LineChange(id)).await
}

/// The ways to pay that staff has paused, by their accounts.
pub async fn paused_methods(ctx: &Context<'_>) -> Answer<Arc<Paused>> {
    Ok(one(ctx, PausedMethods(())).await?.unwrap_or_default())
}

/// What is kept of a notice, card numbers masked; for admins.
pub async fn notice(ctx: &Context<'_>, id: i64) -> Answer<Option<KeptBody>> {
    one(ctx, NoticeOf(id)).await
}
