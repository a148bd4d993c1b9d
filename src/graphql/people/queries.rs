use async_graphql::{Context, Object};

use crate::graphql::context::ContextExt;
use crate::graphql::error::Answer;
use crate::graphql::people::types::{self, User};

/// Questions about oneself.
#[derive(Default)]
pub struct PeopleQuery;

#[Object]
impl PeopleQuery {
    /// The signed-in person; null for guests.
    async fn me(&self, ctx: &Context<'_>) -> Answer<Option<User>> {
        match ctx.actor().user_id() {
            Some(id) => types::find(ctx, id).await,
            None => Ok(None),
        }
    }
}
