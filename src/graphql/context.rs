//! What every resolver knows: the features, who asks, in which language, under which request id.

use std::sync::Arc;

use async_graphql::Context;

use crate::base::actor::{Actor, Person};
use crate::base::caller;
use crate::base::error_code::ErrorCode;
use crate::base::outcome::Refusal;
use crate::base::text::Locale;
use crate::catalogue::kit::CatalogueKit;
use crate::graphql::error::{Answer, coded};
use crate::graphql::live::Live;
use crate::graphql::orders::FollowedOrders;
use crate::graphql::user_error::{FromRefusal, user_errors};
use crate::hooks::kit::HookKit;
use crate::infra::kit::Kit;
use crate::leads_to_kit;
use crate::payments::kit::PaymentKit;
use crate::people::kit::PeopleKit;

/// The features behind the schema.
pub struct GraphqlBackend {
    pub kit: Arc<Kit>,
    pub people: Arc<PeopleKit>,
    pub catalogue: Arc<CatalogueKit>,
    pub payments: Arc<PaymentKit>,
    pub hooks: Arc<HookKit>,
    pub live: Arc<Live>,
    pub followed: FollowedOrders,
}

leads_to_kit!(GraphqlBackend);

/// Who asks and how.
#[derive(Clone, Debug)]
pub struct Viewer {
    pub actor: Actor,
    pub caller: caller::Caller,
    pub locale: Locale,
}

/// Short ways to the context's parts.
pub trait ContextExt {
    fn backend(&self) -> &Arc<GraphqlBackend>;
    fn viewer(&self) -> &Viewer;

    fn actor(&self) -> &Actor {
        &self.viewer().actor
    }

    fn locale(&self) -> Locale {
        self.viewer().locale
    }

    /// Where the request came from.
    fn caller(&self) -> &caller::Caller {
        &self.viewer().caller
    }

    /// `userErrors` of a refusal, in the request's language.
    fn user_errors<E: FromRefusal>(&self, refusal: Refusal) -> Answer<Vec<E>> {
        user_errors(refusal, self.locale())
    }

    /// The signed-in person.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` for guests.
    fn person(&self) -> Answer<&Person> {
        self.actor().person.as_ref().ok_or_else(|| coded(ErrorCode::Unauthenticated, "sign in first"))
    }

    /// # Errors
    /// `FORBIDDEN` unless the caller is support or admin.
    fn staff(&self) -> Answer<&Actor> {
        if self.actor().is_staff() {
            return Ok(self.actor());
        }
        Err(coded(ErrorCode::Forbidden, "this needs the right of support"))
    }
}

impl ContextExt for Context<'_> {
    fn backend(&self) -> &Arc<GraphqlBackend> {
        self.data_unchecked()
    }

    fn viewer(&self) -> &Viewer {
        self.data_unchecked()
    }
}
