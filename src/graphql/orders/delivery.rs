use async_graphql::{Context, Enum, ID, Interface, Object};

use crate::base::ids::LineId;
use crate::delivery::access::{self, GrantShown};
use crate::delivery::model::GrantStanding;
use crate::goods::{self, Supply};
use crate::graphql::catalogue::FileVersion;
use crate::graphql::error::{Answer, fault};
use crate::graphql::loaders;
use crate::graphql::orders::licence::Licence;
use crate::graphql::orders::line::OrderLine;
use crate::graphql::scalars::DateTime;
use crate::licences::verdict;
use crate::orders::access::AccessLevel;
use crate::orders::{Unit, UnitState};

/// How far one piece has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum DeliveryState {
    /// Not delivered yet.
    Pending,
    /// Delivered, not seen yet.
    Ready,
    /// Delivered and seen.
    Revealed,
    /// Another one took its place.
    Replaced,
    /// Taken back.
    Revoked,
    /// Given up before it was delivered.
    Cancelled,
}

/// What was delivered, by what a screen must do with it. `kind` is an open code: a client that does not know one still
/// shows title and state.
#[allow(clippy::duplicated_attributes)] // Of the derive's own.
#[derive(Clone, Interface)]
#[graphql(
    field(name = "id", ty = "ID", desc = "The delivery's id."),
    field(name = "kind", ty = "String", desc = "Open code of the kind of goods."),
    field(name = "title", ty = "String", desc = "What it is called."),
    field(name = "unit", ty = "i32", desc = "Its number within the line, from 1."),
    field(name = "state", ty = "DeliveryState", desc = "How far it has come."),
    field(name = "delivered_at", ty = "Option<DateTime>", desc = "When it was delivered."),
    field(
        name = "expires_at",
        ty = "Answer<Option<DateTime>>",
        desc = "When it ends; null when it does not."
    ),
    field(name = "replaced_by", ty = "Option<ID>", desc = "The delivery that took its place.")
)]
pub enum Delivery {
    Secret(SecretDelivery),
    File(FileDelivery),
}

impl Delivery {
    pub fn of(line: &OrderLine, unit: Unit) -> Self {
        let piece = Piece { line: line.clone(), unit };
        match goods::supply(&piece.line.line().line.kind) {
            Some(Supply::Files) => Delivery::File(FileDelivery(piece)),
            _ => Delivery::Secret(SecretDelivery(piece)),
        }
    }
}

/// One piece with the line it belongs to.
#[derive(Clone, Debug)]
struct Piece {
    line: OrderLine,
    unit: Unit,
}

impl Piece {
    fn state(&self) -> DeliveryState {
        match self.unit.state {
            UnitState::Unassigned
            | UnitState::AwaitingStock
            | UnitState::AwaitingSupplier
            | UnitState::AwaitingPerson => DeliveryState::Pending,
            UnitState::Assigned => DeliveryState::Ready,
            UnitState::Revealed => DeliveryState::Revealed,
            UnitState::Replaced => DeliveryState::Replaced,
            UnitState::Revoked => DeliveryState::Revoked,
            UnitState::Cancelled => DeliveryState::Cancelled,
        }
    }

    fn title(&self) -> String {
        let line = &self.line.line().line;
        match line.variant_title.is_empty() || line.variant_title == line.title {
            true => line.title.clone(),
            false => format!("{} · {}", line.title, line.variant_title),
        }
    }

    fn kind(&self) -> String {
        self.line.line().line.kind.clone()
    }

    /// Only its buyer, a gift's recipient in the buyer's place, and staff see more than its state.
    fn whole(&self) -> bool {
        match self.line.whole.access_level {
            AccessLevel::Status => false,
            AccessLevel::Buyer => self.line.whole.gift.is_none(),
            AccessLevel::Recipient | AccessLevel::Staff => true,
        }
    }
}

/// A key, a shared secret, a code: shown in the clear by `deliveryReveal` alone.
#[derive(Clone, Debug)]
pub struct SecretDelivery(Piece);

impl SecretDelivery {
    pub fn of(line: OrderLine, unit: Unit) -> Self {
        Self(Piece { line, unit })
    }
}

/// A key, a shared secret, a code: shown in the clear by `deliveryReveal` alone.
#[Object]
impl SecretDelivery {
    /// The delivery's id.
    pub async fn id(&self) -> ID {
        self.0.unit.id.into()
    }

    /// Open code of the kind of goods.
    async fn kind(&self) -> String {
        self.0.kind()
    }

    /// What it is called.
    async fn title(&self) -> String {
        self.0.title()
    }

    /// Its number within the line, from 1.
    async fn unit(&self) -> i32 {
        self.0.unit.unit_no
    }

    /// How far it has come.
    async fn state(&self) -> DeliveryState {
        self.0.state()
    }

    /// When it was delivered.
    async fn delivered_at(&self) -> Option<DateTime> {
        self.0.unit.assigned_at.map(Into::into)
    }

    /// When it ends; null when it does not.
    async fn expires_at(&self, ctx: &Context<'_>) -> Answer<Option<DateTime>> {
        if !self.0.unit.state.is_delivered() {
            return Ok(None);
        }
        Ok(loaders::key(ctx, self.0.unit.id).await?.and_then(|key| key.expires_at).map(Into::into))
    }

    /// The delivery that took its place.
    async fn replaced_by(&self) -> Option<ID> {
        self.0.unit.superseded_by.map(Into::into)
    }

