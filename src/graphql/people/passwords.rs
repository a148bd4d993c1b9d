use async_graphql::{Context, Object};

use crate::base::secret::Secret;
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Answer, split};
use crate::graphql::people::inputs::{
    PasswordChangeInput, PasswordChangePayload, PasswordResetInput, PasswordResetPayload,
    PasswordResetRequestInput, PasswordResetRequestPayload, ProfileUpdateInput, ProfileUpdatePayload,
};
use crate::graphql::people::mutations::demand;
use crate::graphql::people::types::{self, User};
use crate::people;
use crate::people::captcha::Gate;

/// Passwords and profiles.
#[derive(Default)]
pub struct PasswordMutation;

#[Object]
impl PasswordMutation {
    /// Mails a code that sets a new password, when the address has an account.
    async fn password_reset_request(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose password.")] input: PasswordResetRequestInput,
    ) -> Answer<PasswordResetRequestPayload> {
        let done = async {
            demand(ctx, Gate::PasswordResetRequest, input.captcha_token.as_deref()).await?;
            people::request_password_reset(&ctx.backend().people, ctx.caller(), &input.email).await
        };
        Ok(match split(done.await)? {
            Ok(()) => PasswordResetRequestPayload::default(),
            Err(refusal) => PasswordResetRequestPayload { user_errors: ctx.user_errors(refusal)? },
        })
    }

    /// Sets a new password by a mailed code. Every session ends.
    async fn password_reset(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The code and the new password.")] input: PasswordResetInput,
    ) -> Answer<PasswordResetPayload> {
        let (code, password) = (Secret::new(input.code), Secret::new(input.password));
        let done =
            people::reset_password(&ctx.backend().people, ctx.caller(), &input.email, &code, &password).await;
        Ok(match split(done)? {
            Ok(_) => PasswordResetPayload::default(),
            Err(refusal) => PasswordResetPayload { user_errors: ctx.user_errors(refusal)? },
        })
    }

    /// Sets a new password for who knows the old one.
    async fn password_change(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Both passwords.")] input: PasswordChangeInput,
    ) -> Answer<PasswordChangePayload> {
        let person = ctx.person()?;
        let (current, password) = (Secret::new(input.current_password), Secret::new(input.password));
        let done =
            people::change_password(&ctx.backend().people, ctx.caller(), person, &current, &password).await;
        Ok(match split(done)? {
            Ok(()) => PasswordChangePayload {
                user: types::find(ctx, person.user_id).await?,
                user_errors: Vec::new(),
            },
            Err(refusal) => PasswordChangePayload { user: None, user_errors: ctx.user_errors(refusal)? },
        })
    }

    /// Changes one's name and language.
    async fn profile_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What changes.")] input: ProfileUpdateInput,
    ) -> Answer<ProfileUpdatePayload> {
        let locale = input.locale.as_ref().map(|l| l.0.as_str());
        let done = people::update_profile(ctx.backend(), ctx.person()?, input.name.as_deref(), locale).await;
        Ok(match split(done)? {
            Ok(profile) => ProfileUpdatePayload { user: Some(User(profile)), user_errors: Vec::new() },
            Err(refusal) => ProfileUpdatePayload { user: None, user_errors: ctx.user_errors(refusal)? },
        })
    }
}
