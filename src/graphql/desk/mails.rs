//! Addresses that no mail is sent to.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};

use crate::base::ids::SuppressionId;
use crate::base::outcome::Refusal;
use crate::base::text::Email;
use crate::graphql::connection::Listed;
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Answer, split};
use crate::graphql::id;
use crate::graphql::scalars::DateTime;
use crate::graphql::user_error::StaffError;
use crate::mail::model::Suppression;
use crate::mail::read::SuppressionFilter;
use crate::mail::suppress::{self, SuppressionCause};

/// Why no mail is sent to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "SuppressionCause")]
pub enum MailSuppressionCause {
    /// Mail came back for good, as the mail service reports.
    Bounce,
    /// Its reader reported a mail as unwanted.
    Complaint,
    /// The mail server knows no such mailbox.
    Refused,
}

/// What narrows the list of suppressions.
#[derive(Default, InputObject)]
pub struct MailSuppressionFilter {
    /// Of this address alone.
    email: Option<String>,
    /// Those that were lifted too.
    #[graphql(default)]
    lifted: bool,
}

impl MailSuppressionFilter {
    /// `EMAIL_INVALID`.
    pub fn read(self) -> Result<SuppressionFilter, Refusal> {
        let email = self.email.as_deref().map(Email::parse).transpose()?;
        Ok(SuppressionFilter {
            email_normalised: email.map(|email| email.normalised().to_owned()),
            lifted: self.lifted,
        })
    }
}

/// An address that no mail is sent to, or was not for a time.
pub struct MailSuppression(pub Suppression);

/// An address that no mail is sent to, or was not for a time.
#[Object]
impl MailSuppression {
    /// Its id.
    async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// The address, in the spelling that addresses are compared by.
    async fn email(&self) -> &str {
        &self.0.email_normalised
    }

    /// Why; null when this version does not know the cause.
    async fn cause(&self) -> Option<MailSuppressionCause> {
        SuppressionCause::parse(&self.0.cause).map(Into::into)
    }

    /// What the service or the mail server said, with addresses masked.
    async fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// Since when.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// When staff lifted it; null while it holds.
    async fn lifted_at(&self) -> Option<DateTime> {
        self.0.lifted_at.map(Into::into)
    }

    /// Who lifted it: a person's id.
    async fn lifted_by(&self) -> Option<ID> {
        self.0.lifted_by.map(|user| user.to_string().into())
    }

    /// Why it was lifted.
    async fn lift_reason(&self) -> Option<&str> {
        self.0.lift_reason.as_deref()
    }
}

impl Listed for MailSuppression {
    const NAME: &'static str = "MailSuppression";
}

/// Input of `mailSuppressionLift`.
#[derive(InputObject)]
pub struct MailSuppressionLiftInput {
    /// Which one.
    suppression_id: ID,
    /// Why, for the shop's records; at most 500 characters.
    reason: String,
}

/// Payload of `mailSuppressionLift`.
#[derive(Default, SimpleObject)]
pub struct MailSuppressionLiftPayload {
    /// The suppression as it is now.
    suppression: Option<MailSuppression>,
    /// Why it was refused; empty when it was done.
    user_errors: Vec<StaffError>,
}

/// What staff does about mails.
#[derive(Default)]
pub struct MailMutation;

#[Object]
impl MailMutation {
    /// For staff: mail is sent to an address again, and what of the last thirty days' mails about orders did not get there is
    /// sent now. To be lifted when its reader says that mail arrives again.
    async fn mail_suppression_lift(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which one, and why.")] input: MailSuppressionLiftInput,
    ) -> Answer<MailSuppressionLiftPayload> {
        ctx.staff()?;
        let done = async {
            let id = id::read(&input.suppression_id, "suppressionId", SuppressionId::parse)?;
            suppress::lift(ctx.backend(), ctx.actor(), id, &input.reason).await
        };
        Ok(match split(done.await)? {
            Ok(lifted) => MailSuppressionLiftPayload {
                suppression: Some(MailSuppression(lifted)),
                user_errors: Vec::new(),
            },
            Err(refusal) => {
                MailSuppressionLiftPayload { suppression: None, user_errors: ctx.user_errors(refusal)? }
            }
        })
    }
}