    /// Enough to distinguish one's keys, too little to use one; empty until it is delivered.
    async fn masked(&self, ctx: &Context<'_>) -> Answer<String> {
        if !self.0.unit.state.is_delivered() || !self.0.whole() {
            return Ok(String::new());
        }
        Ok(loaders::key(ctx, self.0.unit.id).await?.map(|key| key.masked()).unwrap_or_default())
    }

    /// When its buyer first saw it.
    async fn revealed_at(&self) -> Option<DateTime> {
        self.0.unit.revealed_at.map(Into::into)
    }

    /// The devices on which a key is used; null until it is delivered, and for what is no licence.
    async fn licence(&self, ctx: &Context<'_>) -> Answer<Option<Licence>> {
        let is_key = goods::supply(&self.0.line.line().line.kind) == Some(Supply::Keys);
        if !is_key || !self.0.whole() {
            return Ok(None);
        }
        Ok(loaders::licence(ctx, self.0.unit.id).await?.filter(verdict::is_licence).map(Licence))
    }
}

/// Files to download.
#[derive(Clone, Debug)]
pub struct FileDelivery(Piece);

/// Files to download.
#[Object]
impl FileDelivery {
    /// The delivery's id.
    pub async fn id(&self) -> ID {
        self.0.unit.id.into()
    }

    /// Open code of the kind of goods.
    async fn kind(&self) -> String {
        self.0.kind()
    }

    /// What it is called.
    async fn title(&self) -> String {
        self.0.title()
    }

    /// Its number within the line, from 1.
    async fn unit(&self) -> i32 {
        self.0.unit.unit_no
    }

    /// How far it has come.
    async fn state(&self) -> DeliveryState {
        self.0.state()
    }

    /// When it was delivered.
    async fn delivered_at(&self) -> Option<DateTime> {
        self.0.unit.assigned_at.map(Into::into)
    }

    /// When it ends; null when it does not.
    async fn expires_at(&self, ctx: &Context<'_>) -> Answer<Option<DateTime>> {
        Ok(self.standings(ctx).await?.iter().filter_map(|g| g.expires_at).max().map(Into::into))
    }

    /// The delivery that took its place.
    async fn replaced_by(&self) -> Option<ID> {
        self.0.unit.superseded_by.map(Into::into)
    }

    /// The files; at most 100.
    async fn grants(&self, ctx: &Context<'_>) -> Answer<Vec<DownloadGrant>> {
        Ok(self.standings(ctx).await?.into_iter().map(DownloadGrant).collect())
    }
}

impl FileDelivery {
    async fn standings(&self, ctx: &Context<'_>) -> Answer<Vec<GrantStanding>> {
        if !self.0.whole() {
            return Ok(Vec::new());
        }
        let line: LineId = self.0.unit.line_id;
        let all = loaders::grants(ctx, line).await?;
        Ok(all.into_iter().filter(|g| g.unit_id == self.0.unit.id).collect())
    }
}

/// Whether a file may be downloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum GrantState {
    /// It may.
    Active,
    /// It was downloaded as often as it may.
    Exhausted,
    /// Its time is over.
    Expired,
    /// It was taken back.
    Revoked,
    /// It is not paid for, or not delivered yet.
    NotYet,
}

/// The right to download one file.
#[derive(Clone, Debug)]
pub struct DownloadGrant(pub GrantStanding);

/// The right to download one file.
#[Object]
impl DownloadGrant {
    /// The grant's id.
    pub async fn id(&self) -> ID {
        self.0.grant_id.into()
    }

    /// Whether it may be used.
    async fn state(&self) -> GrantState {
        match access::shown(&self.0) {
            GrantShown::Active => GrantState::Active,
            GrantShown::Exhausted => GrantState::Exhausted,
            GrantShown::Expired => GrantState::Expired,
            GrantShown::Revoked => GrantState::Revoked,
            GrantShown::NotYet => GrantState::NotYet,
        }
    }

    /// Whether `downloadLinkCreate` gives a link now.
    async fn can_download(&self) -> bool {
        access::may_download(&self.0).is_ok()
    }

    /// How many downloads are left; null is as many as one likes.
    async fn remaining(&self) -> Option<i32> {
        access::remaining(&self.0)
    }

    /// How many downloads were begun.
    async fn used(&self) -> i32 {
        self.0.used
    }

    /// When it ends; null when it does not.
    async fn expires_at(&self) -> Option<DateTime> {
        self.0.expires_at.map(Into::into)
    }

    /// The version one gets now.
    async fn file(&self, ctx: &Context<'_>) -> Answer<FileVersion> {
        let id = self.0.current_version_id.unwrap_or(self.0.bought_version_id);
        let missing = || fault(crate::base::outcome::Fault::bug("a grant without its file version"));
        loaders::file_version(ctx, id).await?.map(FileVersion).ok_or_else(missing)
    }

    /// A later version that does not belong to the purchase; null when there is none.
    async fn newer_version(&self, ctx: &Context<'_>) -> Answer<Option<FileVersion>> {
        let own = self.0.current_version_id.unwrap_or(self.0.bought_version_id);
        match self.0.newest_version_id.filter(|newest| *newest != own) {
            Some(newest) => Ok(loaders::file_version(ctx, newest).await?.map(FileVersion)),
            None => Ok(None),
        }
    }

    /// The line it belongs to.
    async fn line_id(&self) -> ID {
        self.0.line_id.into()
    }
}
