use async_graphql::{Context, Enum, ID, Object, SimpleObject};

use crate::base::actor;
use crate::base::ids::SessionId;
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Answer, OutcomeExt};
use crate::graphql::scalars::{DateTime, LocaleTag};
use crate::people::{self, Profile};

/// What a person may do in the shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "actor::Role")]
pub enum Role {
    /// Buys.
    Buyer,
    /// Sells: products, keys and files of the sellers the person acts for.
    Seller,
    /// Helps buyers: orders, tasks, notices.
    Support,
    /// May everything.
    Admin,
}

/// A person.
#[derive(Clone, Debug)]
pub struct User(pub Profile);

/// A person. Others than oneself are shown to staff alone.
#[Object]
impl User {
    /// The person's id.
    pub async fn id(&self) -> ID {
        self.0.user.id.into()
    }

    /// The mail address as it was typed.
    async fn email(&self) -> &str {
        &self.0.user.email
    }

    /// Whether the person showed to read that mailbox.
    async fn email_confirmed(&self) -> bool {
        self.0.user.email_confirmed_at.is_some()
    }

    /// What the person wants to be called.
    async fn name(&self) -> Option<&str> {
        self.0.user.name.as_deref()
    }

    /// The language of mails.
    async fn locale(&self) -> LocaleTag {
        LocaleTag(self.0.user.locale.clone())
    }

    /// What the person may do.
    async fn roles(&self) -> Vec<Role> {
        self.0.roles.iter().map(|role| (*role).into()).collect()
    }

    /// The devices that are signed in, the one used last first; oneself's alone, empty for others.
    async fn sessions(&self, ctx: &Context<'_>) -> Answer<Vec<Session>> {
        let Some(person) = ctx.actor().person.as_ref().filter(|p| p.user_id == self.0.user.id) else {
            return Ok(Vec::new());
        };
        let mut conn = ctx.backend().db.conn().await.or_top()?;
        let rows = people::read::sessions(&mut conn, person.user_id).await.or_top()?;
        Ok(rows.into_iter().map(|row| Session::new(row, person.session_id)).collect())
    }

    /// When the account was made.
    async fn created_at(&self) -> DateTime {
        self.0.user.created_at.into()
    }
}

/// A sign-in on a device.
#[derive(Clone, Debug, SimpleObject)]
pub struct Session {
    /// The session's id.
    #[graphql(owned)]
    pub id: ID,
    /// The one that asks.
    pub current: bool,
    /// What the person recognises it by.
    pub device: String,
    /// When it was signed in.
    pub created_at: DateTime,
    /// When it was last used, to the refresh.
    pub last_used_at: DateTime,
}

impl Session {
    pub fn new(row: people::Session, current: SessionId) -> Self {
        Self {
            id: row.id.into(),
            current: row.id == current,
            device: row.device,
            created_at: row.created_at.into(),
            last_used_at: row.last_used_at.into(),
        }
    }
}

/// What a device keeps to stay signed in.
#[derive(Clone, Debug, SimpleObject)]
pub struct Tokens {
    /// Goes into `Authorization: Bearer`; lives minutes.
    pub access_token: String,
    /// When it ends.
    pub access_expires_at: DateTime,
    /// Gives the next tokens, once.
    pub refresh_token: String,
    /// When it ends, if it is not used.
    pub refresh_expires_at: DateTime,
}

impl From<people::Tokens> for Tokens {
    fn from(tokens: people::Tokens) -> Self {
        Self {
            access_token: tokens.access.expose().to_owned(),
            access_expires_at: tokens.access_expires_at.into(),
            refresh_token: tokens.refresh.expose().to_owned(),
            refresh_expires_at: tokens.refresh_expires_at.into(),
        }
    }
}

/// The person of this id, for payloads.
pub async fn find(ctx: &Context<'_>, id: crate::base::ids::UserId) -> Answer<Option<User>> {
    let mut conn = ctx.backend().db.conn().await.or_top()?;
    Ok(people::read::profile(&mut conn, id).await.or_top()?.map(User))
}
