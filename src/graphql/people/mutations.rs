use async_graphql::{Context, Object};

use crate::base::ids::{SessionId, UserId};
use crate::base::outcome::Outcome;
use crate::base::secret::Secret;
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Answer, split};
use crate::graphql::id;
use crate::graphql::people::inputs::{
    EmailConfirmationResendInput, EmailConfirmationResendPayload, SessionCreateInput, SessionPayload,
    SessionRefreshInput, SessionRevokeAllPayload, SessionRevokeInput, SessionRevokePayload,
    UserConfirmEmailInput, UserConfirmEmailPayload, UserRegisterInput, UserRegisterPayload,
    UserSetRolesInput, UserSetRolesPayload,
};
use crate::graphql::people::types::{self, User};
use crate::people::captcha::{self, Gate};
use crate::people::{self, Registration, SignIn, SignedIn};

/// Registering, signing in and out, roles.
#[derive(Default)]
pub struct PeopleMutation;

#[Object]
impl PeopleMutation {
    /// Registers a buyer: mails a code to the address, which makes the account when it is confirmed.
    async fn user_register(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who registers.")] input: UserRegisterInput,
    ) -> Answer<UserRegisterPayload> {
        let registration = Registration {
            email: input.email,
            password: Secret::new(input.password),
            name: input.name,
            locale: input.locale.map(|l| l.0),
        };
        let done = async {
            demand(ctx, Gate::UserRegister, input.captcha_token.as_deref()).await?;
            people::register(&ctx.backend().people, ctx.caller(), registration).await
        };
        Ok(match split(done.await)? {
            Ok(name) => UserRegisterPayload { registration: Some(name), user_errors: Vec::new() },
            Err(refusal) => {
                UserRegisterPayload { registration: None, user_errors: ctx.user_errors(refusal)? }
            }
        })
    }

    /// Confirms an address by the code that was mailed to it.
    async fn user_confirm_email(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The address and its code.")] input: UserConfirmEmailInput,
    ) -> Answer<UserConfirmEmailPayload> {
        let code = Secret::new(input.code);
        let confirmed = people::confirm_email(
            ctx.backend(),
            ctx.caller(),
            &input.email,
            &code,
            input.registration.as_deref(),
        );
        Ok(match split(confirmed.await)? {
            Ok(_) => UserConfirmEmailPayload::default(),
            Err(refusal) => UserConfirmEmailPayload { user_errors: ctx.user_errors(refusal)? },
        })
    }

    /// Mails another code when the address has an account that is not confirmed.
    async fn email_confirmation_resend(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The address.")] input: EmailConfirmationResendInput,
    ) -> Answer<EmailConfirmationResendPayload> {
        let done = async {
            demand(ctx, Gate::EmailConfirmationResend, input.captcha_token.as_deref()).await?;
            let registration = input.registration.as_deref();
            people::resend_confirmation(ctx.backend(), ctx.caller(), &input.email, registration).await
        };
        Ok(match split(done.await)? {
            Ok(()) => EmailConfirmationResendPayload::default(),
            Err(refusal) => EmailConfirmationResendPayload { user_errors: ctx.user_errors(refusal)? },
        })
    }

    /// Signs in on this device.
    async fn session_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who signs in.")] input: SessionCreateInput,
    ) -> Answer<SessionPayload> {
        let sign_in =
            SignIn { email: input.email, password: Secret::new(input.password), device: input.device };
        let done = async {
            demand(ctx, Gate::SessionCreate, input.captcha_token.as_deref()).await?;
            people::sign_in(&ctx.backend().people, ctx.caller(), sign_in).await
        };
        signed_in(ctx, done.await).await
    }

    /// Gives the next tokens. May be repeated until the new tokens were used: a lost answer signs nobody out.
    async fn session_refresh(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The token to spend.")] input: SessionRefreshInput,
    ) -> Answer<SessionPayload> {
        let token = Secret::new(input.refresh_token);
        signed_in(ctx, people::refresh(&ctx.backend().people, &token).await).await
    }

    /// Signs out one device.
    async fn session_revoke(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which one.")] input: SessionRevokeInput,
    ) -> Answer<SessionRevokePayload> {
        let done = match (&input.refresh_token, &input.session_id) {
            (Some(token), _) => {
                people::revoke_session_of_token(ctx.backend(), &Secret::new(token.clone())).await
            }
            (None, Some(session)) => match id::read(session, "sessionId", SessionId::parse) {
                Ok(session) => people::revoke_session(ctx.backend(), ctx.person()?, Some(session)).await,
                Err(refusal) => Err(refusal.into()),
            },
            (None, None) => people::revoke_session(ctx.backend(), ctx.person()?, None).await,
        };
        Ok(match split(done)? {
            Ok(()) => SessionRevokePayload::default(),
            Err(refusal) => SessionRevokePayload { user_errors: ctx.user_errors(refusal)? },
        })
    }

    /// Signs out everywhere, here too.
    async fn session_revoke_all(&self, ctx: &Context<'_>) -> Answer<SessionRevokeAllPayload> {
        Ok(match split(people::revoke_all_sessions(ctx.backend(), ctx.person()?).await)? {
            Ok(revoked) => SessionRevokeAllPayload {
                revoked: i32::try_from(revoked).unwrap_or(i32::MAX),
                user_errors: Vec::new(),
            },
            Err(refusal) => SessionRevokeAllPayload { revoked: 0, user_errors: ctx.user_errors(refusal)? },
        })
    }

    /// For admins: gives a person exactly these roles; the person's sessions end with it.
    async fn user_set_roles(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who gets which.")] input: UserSetRolesInput,
    ) -> Answer<UserSetRolesPayload> {
        let roles: Vec<_> = input.roles.into_iter().map(Into::into).collect();
        let done = match id::read(&input.user_id, "userId", UserId::parse) {
            Ok(user) => people::set_roles(ctx.backend(), ctx.actor(), user, &roles).await,
            Err(refusal) => Err(refusal.into()),
        };
        Ok(match split(done)? {
            Ok(profile) => UserSetRolesPayload { user: Some(User(profile)), user_errors: Vec::new() },
            Err(refusal) => UserSetRolesPayload { user: None, user_errors: ctx.user_errors(refusal)? },
        })
    }
}

/// Lets through who passed the captcha, where this mutation asks for one.
pub(super) async fn demand(ctx: &Context<'_>, gate: Gate, answer: Option<&str>) -> Outcome<()> {
    captcha::demand(ctx.backend(), ctx.caller(), gate, answer).await
}

async fn signed_in(ctx: &Context<'_>, outcome: Outcome<SignedIn>) -> Answer<SessionPayload> {
    Ok(match split(outcome)? {
        Ok(signed_in) => SessionPayload {
            user: types::find(ctx, signed_in.user_id).await?,
            tokens: Some(signed_in.tokens.into()),
            user_errors: Vec::new(),
        },
        Err(refusal) => {
            SessionPayload { user_errors: ctx.user_errors(refusal)?, ..SessionPayload::default() }
        }
    })
}
